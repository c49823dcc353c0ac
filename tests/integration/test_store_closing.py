"""Letting go of a SQLite file that takes its time, as on a slow disk: nothing hangs, and nothing is said of it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import aiosqlite
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from scale_app.adapters.store import SqlRunStore, database, migrate
from scale_app.adapters.store.database import open_engine
from tests.fakes import FakeClock

ENDS_WITHIN_S = 10.0


@pytest.fixture
async def url(tmp_path: Path) -> str:
    url = f"sqlite+aiosqlite:///{tmp_path}/scale.db"
    await migrate(url)
    return url


async def driver_of(opened: AsyncConnection) -> aiosqlite.Connection:
    """The driver's own connection."""
    found = (await opened.get_raw_connection()).driver_connection
    assert isinstance(found, aiosqlite.Connection)
    return found


@asynccontextmanager
async def held(driver: aiosqlite.Connection) -> AsyncIterator[threading.Event]:
    """A connection whose thread is busy until the event is set, at the latest when the block ends or after a while."""
    may_go_on = threading.Event()
    await driver.create_function("held", 0, partial(may_go_on.wait, ENDS_WITHIN_S))
    query = asyncio.create_task(driver.execute_fetchall("SELECT held()"))
    await asyncio.sleep(0)
    yield may_go_on
    may_go_on.set()
    await query


async def test_a_close_that_is_cut_short_is_no_error(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = SqlRunStore(url, FakeClock())
    await store.check()
    monkeypatch.setattr(database, "CLOSE_LIMIT_S", 0.0)
    await store.close()
    left_behind = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*left_behind, return_exceptions=True)  # as at the end of asyncio.run
    assert caplog.text == ""


async def test_a_file_that_hangs_is_let_go_of_all_the_same(url: str) -> None:
    store = SqlRunStore(url, FakeClock())
    async with store._reading("Reading") as session:
        driver = await driver_of(await session.connection())
    began_s = time.monotonic()
    async with held(driver):
        await store.close()
        assert time.monotonic() - began_s < ENDS_WITHIN_S


async def test_a_connection_that_is_stopped_while_it_closes_is_closed(url: str) -> None:
    engine = open_engine(url)
    async with engine.connect() as opened:
        driver = await driver_of(opened)
        async with held(driver) as may_go_on:
            closing = asyncio.create_task(driver.close())
            await asyncio.sleep(0)
            driver.stop()
            may_go_on.set()
            await asyncio.wait_for(closing, ENDS_WITHIN_S)
        await opened.invalidate()
    await engine.dispose()
