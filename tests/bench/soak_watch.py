"""What a server holds at one moment, as the system tells it."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Look:
    """at_s: since the first look. resident_mib, files, threads: of the server's own process; files: open descriptors.

    processes: below it, of all generations. database_mib: pages in use, runs: rows of its history.
    """

    at_s: float
    resident_mib: float
    files: int
    threads: int
    processes: int
    database_mib: float
    runs: int


class Watch:
    """Looks at a process and at its SQLite database."""

    def __init__(self, pid: int, database: Path) -> None:
        self._process = psutil.Process(pid)
        self._database = database
        self._began_s = time.monotonic()

    def look(self) -> Look:
        """Raises psutil.NoSuchProcess when the server is gone."""
        process = self._process
        with process.oneshot():
            resident, threads = process.memory_info().rss, process.num_threads()
        database_mib, runs = self._stored()
        return Look(
            round(time.monotonic() - self._began_s, 1),
            round(resident / MIB, 1),
            process.num_fds(),
            threads,
            len(process.children(recursive=True)),
            round(database_mib, 3),
            runs,
        )

    def _stored(self) -> tuple[float, int]:
        """In a read of its own, which sees what is still in the write-ahead log too."""
        with suppress(sqlite3.OperationalError), closing(self._connection()) as database:
            pages, free, size = (
                database.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "freelist_count", "page_size")
            )
            runs = database.execute("SELECT count(*) FROM runs").fetchone()[0]
            return (pages - free) * size / MIB, runs
        return 0.0, 0

    def _connection(self) -> sqlite3.Connection:
        return sqlite3.connect(f"file:{self._database}?mode=ro", uri=True, timeout=5)
