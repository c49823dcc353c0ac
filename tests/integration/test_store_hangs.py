"""A database that does not answer: every call ends in time with a sentence, and nothing of it is in the way later."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from scale_app.adapters.store import SqlRunStore, migrate
from scale_app.adapters.store.database import in_transactions, open_engine
from scale_app.domain.errors import StoreUnavailable
from scale_app.domain.events import SnapshotTaken, StateChanged
from scale_app.domain.plan import LoadPlan
from scale_app.domain.record import RunRecord, SavedPlan
from scale_app.domain.snapshot import RunState, Source
from tests.fakes import FakeClock, a_snapshot
from tests.postgres import Postgres, postgres_here

RUN = RunRecord("run-1", LoadPlan(), Source.DEMO, RunState.RUNNING, 1.0)
DATABASES = itertools.count()
LIMIT_S = 9.0
"""For a person who waits; the loads and the end of the process do not wait for any of these."""
CALLS: dict[str, Callable[[SqlRunStore], Awaitable[object]]] = {
    "check": lambda store: store.check(),
    "list": lambda store: store.runs(10, 0),
    "count": lambda store: store.count(),
    "run": lambda store: store.run("run-1"),
    "plans": lambda store: store.plans(),
    "save": lambda store: store.save_plan(SavedPlan("a", LoadPlan(), 1.0)),
    "append": lambda store: store.append("run-1", 1, [SnapshotTaken(1.0, a_snapshot())]),
}


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with postgres_here() as server:
        yield server


@pytest.fixture
async def url(postgres: Postgres) -> str:
    return await postgres.create_database(f"hangs{next(DATABASES)}")


@pytest.fixture
async def store(url: str) -> AsyncIterator[SqlRunStore]:
    await migrate(url)
    kept = SqlRunStore(url, FakeClock())
    await kept.create(RUN)
    await asyncio.gather(*(kept.runs(1, 0) for _ in range(8)))  # connections that lie ready
    yield kept
    await kept.close()


async def refused(call: Awaitable[object]) -> tuple[float, str]:
    """How long it took until the call was refused, and the sentence."""
    began_s = time.monotonic()
    with pytest.raises(StoreUnavailable) as unavailable:
        await call
    return time.monotonic() - began_s, str(unavailable.value)


async def test_every_call_to_a_stopped_server_ends_with_a_sentence_however_many_there_are(
    store: SqlRunStore, postgres: Postgres
) -> None:
    with postgres.stopped():
        refusals = await asyncio.gather(*(refused(call(store)) for call in [*CALLS.values()] * 6))
    assert max(took_s for took_s, _ in refusals) < LIMIT_S
    assert [told for _, told in refusals if "no answer in time. Check that the database runs" not in told] == []
    for call in CALLS.values():
        await call(store)


async def test_a_server_that_stands_still_in_the_middle_of_a_write_holds_no_other_one_back(
    store: SqlRunStore, url: str
) -> None:
    engine = in_transactions(open_engine(url, autocommit=True))
    still = await engine.connect()
    await still.execute(text("UPDATE runs SET state = 'failed'"))
    try:
        await store.append("run-1", 0, [StateChanged(1.0, RunState.STOPPING)])
        assert (await store.run("run-1")).state == RunState.STOPPING
    finally:
        with suppress(DBAPIError):  # PostgreSQL has ended it
            await still.close()
        await engine.dispose()


async def test_a_write_that_was_given_up_is_repeated_and_kept_once(store: SqlRunStore, postgres: Postgres) -> None:
    events = [StateChanged(1.0, RunState.STOPPING), SnapshotTaken(1.0, a_snapshot(seq=1))]
    end = [StateChanged(2.0, RunState.STOPPED)]
    with postgres.stopped():
        await refused(store.append("run-1", 0, events))
    await store.append("run-1", 0, events)
    await store.append("run-1", 2, end)
    assert await store.events("run-1") == [*events, *end]
    assert (await store.run("run-1")).state is RunState.STOPPED


async def test_the_database_is_let_go_of_in_time_while_it_hangs(store: SqlRunStore, postgres: Postgres) -> None:
    with postgres.stopped():
        began_s = time.monotonic()
        await store.close()
        assert time.monotonic() - began_s < 4


async def test_a_locked_file_is_read_at_once_and_refuses_to_be_written_in_time(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/scale.db"
    await migrate(url)
    store = SqlRunStore(url, FakeClock())
    await store.create(RUN)
    other = sqlite3.connect(tmp_path / "scale.db", isolation_level=None)
    try:
        other.execute("BEGIN EXCLUSIVE")
        began_s = time.monotonic()
        assert len(await store.runs(10, 0)) == 1
        await store.check()
        assert time.monotonic() - began_s < 3
        took_s, sentence = await refused(CALLS["append"](store))
        assert took_s < LIMIT_S
        assert "database is locked. End the other process" in sentence
        other.execute("ROLLBACK")
        await CALLS["append"](store)
    finally:
        other.close()
        await store.close()
