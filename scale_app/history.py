"""The history of this installation by itself, for what needs no hub: commands that only look, copy or restore."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from scale_app.adapters.store import SqlRunStore, migrate
from scale_app.adapters.store.backup import back_up, restore
from scale_app.adapters.this_machine import SystemClock, single_instance
from scale_app.domain.record import INTERRUPTED
from scale_app.ports import RunStore

__all__ = ["back_up", "history", "prepared", "restored"]


@asynccontextmanager
async def prepared(database_url: str) -> AsyncIterator[None]:
    """This process has the database for itself, with this version's tables. Raises StoreUnavailable."""
    with single_instance(database_url):
        await migrate(database_url)
        yield


async def restored(database_url: str, file: Path, replace: bool) -> str:
    """Let the database, which nobody else uses, hold what the backup holds; what that is, for people.

    Raises BackupRefused, StoreUnavailable.
    """
    with single_instance(database_url):
        return await restore(database_url, file, replace)


@asynccontextmanager
async def history(database_url: str) -> AsyncIterator[RunStore]:
    """The store of runs. What an earlier process left running was interrupted. Raises StoreUnavailable."""
    async with prepared(database_url):
        store = SqlRunStore(database_url, SystemClock())
        try:
            await store.mark_interrupted(INTERRUPTED)
            yield store
        finally:
            await store.close()
