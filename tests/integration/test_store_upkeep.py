"""A database stays small while it is in use: older runs are made small, and room is given back to the disk."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from scale_app.adapters.store import SqlRunStore, migrate, shrinking, upkeep
from scale_app.domain.events import SnapshotTaken
from scale_app.domain.plan import LoadPlan
from scale_app.domain.record import RunRecord
from scale_app.domain.snapshot import RunState, Source
from tests.fakes import FakeClock, a_snapshot
from tests.old_databases import old_database
from tests.recorded import lines_of

MANY = range(10**6, 10**6 + 1_000)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlRunStore]:
    await migrate(url := f"sqlite+aiosqlite:///{tmp_path}/scale.db")
    opened = SqlRunStore(url, FakeClock())
    yield opened
    await opened.close()


async def tidied(store: SqlRunStore) -> int:
    """How many steps it took."""
    steps = 0
    while await store.tidy():
        steps += 1
        assert steps < 1_000
    return steps


async def kept(store: SqlRunStore, run_id: str, seconds: int) -> None:
    await store.create(RunRecord(run_id, LoadPlan(), Source.DEMO, RunState.RUNNING, 1.0))
    shot = replace(a_snapshot(run_id, requests=MANY), state=RunState.FINISHED)
    await store.append(run_id, 0, [SnapshotTaken(float(n), shot) for n in range(seconds)])


async def everything(store: SqlRunStore, run_id: str) -> tuple[object, ...]:
    return (
        await store.run(run_id),
        await store.points(run_id),
        await store.happenings(run_id),
        await lines_of(store, run_id),
        await store.pod_counts(run_id, 240),
    )


def test_a_new_file_can_become_smaller(tmp_path: Path) -> None:
    asyncio.run(migrate(f"sqlite+aiosqlite:///{tmp_path}/scale.db"))
    assert pragma(tmp_path, "auto_vacuum") == 2


async def test_a_file_of_an_older_version_can_become_smaller_too(tmp_path: Path) -> None:
    url = old_database("0004", tmp_path / "scale.db")
    assert pragma(tmp_path, "auto_vacuum") == 0
    await migrate(url)
    assert pragma(tmp_path, "auto_vacuum") == 2


@pytest.mark.parametrize(("name", "value"), [("MOST_BYTES", 1_000), ("SPACE_NEEDED", 1e12)])
async def test_a_start_does_not_wait_for_a_large_file_or_one_without_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str, value: float
) -> None:
    url = old_database("0004", tmp_path / "scale.db")
    monkeypatch.setattr(shrinking, name, value)
    await migrate(url)
    assert pragma(tmp_path, "auto_vacuum") == 0
    assert "keeps its size for now" in caplog.text
    store = SqlRunStore(url, FakeClock())
    assert await tidied(store) > 0
    await store.close()


async def test_runs_of_an_older_version_are_made_small_and_lose_nothing_that_is_read(tmp_path: Path) -> None:
    await migrate(url := old_database("0004", tmp_path / "scale.db"))
    store = SqlRunStore(url, FakeClock())
    await store.mark_interrupted("It was killed.")
    before = {run.run_id: await everything(store, run.run_id) for run in await store.runs(10, 0)}
    size = await store.size_bytes()

    assert await tidied(store) > 5

    assert {run.run_id: await everything(store, run.run_id) for run in await store.runs(10, 0)} == before
    assert await store.size_bytes() < 0.6 * size
    whole = [event.elapsed_s for event in await store.events("uneven") if isinstance(event, SnapshotTaken)]
    assert len(whole) < len(await store.points("uneven"))
    assert await tidied(store) == 0
    await store.close()


async def test_an_event_of_an_older_version_that_cannot_be_read_does_not_hold_up_the_others(tmp_path: Path) -> None:
    url = old_database("0004", tmp_path / "scale.db")
    with sqlite3.connect(tmp_path / "scale.db") as connection:
        connection.execute("UPDATE run_events SET body_json = '{broken' WHERE run_id = 'uneven' AND seq = 3")
        connection.execute("UPDATE run_events SET kind = 'of the future' WHERE run_id = 'even' AND seq = 3")
        connection.execute("UPDATE runs SET last_json = '[{', plan_json = 'null' WHERE id = 'cut'")
        connection.execute('UPDATE runs SET last_json = \'{"balance": 3, "requests": "x"}\' WHERE id = \'failed\'')
    connection.close()
    await migrate(url)
    store = SqlRunStore(url, FakeClock())
    await tidied(store)
    assert await store.count() == 4
    with sqlite3.connect(tmp_path / "scale.db") as connection:
        left = connection.execute("SELECT run_id, seq FROM run_events WHERE kind = 'snapshot' AND body_json != ''")
        # That of the run which still goes on waits until it is marked as interrupted.
        assert {row for row in left if row[0] != "cut"} == {("uneven", 3)}
    connection.close()
    await store.close()


async def test_the_room_of_a_deleted_run_is_given_back_to_the_disk(
    store: SqlRunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "FREE_PAGES", 10)
    monkeypatch.setattr(upkeep, "PAGES_AT_ONCE", 100)
    for number in range(4):
        await kept(store, f"run-{number}", 30)
    checkpoint(tmp_path)
    full, used = (tmp_path / "scale.db").stat().st_size, await store.size_bytes()
    for number in range(3):
        await store.delete(f"run-{number}")
    assert await store.size_bytes() < used / 3
    assert await tidied(store) > 3
    checkpoint(tmp_path)
    assert (tmp_path / "scale.db").stat().st_size < full / 3
    assert len(await store.points("run-3")) == 30


async def test_writers_go_on_while_a_large_run_is_deleted(store: SqlRunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "DELETED_AT_ONCE", 1)
    await kept(store, "old", 120)
    await store.create(RunRecord("new", LoadPlan(), Source.DEMO, RunState.RUNNING, 2.0))
    deleting = asyncio.create_task(store.delete("old"))
    seconds = 0
    while not deleting.done():
        await store.append("new", seconds, [SnapshotTaken(float(seconds), a_snapshot("new", seq=seconds))])
        seconds += 1
    await deleting
    assert seconds > 1
    assert len(await store.points("new")) == seconds


def pragma(folder: Path, name: str) -> int:
    connection = sqlite3.connect(folder / "scale.db")
    try:
        return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
    finally:
        connection.close()


def checkpoint(folder: Path) -> None:
    connection = sqlite3.connect(folder / "scale.db")
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    connection.close()
