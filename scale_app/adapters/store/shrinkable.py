"""Lets a SQLite file become smaller: one that an older version made keeps every page that it ever had."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

from aiosqlite import Error
from sqlalchemy.ext.asyncio import AsyncEngine

from scale_app.adapters.store.database import SHRINKABLE

log = logging.getLogger(__name__)
MOST_BYTES = 256_000_000
"""Copied at a start, which takes some seconds. A larger history is so at a later start, once it was made small."""
ROOM = 2.5
"""Free bytes on the disk that the copy and its log may take, for each byte that is copied."""


async def make_shrinkable(engine: AsyncEngine) -> None:
    """Write the file anew, once, so that free pages can be given back to the disk. Left for later where it cannot be.

    Nobody else may use the file meanwhile.
    """
    async with engine.connect() as connection:
        file: Any = (await connection.get_raw_connection()).driver_connection
        if await _pragma(file, "auto_vacuum"):
            return
        used = await _pragma(file, "page_count") - await _pragma(file, "freelist_count")
        if (size := used * await _pragma(file, "page_size")) > MOST_BYTES or not await _has_room(file, size):
            log.warning("the database file stays as large as it is for now; room in it is used again")
            return
        try:
            await file.execute_fetchall(SHRINKABLE)
            await file.execute_fetchall("VACUUM")
        except Error as error:
            log.warning("the database file stays as large as it is for now (%s); room in it is used again", error)


async def _has_room(file: Any, size: int) -> bool:
    path = (await file.execute_fetchall("PRAGMA database_list"))[0][2]
    return not path or shutil.disk_usage(Path(path).parent).free > ROOM * size


async def _pragma(file: Any, name: str) -> int:
    return int((await file.execute_fetchall(f"PRAGMA {name}"))[0][0])
