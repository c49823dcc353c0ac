"""What older versions kept is readable by this one, on SQLite and on PostgreSQL."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import text

from scale_app.adapters.store import SqlAccessStore, SqlRunStore, migrate
from scale_app.adapters.store.database import open_engine
from scale_app.adapters.store.rows import KINDS
from scale_app.adapters.store.tables import migration_config
from scale_app.codec import from_json
from scale_app.domain.events import Event, SnapshotTaken
from scale_app.domain.pod_history import PodHistory
from scale_app.domain.record import RunFilter, outline_of
from scale_app.domain.recording import WholeRun, pods_of, replayed
from scale_app.domain.snapshot import Point, RunState
from scale_app.domain.verdict import VerdictKind
from tests.fakes import FakeClock
from tests.old_databases import old_database
from tests.postgres import postgres_here
from tests.recorded import lines_of

TABLES = ("runs", "run_events", "run_recordings", "saved_plans")


@pytest.fixture(params=["sqlite", "postgres"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """A database as the version with the tables 0004 left it."""
    old = old_database("0004", tmp_path / "scale.db")
    if request.param == "sqlite":
        yield old
        return
    with postgres_here() as server:
        new = await server.create_database("old")
        await _fill(new, tmp_path / "scale.db")
        yield new


@pytest.fixture
async def store(url: str) -> AsyncIterator[SqlRunStore]:
    await migrate(url)
    opened = SqlRunStore(url, FakeClock())
    yield opened
    await opened.close()


async def test_the_list_says_of_older_runs_what_it_says_of_new_ones(store: SqlRunStore) -> None:
    listed = await store.runs(10, 0)
    assert [run.run_id for run in listed] == ["cut", "failed", "even", "uneven"]
    assert listed == [outline_of(await store.run(run.run_id)) for run in listed]
    assert await store.runs(1, 0, RunFilter(verdict=VerdictKind.EVEN, experiment_of="uneven")) == [listed[2]]
    assert [run.headline is None for run in listed] == [False, True, False, False]
    assert (listed[3].users, listed[3].duration_s, listed[3].baseline) == (60, 12.0, "main")


@pytest.mark.parametrize("run_id", ["uneven", "even", "failed", "cut"])
async def test_an_older_run_is_opened_with_all_that_was_kept_of_it(
    store: SqlRunStore, run_id: str, tmp_path: Path
) -> None:
    kept = await whole(store, run_id)
    then, points = events_in(tmp_path, run_id)
    shots = [event.snapshot for event in then if isinstance(event, SnapshotTaken)]
    assert kept.record.last == (shots[-1] if shots else None)
    assert kept.points == points
    assert kept.happened == tuple(event for event in then if not isinstance(event, SnapshotTaken))
    assert kept.pods == pods_of(then)


@pytest.mark.parametrize("run_id", ["uneven", "even"])
async def test_an_older_run_can_be_judged_again(store: SqlRunStore, run_id: str) -> None:
    kept = await whole(store, run_id)
    again = replayed(kept)
    assert len(again.points) == len(kept.points)
    assert kept.record.last is not None
    assert again.record.last is not None
    assert again.record.last.requests == kept.record.last.requests


async def test_a_run_that_was_going_on_is_interrupted_at_its_last_second(store: SqlRunStore) -> None:
    assert await store.mark_interrupted("It was killed.") == ["cut"]
    cut = await store.run("cut")
    assert cut.last is not None
    assert (cut.state, cut.ended_at_epoch_s) == (RunState.INTERRUPTED, cut.last.at_epoch_s)
    kept = [event for event in await store.events("cut") if isinstance(event, SnapshotTaken)]
    assert len(kept) == len(await store.points("cut"))


async def test_saved_plans_are_there_and_older_runs_can_be_deleted(store: SqlRunStore) -> None:
    assert [saved.name for saved in await store.plans()] == ["nightly"]
    await store.delete("uneven")
    assert await store.events("uneven") == []
    assert await lines_of(store, "uneven") == []
    assert await store.count() == 3


async def test_a_database_of_0005_opens_and_nobody_is_said_to_have_started_its_run(tmp_path: Path) -> None:
    url = old_database("0005", tmp_path / "newer.db")
    await migrate(url)
    store, access = SqlRunStore(url, FakeClock()), SqlAccessStore(url)
    (run,) = await store.runs(9, 0)
    assert (run.baseline, run.started_by, run.headline and run.headline.requests) == ("main", "", 686)
    assert [(saved.name, saved.saved_by) for saved in await store.plans()] == [("nightly", "")]
    assert (await access.tokens(), await access.audit(9, 0)) == ([], [])
    await store.close()
    await access.close()


def events_in(folder: Path, run_id: str) -> tuple[list[Event], tuple[Point, ...]]:
    """What the old version kept, as it kept it: events, and the points that it made of snapshots then."""
    old_database("0004", folder / "then.db")
    with sqlite3.connect(folder / "then.db") as file:
        query = "SELECT kind, body_json, point_json FROM run_events WHERE run_id = ? ORDER BY seq"
        rows = file.execute(query, (run_id,)).fetchall()
    file.close()
    points = tuple(from_json(Point, point) for _, _, point in rows if point is not None)
    return [from_json(KINDS[kind], body) for kind, body, _ in rows], points


async def whole(store: SqlRunStore, run_id: str) -> WholeRun:
    happened = tuple(numbered.event for numbered in await store.happenings(run_id))
    return WholeRun(
        await store.run(run_id),
        tuple(await store.points(run_id)),
        happened,
        tuple(await lines_of(store, run_id)),
        pods=PodHistory(await store.pod_counts(run_id, 240)).times().plain(),
    )


async def _fill(url: str, file: Path) -> None:
    """The rows of the file in a database of the same version."""
    engine = open_engine(url)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(lambda made: command.upgrade(migration_config(made), "0004"))
            with sqlite3.connect(file) as old:
                for table in TABLES:
                    rows = old.execute(f"SELECT * FROM {table}")
                    names = [column[0] for column in rows.description]
                    places = ", ".join(f":{name}" for name in names)
                    insert = text(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({places})")
                    await connection.execute(insert, [dict(zip(names, row, strict=True)) for row in rows])
            old.close()
    finally:
        await engine.dispose()
