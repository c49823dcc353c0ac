"""The connection to the database: settings that make it as durable as the history promises, sessions, limits.

SQLite runs in WAL mode with synchronous=NORMAL: a commit has reached the operating system when it returns, so it
survives the death of this process (SIGKILL included); only a power cut may take the last seconds. FULL would wait
for the disk once a second per run to guard against that alone. PostgreSQL keeps its own, stronger default.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache, partial
from importlib import import_module
from typing import Any

import aiosqlite
from sqlalchemy import event, select
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlmodel import SQLModel, col

from scale_app.adapters.store.border import border
from scale_app.adapters.store.tables import RunRow

CHECK_LIMIT_S = 2.0
READ_LIMIT_S = 4.0
WRITE_LIMIT_S = 6.0
LONG_LIMIT_S = 30.0
"""What reads, deletes or changes a whole run, which may be large."""
CLOSE_LIMIT_S = 1.0
BUSY_LIMIT_S = 4.0
"""Below the store's own limit of a write, so that it is SQLite that says that the file is locked."""
CONNECT_LIMIT_S = 5.0
STATEMENT_LIMIT_S = 30.0
POOL_LOG = "sqlalchemy.pool.impl.AsyncAdaptedQueuePool"
WRITES = "writes"
"""Execution option of an engine whose transactions write."""
LOG_LIMIT_BYTES = 16_000_000
"""Of the -wal file once it is written back: without it the file stays as large as the largest transaction was."""
SHRINKABLE = "PRAGMA auto_vacuum=INCREMENTAL"
"""Free pages can be given back to the disk; in force from a file's first table on, or from its next VACUUM."""
PRAGMAS = (
    # First of all: the switch to WAL below already may have to wait for another process.
    f"PRAGMA busy_timeout={int(BUSY_LIMIT_S * 1000)}",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=NORMAL",
    "PRAGMA foreign_keys=ON",
    f"PRAGMA journal_size_limit={LOG_LIMIT_BYTES}",
)


def open_engine(database_url: str, autocommit: bool = False) -> AsyncEngine:
    """An engine for sqlite+aiosqlite:///... or postgresql+asyncpg://...; connects at its first use.

    autocommit: PostgreSQL is asked without a transaction around each query, and another around the question whether a
    connection still lives: both give nothing to one query, and take four ways there and back. Write `in_transactions`.
    """
    logging.getLogger(POOL_LOG).addFilter(_not_cut_short)
    if make_url(database_url).get_backend_name() != "sqlite":
        limits = {"timeout": CONNECT_LIMIT_S, "command_timeout": STATEMENT_LIMIT_S}
        options = {"isolation_level": "AUTOCOMMIT"} if autocommit else {}
        return create_async_engine(database_url, pool_pre_ping=True, connect_args=limits, **options)
    engine = create_async_engine(database_url, connect_args={"timeout": BUSY_LIMIT_S, "async_creator_fn": _connection})
    event.listen(engine.sync_engine, "connect", _set_pragmas)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


def in_transactions(engine: AsyncEngine) -> AsyncEngine:
    """The same engine, to write with."""
    options: dict[str, Any] = {WRITES: True}
    if engine.dialect.name != "sqlite":
        options["isolation_level"] = "READ COMMITTED"
    return engine.execution_options(**options)


async def _connection(*where: Any, **options: Any) -> aiosqlite.Connection:
    """A connection; when it cannot be opened, its thread has ended before the error is raised.

    aiosqlite lets that thread end by itself, and one that outlives the event loop prints a traceback of its own. It
    has no public way to wait for the thread (https://github.com/omnilib/aiosqlite/issues/387).
    """
    connection = aiosqlite.connect(*where, **options)
    thread = connection._thread
    thread.daemon = True
    # Stopped twice, as by a second cancellation while it closes, it would wait for an answer of a thread that is gone.
    vars(connection)["stop"] = cache(connection.stop)
    try:
        opened = await connection
    except BaseException:
        await asyncio.to_thread(thread.join)
        raise
    # A damaged text is read as far as it goes: the driver would refuse all rows for the sake of one.
    opened.text_factory = partial(str, encoding="utf-8", errors="replace")
    return opened


def _not_cut_short(record: logging.LogRecord) -> bool:
    """That closing a connection is cut short, for it takes too long at the end of the process, is no error."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


def _set_pragmas(connection: Any, _record: object) -> None:
    # The driver's own idea of transactions leaves out schema changes; we begin them ourselves, see _begin.
    connection.isolation_level = None
    cursor = connection.cursor()
    try:
        cursor.execute("PRAGMA page_count")
        if cursor.fetchone()[0] == 0:
            cursor.execute(SHRINKABLE)
        for pragma in PRAGMAS:
            cursor.execute(pragma)
    except sqlite3.Error:
        # The pool forgets a connection that fails here without closing it, and its thread would outlive the loop.
        connection.close()
        raise
    cursor.close()


def _begin(connection: Connection) -> None:
    """A transaction that is going to write takes SQLite's one write lock at once, and waits for it.

    One that reads first and then wants to write is refused without waiting when another has written in between.
    """
    writes = connection.get_execution_options().get(WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


class Sessions:
    """One database, opened: to ask whether it answers, to read and write in sessions, to let go of."""

    def __init__(self, database_url: str) -> None:
        """Raises StoreUnavailable for a bad URL."""
        self._url = database_url
        with border("Opening the database", database_url):
            self._engine = open_engine(database_url, autocommit=True)
            self._writer = in_transactions(self._engine)

    async def check(self) -> None:
        """Raises StoreUnavailable when the history cannot be read now."""
        async with self._reading("Asking the database", CHECK_LIMIT_S) as session:
            await session.scalar(select(col(RunRow.id)).limit(1))

    async def close(self) -> None:
        """Let go of the database, within CLOSE_LIMIT_S."""
        # One that hangs is not waited for: its connections end with this process. Not even the end of what was
        # cancelled is: that of SQLite's driver waits for its thread.
        _, late = await asyncio.wait({asyncio.create_task(self._engine.dispose())}, timeout=CLOSE_LIMIT_S)
        for closing in late:
            closing.cancel()

    @asynccontextmanager
    async def _reading(self, doing: str, limit_s: float = READ_LIMIT_S) -> AsyncIterator[AsyncSession]:
        """Raises StoreUnavailable, also when it takes too long. doing: what is tried, for the sentence."""
        with border(doing, self._url):
            async with asyncio.timeout(limit_s), AsyncSession(self._engine, expire_on_commit=False) as session:
                yield session

    @asynccontextmanager
    async def _writing(self, doing: str, limit_s: float = WRITE_LIMIT_S) -> AsyncIterator[AsyncSession]:
        """One transaction, kept when the block ends and undone when it raises. The rest as for `_reading`."""
        with border(doing, self._url):
            writing = AsyncSession(self._writer, expire_on_commit=False)
            async with asyncio.timeout(limit_s), writing as session, session.begin():
                yield session

    def _insert(self, table: type[SQLModel]) -> Any:
        return self._new(table).on_conflict_do_nothing()

    def _replace(self, table: type[SQLModel], key: Any, values: dict[str, Any]) -> Any:
        return self._new(table).values(values).on_conflict_do_update(index_elements=[key], set_=values)

    def _new(self, table: type[SQLModel]) -> Any:
        # By its name, since the other database's would be loaded for nothing.
        return import_module(f"sqlalchemy.dialects.{self._engine.dialect.name}").insert(table)
