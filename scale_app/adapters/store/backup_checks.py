"""What is looked at before a backup is made or restored, so that nothing is begun that cannot be ended."""

from __future__ import annotations

import math
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from scale_app.adapters.store.private_file import OWNER_ALONE
from scale_app.adapters.store.tables import known_versions
from scale_app.domain.errors import BackupRefused, StoreUnavailable
from scale_app.files import replaceable

MAGIC = b"SQLite format 3\0"
SPACE_NEEDED = 1.1


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
        with closing(opened_file(file)) as opened:
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
        file.with_name(f"{file.name}.part").touch(OWNER_ALONE)
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


def opened_file(path: Path) -> sqlite3.Connection:
    """To read and write; not made when it is not there. Raises sqlite3.Error."""
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True)
