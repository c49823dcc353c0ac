"""Letting go of a SQLite file that takes its time, as on a slow disk: nothing hangs, and nothing is said of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import aiosqlite
import pytest

from scale_app.adapters.store import SqlRunStore, migrate, sessions
from scale_app.adapters.store.database import open_engine
from tests.fakes import FakeClock

ENDS_WITHIN_S = 10.0


@pytest.fixture
async def url(tmp_path: Path) -> str:
    url = f"sqlite+aiosqlite:///{tmp_path}/scale.db"
    await migrate(url)
    return url


@pytest.fixture
async def driver(url: str) -> AsyncIterator[aiosqlite.Connection]:
    """The driver's own connection, as the store has it."""
    engine = open_engine(url)
    async with engine.connect() as connection:
        found = (await connection.get_raw_connection()).driver_connection
        assert isinstance(found, aiosqlite.Connection)
        yield found
        await connection.invalidate()
    await engine.dispose()


async def test_a_close_that_is_cut_short_is_no_error(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = SqlRunStore(url, FakeClock())
    await store.check()
    monkeypatch.setattr(sessions, "CLOSE_LIMIT_S", 0.0)
    await store.close()
    assert caplog.text == ""


async def test_a_connection_that_is_stopped_while_it_closes_is_closed(driver: aiosqlite.Connection) -> None:
    may_go_on = threading.Event()
    await driver.create_function("held", 0, may_go_on.wait)
    query = asyncio.create_task(driver.execute_fetchall("SELECT held()"))
    await asyncio.sleep(0)
    closing = asyncio.create_task(driver.close())
    await asyncio.sleep(0)
    driver.stop()
    may_go_on.set()
    await asyncio.wait_for(closing, ENDS_WITHIN_S)
    await query
