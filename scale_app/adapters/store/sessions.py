"""How long the database is waited for, and the sessions that read and write in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel, col

from scale_app.adapters.store.border import border
from scale_app.adapters.store.database import in_transactions, open_engine
from scale_app.adapters.store.tables import RunRow

CHECK_LIMIT_S = 2.0
READ_LIMIT_S = 4.0
WRITE_LIMIT_S = 6.0
LONG_LIMIT_S = 30.0
"""What reads, deletes or changes a whole run, which may be large."""
CLOSE_LIMIT_S = 1.0


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
        with border("Asking the database", self._url):
            async with self._session(CHECK_LIMIT_S) as session:
                await session.scalar(select(col(RunRow.id)).limit(1))

    async def close(self) -> None:
        """Let go of the database, within CLOSE_LIMIT_S."""
        # One that hangs is not waited for: its connections end with this process. Not even the end of what was
        # cancelled is: that of SQLite's driver waits for its thread.
        _, late = await asyncio.wait({asyncio.create_task(self._engine.dispose())}, timeout=CLOSE_LIMIT_S)
        for closing in late:
            closing.cancel()

    @asynccontextmanager
    async def _session(self, limit_s: float = READ_LIMIT_S) -> AsyncIterator[AsyncSession]:
        """To read with. Raises TimeoutError when that takes too long."""
        async with asyncio.timeout(limit_s), AsyncSession(self._engine, expire_on_commit=False) as session:
            yield session

    @asynccontextmanager
    async def _writing(self, limit_s: float = WRITE_LIMIT_S) -> AsyncIterator[AsyncSession]:
        """One transaction, kept when the block ends and undone when it raises, as TimeoutError does after the limit."""
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
