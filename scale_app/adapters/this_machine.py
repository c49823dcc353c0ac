"""What this machine gives: its clock, and a lock that lets only one hub use a database.

Two hubs would each see half of the load and show different scores.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO

from scale_app.domain.errors import StoreUnavailable


class SystemClock:
    """Clock of this machine; its monotonic time is the same in every process here (CLOCK_MONOTONIC)."""

    def monotonic_s(self) -> float:
        return time.monotonic()

    def epoch_s(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def listening_ports() -> frozenset[int]:
    """The TCP ports on which this process and those that it started listen now."""
    import psutil  # type: ignore[import-untyped]  # late: most commands have no use for it

    ports: set[int] = set()
    for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
        with suppress(psutil.Error):  # it has ended meanwhile
            found = process.net_connections("tcp")
            ports.update(each.laddr.port for each in found if each.status == psutil.CONN_LISTEN)
    return frozenset(ports)


@contextmanager
def single_instance(database_url: str, shared: bool = False) -> Iterator[None]:
    """Hold this machine's lock for the database. Raises StoreUnavailable when another process holds it.

    shared: those that all say so may hold it together.
    """
    path = _lock_file(database_url)
    with _locked(path, fcntl.LOCK_SH if shared else fcntl.LOCK_EX) as lock:
        try:
            yield
        finally:
            with suppress(OSError):  # another one holds it still
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink(missing_ok=True)


def announce(database_url: str, url: str) -> None:
    """Whoever holds the database's lock tells the commands of this machine where it serves people."""
    _lock_file(database_url).write_text(url)


def server_beside(database_url: str) -> str:
    """The URL of the server of this user on this machine that has the database; "" where none is known.

    The text of a file that another user may write is not believed: it could lead a command's token elsewhere.
    """
    try:
        with _lock_file(database_url).open() as lock:
            about = os.fstat(lock.fileno())
            ours = about.st_uid == os.getuid() and not about.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
            return lock.read() if ours and _is_held(lock) else ""
    except OSError:
        return ""


def _is_held(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    return False


def _lock_file(database_url: str) -> Path:
    digest = hashlib.sha256(_resolved(database_url).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"scale-{os.getuid()}-{digest}.lock"


def _locked(path: Path, kind: int) -> IO[str]:
    while True:
        lock = open(path, "a", opener=partial(os.open, mode=0o600))  # noqa: SIM115
        try:
            fcntl.flock(lock, kind | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise StoreUnavailable(
                "Another Scale on this machine uses the same database (SCALE_DATABASE_URL), but only one may, unless "
                "all share one Redis (SCALE_REDIS_URL). "
                "Ask it by a command that takes --server, stop it, or use another database."
            ) from None
        if _is_at(lock, path):
            if kind == fcntl.LOCK_EX:
                lock.truncate(0)
            return lock
        lock.close()  # the earlier holder removed the file between our opening and locking it


def _is_at(lock: IO[str], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(lock.fileno()), path.stat())
    except FileNotFoundError:
        return False


def missing_file(database_url: str) -> Path | None:
    """The file of a database of SQLite that is not there; None for one that is there, or is no file."""
    prefix, found, path = database_url.partition("?")[0].partition(":///")
    whole = Path(path).resolve()
    return whole if found and prefix.startswith("sqlite") and path and not whole.exists() else None


def _resolved(database_url: str) -> str:
    prefix, found, path = database_url.partition(":///")
    return f"{prefix}:///{Path(path).resolve()}" if found else database_url
