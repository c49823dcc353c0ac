"""Brings a database to this version's tables, from the empty one on; run at every start, does nothing when done."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import column, select, table
from sqlalchemy import inspect as inspected
from sqlalchemy.engine import Connection

from scale_app.adapters.store.border import border
from scale_app.adapters.store.database import open_engine
from scale_app.adapters.store.shrinkable import make_shrinkable

VERSIONS = Path(__file__).parent / "migrations/versions"


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
                await make_shrinkable(engine)
        finally:
            await engine.dispose()


def newest_version() -> str:
    """Of the tables of this code."""
    return max(known_versions())


def known_versions() -> set[str]:
    """Those of this code and of all before it: the number that each migration's file begins with."""
    return {path.name.partition("_")[0] for path in VERSIONS.glob("[0-9]*_*.py")}


def _upgrade(connection: Connection, database_url: str) -> None:
    if _versions(connection) == [newest_version()]:
        return
    # Only now: Alembic takes a third of a second and 10 MB, for nothing at nearly every start.
    from scale_app.adapters.store.upgrade import upgrade

    upgrade(connection, database_url)


def _versions(connection: Connection) -> list[str]:
    """Those that Alembic has noted in the database."""
    if not inspected(connection).has_table("alembic_version"):
        return []
    return list(connection.scalars(select(column("version_num")).select_from(table("alembic_version"))))
