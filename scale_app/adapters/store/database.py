"""The connection to the database: settings that make it as durable as the history promises, sessions, limits, and
the border where foreign errors become one sentence: what was tried, on which database, what came back, what to do.

SQLite runs in WAL mode with synchronous=NORMAL: a commit has reached the operating system when it returns, so it
survives the death of this process (SIGKILL included); only a power cut may take the last seconds. FULL would wait
for the disk once a second per run to guard against that alone. PostgreSQL keeps its own, stronger default.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import cache, partial
from importlib import import_module
from typing import Any

import aiosqlite
from sqlalchemy import event
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlmodel import SQLModel

from scale_app.adapters.store.private_file import make_private
from scale_app.domain.errors import StoreUnavailable

READ_LIMIT_S = 4.0
WRITE_LIMIT_S = 6.0
LONG_LIMIT_S = 30.0
"""What reads, deletes or changes a whole run, which may be large."""
CLOSE_LIMIT_S = 1.0
BUSY_LIMIT_S = 4.0
"""Below the store's own limit of a write, so that it is SQLite that says that the file is locked."""
CONNECT_LIMIT_S = 5.0
STATEMENT_LIMIT_S = 30.0
IDLE_LIMIT_S = 2.0
"""After which PostgreSQL undoes a transaction whose owner says nothing: a server that stands still holds no row for
longer than its leases last."""
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
# What a driver's message contains, and what helps; the first that fits is taken.
ADVICE = (
    ("unable to open database file", "Create the database's folder and let Scale write to it"),
    ("readonly database", "Let Scale write to the database's file and its folder"),
    ("locked", "End the other process that holds the database"),
    ("disk is full", "Free disk space"),
    ("no space left", "Free disk space"),
    ("disk i/o error", "Check the disk, its free space and its permissions"),
    ("not a database", "Move the file away or restore it from a copy"),
    ("malformed", "Move the file away or restore it from a copy"),
    ("password", "Check user name and password in SCALE_DATABASE_URL"),
    ("role", "Check user name and password in SCALE_DATABASE_URL"),
    ("does not exist", "Create the database, or run Scale's migration by starting it once"),
    ("no such table", "Start Scale once, which makes the tables"),
    ("too many", "Let the database accept more connections"),
)
OTHERWISE = "Check that the database runs and answers"


@contextmanager
def border(doing: str, database_url: str) -> Iterator[None]:
    """Raise StoreUnavailable for whatever the database, its driver or the network raise inside.

    doing: what is tried, as in "Reading the list of runs".
    """
    try:
        yield
    except _foreign_errors() as error:
        answer = _answer(error)
        advice = next((advice for sign, advice in ADVICE if sign in answer.lower()), OTHERWISE)
        raise StoreUnavailable(
            f"{doing} failed on {shown(database_url)}: {answer}. {advice}, or set SCALE_DATABASE_URL to another one."
        ) from error


def shown(database_url: str) -> str:
    """The URL as it may be shown: without password and without query, which may hold one."""
    try:
        return make_url(database_url).set(query={}).render_as_string(hide_password=True)
    except ArgumentError:
        return "the database"


def _foreign_errors() -> tuple[type[Exception], ...]:
    return (SQLAlchemyError, sqlite3.Error, OSError, *_errors_of_asyncpg())


def _errors_of_asyncpg() -> tuple[type[Exception], ...]:
    """Those that SQLAlchemy lets through; none before the first connection to PostgreSQL has loaded the driver."""
    asyncpg = sys.modules.get("asyncpg")
    return (asyncpg.PostgresError, asyncpg.InterfaceError) if asyncpg else ()


def _answer(error: Exception) -> str:
    # SQLAlchemy's own text carries the statement and its values, which help nobody who reads the page.
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    inner = cause.__cause__ if isinstance(cause.__cause__, (OSError, *_errors_of_asyncpg())) else cause
    if isinstance(inner, TimeoutError):
        return "no answer in time"
    if isinstance(inner, OSError) and inner.errno is not None and inner.errno > 0:
        return os.strerror(inner.errno)
    text = str(inner).strip() or type(inner).__name__
    return text.splitlines()[0].rstrip(". ")


def open_engine(database_url: str, autocommit: bool = False) -> AsyncEngine:
    """An engine for sqlite+aiosqlite:///... or postgresql+asyncpg://...; connects at its first use.

    autocommit: PostgreSQL is asked without a transaction around each query, and another around the question whether a
    connection still lives: both give nothing to one query, and take four ways there and back. Write `in_transactions`.
    """
    logging.getLogger(POOL_LOG).addFilter(_not_cut_short)
    if make_url(database_url).get_backend_name() != "sqlite":
        limits = {"timeout": CONNECT_LIMIT_S, "command_timeout": STATEMENT_LIMIT_S}
        options = {"isolation_level": "AUTOCOMMIT"} if autocommit else {}
        engine = create_async_engine(database_url, pool_pre_ping=True, connect_args=limits, **options)
        if autocommit:
            event.listen(engine.sync_engine, "connect", _limit_idling)
        return engine
    engine = create_async_engine(database_url, connect_args={"timeout": BUSY_LIMIT_S, "async_creator_fn": _connection})
    event.listen(engine.sync_engine, "connect", _set_pragmas)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


def in_transactions(engine: AsyncEngine, isolation: str = "READ COMMITTED", writes: bool = True) -> AsyncEngine:
    """The same engine, to write with. isolation: PostgreSQL's, since SQLite has but one."""
    sqlite = engine.dialect.name == "sqlite"
    return engine.execution_options(**{WRITES: writes} if sqlite else {"isolation_level": isolation})


async def _connection(*where: Any, **options: Any) -> aiosqlite.Connection:
    """A connection; when it cannot be opened, its thread has ended before the error is raised.

    aiosqlite lets that thread end by itself, and one that outlives the event loop prints a traceback of its own. It
    has no public way to wait for the thread (https://github.com/omnilib/aiosqlite/issues/387).
    """
    if os.path.isabs(str(where[0])):  # not in memory, and no URI
        await asyncio.to_thread(make_private, str(where[0]))
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


def _limit_idling(connection: Any, _record: object) -> None:
    # Said here, and not while connecting: a pooler between the two refuses settings there that it does not know.
    cursor = connection.cursor()
    cursor.execute(f"SET idle_in_transaction_session_timeout = {int(IDLE_LIMIT_S * 1000)}")
    cursor.close()


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


async def pragma(connection: AsyncConnection, name: str) -> int:
    """A setting or figure of SQLite."""
    return int((await connection.exec_driver_sql(f"PRAGMA {name}")).scalar_one())


async def used_bytes(connection: AsyncConnection) -> int:
    """Of a SQLite file, without pages that are free for what comes."""
    used = await pragma(connection, "page_count") - await pragma(connection, "freelist_count")
    return used * await pragma(connection, "page_size")


class Sessions:
    """One database, opened: to ask whether it answers, to read and write in sessions, to let go of."""

    def __init__(self, database_url: str) -> None:
        """Raises StoreUnavailable for a bad URL."""
        self._url = database_url
        with border("Opening the database", database_url):
            self._engine = open_engine(database_url, autocommit=True)
            self._writer = in_transactions(self._engine)

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
