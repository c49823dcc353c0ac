"""Making and restoring backups. Making one disturbs nobody; restoring one takes the place of all that was there.

A backup is one SQLite file with Scale's tables, whichever database it was made of.
"""

from __future__ import annotations

import asyncio
import math
import os
import shutil
import sqlite3
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

from sqlalchemy import delete, func, insert, select
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection

from scale_app.adapters.store.database import border, in_transactions, open_engine, shown
from scale_app.adapters.store.tables import TABLES, PlanRow, RunRow, known_versions, migrate, newest_version
from scale_app.domain.errors import BackupRefused, StoreUnavailable
from scale_app.files import replaceable, taking_the_place_of

OTHERS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
    "AND backend_type = 'client backend'"
)
MAGIC = b"SQLite format 3\0"
SPACE_NEEDED = 1.1
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
    if target.dialect.name == "postgresql":  # at once, however much it is; part of the transaction all the same
        await target.exec_driver_sql(f"TRUNCATE {', '.join(str(table.__tablename__) for table in TABLES)}")
        return
    for table in reversed(TABLES):
        await target.execute(delete(table))


async def _holds(database: AsyncConnection) -> str:
    """What is in the database, for people: "3 runs and 1 saved plan", "" when nothing."""
    counts = []
    for table, what in ((RunRow, "run"), (PlanRow, "saved plan")):
        number = await database.scalar(select(func.count()).select_from(table)) or 0
        counts += [f"{number:,} {what}{'s' if number != 1 else ''}"] if number else []
    return " and ".join(counts)


def copied(source: Path, target: Path) -> None:
    """A consistent copy of an SQLite database, also while others write to it. Raises sqlite3.Error, OSError."""
    with closing(_opened(source)) as from_file, closing(sqlite3.connect(target)) as to_file:
        # All at once: it reads one state of the file, writers go on beside it in its log.
        from_file.backup(to_file, pages=-1)
    into_one_file(target)


def into_one_file(file: Path) -> None:
    """Nothing of the database beside its file. Raises sqlite3.Error."""
    with closing(_opened(file)) as opened:
        opened.execute("PRAGMA journal_mode=DELETE").fetchall()


def check_backup(file: Path, named: str = "") -> None:
    """Raises BackupRefused when it is no whole backup that this version can read. named: as people know it."""
    named = named or str(file)
    try:
        # What is no file may never give a byte, or give each only once.
        if file.exists() and not (file.is_file() or file.is_dir()):
            raise BackupRefused(f"{named} is a pipe or a device; a file is needed. Nothing was changed.")
        with file.open("rb") as content:
            if content.read(len(MAGIC)) != MAGIC:
                raise BackupRefused(f"{named} is not a backup that `scale backup` made. Nothing was changed.")
        with closing(_opened(file)) as opened:
            damage = opened.execute("PRAGMA quick_check(1)").fetchone()[0]
            version = _version(opened)
    except OSError as error:
        raise BackupRefused(f"{named} cannot be read ({error.strerror or error}). Nothing was changed.") from error
    except sqlite3.Error as error:
        raise BackupRefused(f"{named} is damaged ({error}). Nothing was changed.") from error
    if damage != "ok":
        raise BackupRefused(f"{named} is damaged ({str(damage).strip().splitlines()[0]}). Nothing was changed.")
    _check_version(named, version)


def check_new(file: Path, replace: bool, database: Path | None) -> None:
    """Raises BackupRefused when no backup can be written to this file. database: the file that is backed up."""
    try:
        check_other(file, database)
        if file.is_dir():
            raise BackupRefused(f"{file} is a folder. Give the name of a file, such as {file / 'scale.backup'}.")
        check_replaceable(file)
        if file.exists() and not replace:
            raise BackupRefused(f"{file} exists. Give another name, or --force to replace it.")
        if not file.parent.is_dir():
            raise BackupRefused(f"{file.parent} is not a folder. Make it, or give another name.")
        file.with_name(f"{file.name}.part").touch()
    except OSError as error:
        raise BackupRefused(f"{file} cannot be written ({error.strerror or error}). Give another name.") from error


def check_other(file: Path, database: Path | None) -> None:
    """A server that goes on would write for ever into a file that nobody sees any more."""
    own = {database.with_name(database.name + rest) for rest in ("", "-wal", "-shm")} if database else set()
    if file.resolve() in own:
        raise BackupRefused(f"{file} is the database itself. Nothing was changed. Give another name.")


def check_replaceable(file: Path) -> None:
    """Raises BackupRefused for what a rename would replace by a file of another kind. The file itself is not opened."""
    if not replaceable(file):
        raise BackupRefused(
            f"{file} is a link, a pipe or a device and cannot be replaced by a file. Nothing was changed. "
            "Give the name of a file."
        )


def size_of(file: Path) -> int:
    """0 without a file."""
    return file.stat().st_size if file.is_file() else 0


def check_space(folder: Path, size_bytes: int, doing: str) -> None:
    """Raises StoreUnavailable when the folder's disk has less space than what is to be written there."""
    free = shutil.disk_usage(folder).free
    if free < size_bytes * SPACE_NEEDED:
        needed_mb, free_mb = math.ceil(size_bytes * SPACE_NEEDED / 1e5) / 10, free // 1e5 / 10
        raise StoreUnavailable(
            f"{doing} needs {needed_mb:,.1f} MB in {folder}, where {free_mb:,.1f} MB are free. "
            "Nothing was changed. Free disk space, or use another folder."
        )


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True)


def _version(opened: sqlite3.Connection) -> str:
    """ "" when it is no database of Scale's."""
    try:
        found = opened.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError:
        return ""
    return str(found[0]) if found else ""


def _check_version(named: str, version: str) -> None:
    if not version:
        raise BackupRefused(f"{named} is a database, but not one of Scale's. Nothing was changed.")
    if version not in known_versions():
        raise BackupRefused(
            f"{named} was made by a newer version of Scale (its tables have version {version}). Nothing was changed. "
            "Restore it with that version."
        )
