"""Making and restoring backups. Making one disturbs nobody; restoring one takes the place of all that was there."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from scale_app.adapters.store.backup_file import check_backup, check_room, copied, into_one_file
from scale_app.adapters.store.border import border, shown
from scale_app.adapters.store.copying import copy_rows, holds, remove_rows
from scale_app.adapters.store.database import WRITES, open_engine
from scale_app.adapters.store.migrate import migrate, newest_version
from scale_app.domain.errors import BackupRefused

OTHERS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
    "AND backend_type = 'client backend'"
)


async def back_up(database_url: str, file: Path, replace: bool = False) -> int:
    """Write all that the database holds into a file, also while a server uses it; bytes of the file.

    replace: also when there is such a file. Raises BackupRefused, StoreUnavailable.
    """
    part = _begun(file, replace, _sqlite_file(database_url))
    with border("Backing up", database_url), _gone_afterwards(part):
        await _write(database_url, part)
        await asyncio.to_thread(check_backup, part, shown(database_url))
        size = _size(part)
        os.replace(part, file)
        return size


async def restore(database_url: str, file: Path, replace: bool = False) -> str:
    """Let the database hold what the backup holds, in place of what is in it; what that is, for people.

    replace: also when the database holds something, or others are connected to it. Nobody may use it meanwhile.
    Raises BackupRefused, StoreUnavailable; the database then is as it was.
    """
    into_file = _sqlite_file(database_url)
    _check_other(file, into_file)
    if into_file:
        _check_replaceable(into_file)
    await asyncio.to_thread(check_backup, file)
    folder = into_file.parent if into_file else Path(tempfile.gettempdir())
    with border("Restoring", database_url):
        check_room(folder, _size(file), "Restoring")
        with tempfile.TemporaryDirectory(prefix="scale-restore-", dir=folder) as room:
            copy = Path(room) / "restored.db"
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
            await copy_rows(theirs, ours)
        await asyncio.to_thread(into_one_file, part)
        return
    if not _size(source):
        raise BackupRefused(f"{source} does not exist, so there is nothing to back up. Check SCALE_DATABASE_URL.")
    check_room(part.parent, _size(source), "Backing up")
    await asyncio.to_thread(copied, source, part)


async def _take_place(copy: Path, file: Path, database_url: str, replace: bool) -> str:
    """Put the copy where the database's file is, in one step."""
    if not replace and _size(file):
        await migrate(database_url)
        async with _connected(database_url) as there:
            _check_empty(await holds(there), database_url)
    async with _connected(_url_of(copy)) as restored:
        what = await holds(restored)
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
            _check_empty(await holds(there), database_url)
            await _check_alone(there, database_url)
        await remove_rows(there)
        await copy_rows(restored, there)
        return await holds(there)


def _begun(file: Path, replace: bool, database: Path | None) -> Path:
    """An empty file beside this one, to be written first. Raises BackupRefused."""
    try:
        _check_other(file, database)
        if file.is_dir():
            raise BackupRefused(f"{file} is a folder. Give the name of a file, such as {file / 'scale.backup'}.")
        _check_replaceable(file)
        if file.exists() and not replace:
            raise BackupRefused(f"{file} exists. Give another name, or --force to replace it.")
        if not file.parent.is_dir():
            raise BackupRefused(f"{file.parent} is not a folder. Make it, or give another name.")
        part = file.with_name(f"{file.name}.part")
        part.touch()
    except OSError as error:
        reason = error.strerror or str(error)
        raise BackupRefused(f"{file} cannot be written ({reason}). Give another name.") from error
    return part


def _check_other(file: Path, database: Path | None) -> None:
    """A server that goes on would write for ever into a file that nobody sees any more."""
    own = {database.with_name(database.name + rest) for rest in ("", "-wal", "-shm")} if database else set()
    if file.resolve() in own:
        raise BackupRefused(f"{file} is the database itself. Nothing was changed. Give another name.")


def _check_replaceable(file: Path) -> None:
    """Raises BackupRefused for what a rename would replace by a file of another kind. The file itself is not opened."""
    if file.is_symlink() or (file.exists() and not file.is_file()):
        raise BackupRefused(
            f"{file} is a link, a pipe or a device, which no file may take the place of. Nothing was changed. "
            "Give the name of a file."
        )


def _size(file: Path) -> int:
    """0 without a file."""
    return file.stat().st_size if file.is_file() else 0


def _check_empty(found: str, database_url: str) -> None:
    if found:
        raise BackupRefused(
            f"{shown(database_url)} holds {found}, which the backup would take the place of. Nothing was changed. "
            "Give --force to lose them, or set SCALE_DATABASE_URL to an empty database."
        )


async def _check_alone(there: AsyncConnection, database_url: str) -> None:
    others = int((await there.exec_driver_sql(OTHERS)).scalar_one())
    if others:
        raise BackupRefused(
            f"{shown(database_url)} is in use: it has {others:,} other connections. Nothing was changed. "
            "Stop the server that uses it, or give --force."
        )


async def _check_same_version(theirs: AsyncConnection, database_url: str) -> None:
    version = (await theirs.exec_driver_sql("SELECT version_num FROM alembic_version")).scalar()
    if version != newest_version():
        raise BackupRefused(
            f"The tables in {shown(database_url)} are of version {version}, those of this Scale of {newest_version()}. "
            "Back up with the version that uses the database."
        )


@asynccontextmanager
async def _connected(database_url: str, writes: bool = False) -> AsyncIterator[AsyncConnection]:
    """One transaction that sees one state of the database, kept when the block ends and undone when it raises."""
    engine = open_engine(database_url)
    try:
        async with _with_options(engine, writes).begin() as connection:
            yield connection
    finally:
        await engine.dispose()


def _with_options(engine: AsyncEngine, writes: bool) -> AsyncEngine:
    if engine.dialect.name == "sqlite":
        return engine.execution_options(**{WRITES: writes})
    return engine.execution_options(isolation_level="REPEATABLE READ")


def _sqlite_file(database_url: str) -> Path | None:
    """The file itself where the database's name is a link to it: a link stays one when its database is restored."""
    url = make_url(database_url)
    return Path(url.database).resolve() if url.get_backend_name() == "sqlite" and url.database else None


def _url_of(file: Path) -> str:
    return f"sqlite+aiosqlite:///{file}"


@contextmanager
def _gone_afterwards(file: Path) -> Iterator[None]:
    try:
        yield
    finally:
        for rest in ("", "-wal", "-shm", "-journal"):
            file.with_name(file.name + rest).unlink(missing_ok=True)
