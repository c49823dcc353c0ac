"""Making and restoring backups. Making one disturbs nobody; restoring one takes the place of all that was there.

A backup is one SQLite file with Scale's tables, whichever database it was made of. Tokens are in it with their hashes,
so that programs go on after a restore; the hash of 256 random bits gives nobody the token. Browsers' sessions are not.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

from sqlalchemy import delete, func, insert, select
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import SQLModel

from scale_app.adapters.store.backup_checks import (
    check_backup,
    check_new,
    check_other,
    check_replaceable,
    check_space,
    opened_file,
    size_of,
)
from scale_app.adapters.store.database import border, in_transactions, open_engine, shown
from scale_app.adapters.store.private_file import make_private
from scale_app.adapters.store.tables import (
    TABLES,
    InstallationRow,
    LeaseRow,
    PlanRow,
    RunRow,
    SessionRow,
    TokenRow,
    migrate,
    newest_version,
)
from scale_app.domain.errors import BackupRefused
from scale_app.files import taking_the_place_of

OTHERS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
    "AND backend_type = 'client backend'"
)
AT_ONCE = 50
"""Rows in memory: of 1,000 pods some 2 MB."""


async def back_up(database_url: str, file: Path, replace: bool = False) -> int:
    """Write all that the database holds into a file, also while a server uses it; bytes of the file.

    replace: also when there is such a file. Raises BackupRefused, StoreUnavailable.
    """
    check_new(file, replace, _sqlite_file(database_url))
    with border("Backing up", database_url), taking_the_place_of(file) as part:
        await _write(database_url, part)
        await asyncio.to_thread(check_backup, part, shown(database_url))
        return size_of(part)


async def restore(database_url: str, file: Path, replace: bool = False) -> str:
    """Let the database hold what the backup holds, in place of what is in it; what that is, for people.

    replace: also when the database holds something, or others are connected to it. Nobody may use it meanwhile.
    Raises BackupRefused, StoreUnavailable; the database then is as it was.
    """
    into_file = _sqlite_file(database_url)
    check_other(file, into_file)
    if into_file:
        check_replaceable(into_file)
    await asyncio.to_thread(check_backup, file)
    folder = into_file.parent if into_file else Path(tempfile.gettempdir())
    with border("Restoring", database_url):
        check_space(folder, size_of(file), "Restoring")
        with tempfile.TemporaryDirectory(prefix="scale-restore-", dir=folder) as beside:
            copy = Path(beside) / "restored.db"
            await asyncio.to_thread(copied, file, copy)
            await migrate(_url_of(copy))
            if into_file:
                return await _take_place(copy, into_file, database_url, replace)
            return await _fill(copy, database_url, replace)


async def _write(database_url: str, part: Path) -> None:
    source = _sqlite_file(database_url)
    if source is None:
        await migrate(_url_of(part))
        async with _connected(database_url) as theirs, _connected(_url_of(part), writes=True) as ours:
            await _check_same_version(theirs, database_url)
            await _copy_rows(theirs, ours)
        await asyncio.to_thread(into_one_file, part)
        return
    if not size_of(source):
        raise BackupRefused(f"{source} does not exist, so there is nothing to back up. Check SCALE_DATABASE_URL.")
    check_space(part.parent, size_of(source), "Backing up")
    await asyncio.to_thread(copied, source, part)


async def _take_place(copy: Path, file: Path, database_url: str, replace: bool) -> str:
    """Put the copy where the database's file is, in one step."""
    if not replace and size_of(file):
        await migrate(database_url)
        async with _connected(database_url) as there:
            _check_empty(await _holds(there), database_url)
    async with _connected(_url_of(copy)) as restored:
        what = await _holds(restored)
    await asyncio.to_thread(into_one_file, copy)
    for log in ("-wal", "-shm"):
        file.with_name(file.name + log).unlink(missing_ok=True)
    os.replace(copy, file)
    return what


async def _fill(copy: Path, database_url: str, replace: bool) -> str:
    """Put the copy's rows into a database that is a server's, in one transaction."""
    await migrate(database_url)
    async with _connected(_url_of(copy)) as restored, _connected(database_url, writes=True) as there:
        if not replace:
            _check_empty(await _holds(there), database_url)
            await _check_alone(there, database_url)
        await _remove_rows(there)
        await _copy_rows(restored, there)
        return await _holds(there)


def _check_empty(found: str, database_url: str) -> None:
    if found:
        raise BackupRefused(
            f"{shown(database_url)} holds {found}, which the backup would replace. Nothing was changed. "
            "Give --force to replace them, or set SCALE_DATABASE_URL to an empty database."
        )


async def _check_alone(there: AsyncConnection, database_url: str) -> None:
    if others := int((await there.exec_driver_sql(OTHERS)).scalar_one()):
        raise BackupRefused(
            f"{shown(database_url)} is in use: it has {others:,} other connections. Nothing was changed. "
            "Stop the server that uses it, or give --force."
        )


async def _check_same_version(theirs: AsyncConnection, database_url: str) -> None:
    version = (await theirs.exec_driver_sql("SELECT version_num FROM alembic_version")).scalar()
    if version != newest_version():
        raise BackupRefused(
            f"The tables in {shown(database_url)} have version {version}; this Scale has version {newest_version()}. "
            "Back up with the version that uses the database."
        )


@asynccontextmanager
async def _connected(database_url: str, writes: bool = False) -> AsyncIterator[AsyncConnection]:
    """One transaction that sees one state of the database, kept when the block ends and undone when it raises."""
    engine = open_engine(database_url)
    try:
        async with in_transactions(engine, "REPEATABLE READ", writes).begin() as connection:
            yield connection
    finally:
        await engine.dispose()


def _sqlite_file(database_url: str) -> Path | None:
    """The file itself where the database's name is a link to it: a link stays one when its database is restored."""
    url = make_url(database_url)
    return Path(url.database).resolve() if url.get_backend_name() == "sqlite" and url.database else None


def _url_of(file: Path) -> str:
    return f"sqlite+aiosqlite:///{file}"


async def _copy_rows(source: AsyncConnection, target: AsyncConnection) -> None:
    """Insert every row of the source's tables into the target's, a few at a time."""
    for table in TABLES:
        columns = [getattr(table, name) for name in table.model_fields]
        rows = await source.stream(select(*columns))
        async for some in rows.partitions(AT_ONCE):
            await target.execute(insert(table), [dict(zip(table.model_fields, row, strict=True)) for row in some])


async def _remove_rows(target: AsyncConnection) -> None:
    tables: tuple[type[SQLModel], ...] = (*TABLES, SessionRow)
    if target.dialect.name == "postgresql":  # at once, however much it is; part of the transaction all the same
        await target.exec_driver_sql(f"TRUNCATE {', '.join(str(table.__tablename__) for table in tables)}")
        return
    for table in reversed(tables):
        await target.execute(delete(table))


async def _holds(database: AsyncConnection) -> str:
    """What is in the database, for people: "3 runs and 1 saved plan", "" when nothing."""
    counts = []
    for table, what in ((RunRow, "run"), (PlanRow, "saved plan"), (TokenRow, "token")):
        number = await database.scalar(select(func.count()).select_from(table)) or 0
        counts += [f"{number:,} {what}{'s' if number != 1 else ''}"] if number else []
    return " and ".join(counts)


def copied(source: Path, target: Path) -> None:
    """A consistent copy of an SQLite database, also while others write to it. Raises sqlite3.Error, OSError."""
    make_private(target)
    with closing(opened_file(source)) as from_file, closing(sqlite3.connect(target)) as to_file:
        # All at once: it reads one state of the file, writers go on beside it in its log.
        from_file.backup(to_file, pages=-1)
        _remove_own(to_file)
    into_one_file(target)


def _remove_own(opened: sqlite3.Connection) -> None:
    """What only the database itself may have: sign-ins, who owns what, its id. An older version's has not all of it."""
    opened.execute("PRAGMA secure_delete=ON").fetchall()
    for table in (SessionRow, LeaseRow, InstallationRow):
        with suppress(sqlite3.OperationalError):
            opened.execute(f"DELETE FROM {table.__tablename__}")
    opened.commit()


def into_one_file(file: Path) -> None:
    """Nothing of the database beside its file. Raises sqlite3.Error."""
    with closing(opened_file(file)) as opened:
        opened.execute("PRAGMA journal_mode=DELETE").fetchall()
