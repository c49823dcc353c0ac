"""Makes a SQLite file of an older version able to become smaller: such a file keeps every page that it ever had."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

from aiosqlite import Error
from sqlalchemy.ext.asyncio import AsyncEngine

from scale_app.adapters.store.database import SHRINKABLE, pragma, used_bytes

log = logging.getLogger(__name__)
MOST_BYTES = 256_000_000
"""Copied at a start, which takes some seconds. A larger history is so at a later start, once it was made small."""
SPACE_NEEDED = 2.5
"""Free bytes on the disk that the copy and its log may take, for each byte that is copied."""


async def make_shrinkable(engine: AsyncEngine) -> None:
    """Write the file anew, once, so that free pages can be given back to the disk. Left for later where it cannot be.

    Nobody else may use the file meanwhile.
    """
    async with engine.connect() as connection:
        if await pragma(connection, "auto_vacuum"):
            return
        size = await used_bytes(connection)
        await connection.rollback()
        file: Any = (await connection.get_raw_connection()).driver_connection
        if size > MOST_BYTES or not await _has_space(file, size):
            log.warning("the database file keeps its size for now; free space in it is reused")
            return
        try:
            await file.execute_fetchall(SHRINKABLE)
            await file.execute_fetchall("VACUUM")
        except Error as error:
            log.warning("the database file keeps its size for now (%s); free space in it is reused", error)


async def _has_space(file: Any, size: int) -> bool:
    path = (await file.execute_fetchall("PRAGMA database_list"))[0][2]
    return not path or shutil.disk_usage(Path(path).parent).free > SPACE_NEEDED * size
