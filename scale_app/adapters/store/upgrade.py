"""Brings a database to this version's tables, from the empty one on; run at every start, does nothing when done.

A SQLite file that an older version made keeps every page that it ever had; it is also made able to become smaller.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiosqlite import Error
from sqlalchemy import column, select, table
from sqlalchemy import inspect as inspected
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from scale_app.adapters.store.border import border, shown
from scale_app.adapters.store.database import SHRINKABLE, open_engine
from scale_app.domain.errors import StoreUnavailable

if TYPE_CHECKING:
    from alembic.config import Config

log = logging.getLogger(__name__)
MIGRATIONS = Path(__file__).parent / "migrations"
MOST_BYTES = 256_000_000
"""Copied at a start, which takes some seconds. A larger history is so at a later start, once it was made small."""
SPACE_NEEDED = 2.5
"""Free bytes on the disk that the copy and its log may take, for each byte that is copied."""


async def migrate(database_url: str) -> None:
    """Make or update the tables in one transaction.

    Raises StoreUnavailable when the database cannot be used, or was made by a newer version.
    """
    with border("Preparing the tables", database_url):
        engine = open_engine(database_url)
        try:
            async with engine.begin() as connection:
                await connection.run_sync(_upgrade, database_url)
            if engine.dialect.name == "sqlite":
                await _make_shrinkable(engine)
        finally:
            await engine.dispose()


def newest_version() -> str:
    """Of the tables of this code."""
    return max(known_versions())


def known_versions() -> set[str]:
    """Those of this code and of all before it: the number that each migration's file begins with."""
    return {path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*_*.py")}


def migration_config(connection: Connection) -> Config:
    """Alembic's configuration without a file; our migrations are part of the package."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: Connection, database_url: str) -> None:
    versions = _versions(connection)
    if versions == [newest_version()]:
        return
    if unknown := [version for version in versions if version not in known_versions()]:
        raise StoreUnavailable(
            f"The tables in {shown(database_url)} are of version {unknown[0]}, which this version of Scale does not "
            "know; a newer one made them. Start that newer version, or set SCALE_DATABASE_URL to another database."
        )
    # Only now: Alembic takes a third of a second and 10 MB, for nothing at nearly every start.
    from alembic import command

    command.upgrade(migration_config(connection), "head")


def _versions(connection: Connection) -> list[str]:
    """Those that Alembic has noted in the database."""
    if not inspected(connection).has_table("alembic_version"):
        return []
    return list(connection.scalars(select(column("version_num")).select_from(table("alembic_version"))))


async def _make_shrinkable(engine: AsyncEngine) -> None:
    """Write the file anew, once, so that free pages can be given back to the disk. Left for later where it cannot be.

    Nobody else may use the file meanwhile.
    """
    async with engine.connect() as connection:
        file: Any = (await connection.get_raw_connection()).driver_connection
        if await _pragma(file, "auto_vacuum"):
            return
        used = await _pragma(file, "page_count") - await _pragma(file, "freelist_count")
        if (size := used * await _pragma(file, "page_size")) > MOST_BYTES or not await _has_space(file, size):
            log.warning("the database file stays as large as it is for now; room in it is used again")
            return
        try:
            await file.execute_fetchall(SHRINKABLE)
            await file.execute_fetchall("VACUUM")
        except Error as error:
            log.warning("the database file stays as large as it is for now (%s); room in it is used again", error)


async def _has_space(file: Any, size: int) -> bool:
    path = (await file.execute_fetchall("PRAGMA database_list"))[0][2]
    return not path or shutil.disk_usage(Path(path).parent).free > SPACE_NEEDED * size


async def _pragma(file: Any, name: str) -> int:
    return int((await file.execute_fetchall(f"PRAGMA {name}"))[0][0])
