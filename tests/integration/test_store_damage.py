"""One row that cannot be read is that row's problem: it is shown as far as it can be, and can be deleted."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from scale_app.adapters.store import SqlRunStore, migrate
from scale_app.adapters.store.tables import EventRow, LastRow, PlanRow, RecordedRow, RunRow
from scale_app.api.v1.shapes import RunSummary, summary_of
from scale_app.codec import from_wire, to_json
from scale_app.domain.errors import RunNotFound
from scale_app.domain.events import PodChanged, SnapshotTaken, StateChanged
from scale_app.domain.plan import LoadPlan
from scale_app.domain.record import RunFilter, RunOutline, RunRecord, SavedPlan
from scale_app.domain.recording import Began, WholeRun, replayed
from scale_app.domain.samples import LoadReady, PodCount, TrafficSample
from scale_app.domain.snapshot import RunState, Source
from scale_app.service.run_control import LiveRuns
from scale_app.service.run_queries import RunQueries
from scale_app.service.writer import Writer
from scale_app.views import format as shown_as
from scale_app.views.presenting import run_row, run_view
from tests.fakes import FakeClock, a_snapshot
from tests.recorded import lines_of

PLAN = LoadPlan("http://shop.example/", users=7, duration_s=30)
SHOTS = [SnapshotTaken(float(n), a_snapshot("bad", seq=n)) for n in range(1, 4)]
EVENTS = [StateChanged(0.0, RunState.RUNNING), *SHOTS, PodChanged(3.5, "pod-0", "left")]
END = StateChanged(4.0, RunState.FINISHED)
RECORDING = [
    Began(PLAN, Source.DEMO, 0.0),
    LoadReady(0.0),
    *[TrafficSample(float(n), 5, requests=9 * n, pods={"a": PodCount(9 * n, n)}) for n in range(1, 4)],
]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlRunStore]:
    """Two ended runs, "bad" and then "good", and two saved plans of these names."""
    url = f"sqlite+aiosqlite:///{tmp_path}/scale.db"
    await migrate(url)
    kept = SqlRunStore(url, FakeClock())
    for at_s, name in enumerate(("bad", "good"), 100):
        await kept.create(RunRecord(name, PLAN, Source.DEMO, RunState.RUNNING, float(at_s)))
        await kept.append(name, 0, [*EVENTS, END])
        await kept.record(name, 0, RECORDING)
        await kept.save_plan(SavedPlan(name, PLAN, 1.0))
    yield kept
    await kept.close()


@pytest.fixture
def damaged(tmp_path: Path, store: SqlRunStore) -> Iterator[sqlite3.Connection]:
    """What the store keeps, to be damaged behind its back."""
    with closing(sqlite3.connect(tmp_path / "scale.db", isolation_level=None)) as connection:
        yield connection


DAMAGES = {
    "a field of another version": "UPDATE runs SET plan_json = '{\"new\": 1,' || substr(plan_json, 2) WHERE id = 'bad'",
    "a plan of another version": "UPDATE runs SET plan_json = '{\"users\": -3}' WHERE id = 'bad'",
    "a plan that is garbage": "UPDATE runs SET plan_json = 'x{' WHERE id = 'bad'",
    "a plan that is no text": "UPDATE runs SET plan_json = CAST(x'fffe' AS TEXT) WHERE id = 'bad'",
    "a snapshot of another version": "UPDATE run_lasts SET body = x'789c' WHERE run_id = 'bad'",
    "a snapshot that is gone": "UPDATE run_lasts SET body = x'' WHERE run_id = 'bad'",
    "a state of another version": "UPDATE runs SET state = 'paused' WHERE id = 'bad'",
    "a source of another version": "UPDATE runs SET source = 'ebpf' WHERE id = 'bad'",
    "a verdict of another version": "UPDATE runs SET verdict = 'odd' WHERE id = 'bad'",
    "a message that is no text": "UPDATE runs SET message = CAST(x'ff' AS TEXT) WHERE id = 'bad'",
    "a time that is none": "UPDATE runs SET created_at_epoch_s = 'noon' WHERE id = 'bad'",
}
HARMLESS = ("a field of another version", "a verdict of another version", "a message that is no text")
"""Damages that the record itself does not show: it has the snapshot's own verdict, and a message of question marks."""


@pytest.mark.parametrize("name", DAMAGES)
async def test_a_damaged_run_is_shown_as_such_and_can_be_deleted_and_others_are_not_concerned(
    store: SqlRunStore, damaged: sqlite3.Connection, name: str
) -> None:
    good = await store.run("good")
    damaged.execute(DAMAGES[name])

    record = await store.run("bad")
    listed = {run.run_id: run for run in await store.runs(10, 0)}
    assert set(listed) == {"bad", "good"}
    assert await store.count() == 2
    if name not in HARMLESS:
        assert "of run bad cannot be read" in record.unreadable
        assert listed["bad"].unreadable == record.unreadable
    assert record.plan_known is ("a plan" not in name or "of run bad" not in record.unreadable)
    assert (record.run_id, record.plan.target_url, record.plan.users) == ("bad", "http://shop.example/", 7)
    assert not record.state.active
    assert (await store.run("good"), listed["good"].unreadable) == (good, "")
    assert "good" in await store.plans_of(["bad", "good"])
    assert len(await store.points("bad")) == 3

    await store.delete("bad")
    with pytest.raises(RunNotFound):
        await store.run("bad")
    assert [run.run_id for run in await store.runs(10, 0)] == ["good"]


SPOILT = {"a text": "x", "a huge number": 1e300, "nothing": None, "bytes": b"\xff", "less than nothing": -1}
TABLES = (EventRow, RecordedRow, LastRow, PlanRow)
COLUMNS = [(str(table.__tablename__), column) for table in TABLES for column in table.model_fields]
TEXTS = ("message", "experiment_of", "target_url", "baseline", "started_by")
MAY_BE_NONE = ("ended_at_epoch_s", "score", "grade", "p95_ms", "seen_at_epoch_s")
NOT_LISTED = ("plan_json", "packed", "lease_number")


def spoil(damaged: sqlite3.Connection, table: str, column: str, kind: str, where: str) -> bool:
    """Put there what cannot be read; False where SQLite itself does not take it."""
    try:
        damaged.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", [SPOILT[kind]])
    except sqlite3.IntegrityError:
        return False
    return True


def may_be(column: str, kind: str) -> bool:
    """Is that, as SQLite keeps it, a value that a list may find in this column of `runs`?"""
    fits = (column in TEXTS and kind != "bytes") or (column in MAY_BE_NONE and kind == "nothing")
    return fits or column in NOT_LISTED


@pytest.mark.parametrize("kind", SPOILT)
@pytest.mark.parametrize("column", [column for column in RunRow.model_fields if column != "id"])
async def test_a_value_that_a_column_cannot_have_is_that_runs_problem(
    store: SqlRunStore, damaged: sqlite3.Connection, column: str, kind: str
) -> None:
    (good,) = [run for run in await store.runs(10, 0) if run.run_id == "good"]
    if not spoil(damaged, "runs", column, kind, "id = 'bad'"):
        return
    listed = {run.run_id: run for run in await store.runs(10, 0)}
    assert listed["good"] == good
    assert bool(listed["bad"].unreadable) is not may_be(column, kind)
    for shown in listed.values():
        to_wire_as_listed(shown)
    assert (await store.run("bad")).run_id == "bad"
    damaged.execute("UPDATE runs SET state = 'running'")
    assert set(await store.mark_interrupted("The server ended.")) == {"bad", "good"}
    assert len(await store.oldest(10)) + (column == "baseline") == 2
    await Writer(store, FakeClock()).delete("bad")
    assert [run.run_id for run in await store.runs(10, 0)] == ["good"]


def to_wire_as_listed(run: RunOutline) -> None:
    """As the API, the command line and the page do; all of them raise or warn for what is no value of its kind."""
    summary = summary_of(run)
    assert from_wire(RunSummary, json.loads(to_json(summary))) == summary
    assert run_row(run).run_id == run.run_id
    shown_as.moment(run.created_at_epoch_s)


@pytest.mark.parametrize("kind", SPOILT)
@pytest.mark.parametrize(("table", "column"), COLUMNS)
async def test_a_value_that_a_column_cannot_have_hides_no_other_run_and_no_other_plan(
    store: SqlRunStore, damaged: sqlite3.Connection, table: str, column: str, kind: str
) -> None:
    damaged.execute("PRAGMA foreign_keys = OFF")
    one = {"saved_plans": "name = 'bad'", "run_lasts": "run_id = 'bad'"}.get(table, "run_id = 'bad' AND seq = 2")
    if not spoil(damaged, table, column, kind, one):
        return
    for run_id in ("bad", "good"):
        assert (await store.run(run_id)).run_id == run_id
        assert len(await store.points(run_id)) >= 2
        assert END in [each.event for each in await store.happenings(run_id)]
        assert len(await store.events(run_id)) >= 2
        assert await store.pod_counts(run_id, 60)
        assert len(await lines_of(store, run_id)) >= 2
    assert "good" in [plan.name for plan in await store.plans()]
    damaged.execute("UPDATE runs SET state = 'running'")
    assert set(await store.mark_interrupted("The server ended.")) == {"bad", "good"}
    await store.delete("bad")


async def test_a_value_that_was_put_right_is_not_told_any_more(store: SqlRunStore, damaged: sqlite3.Connection) -> None:
    damaged.execute("UPDATE runs SET score = 'x', grade = 'Z' WHERE id = 'bad'")
    (told,) = [run for run in await store.runs(10, 0) if run.run_id == "bad"]
    assert told.unreadable.startswith("The score and the grade of run bad cannot be read")
    assert told.headline
    assert (told.headline.score, told.headline.requests) == (None, SHOTS[-1].snapshot.requests)
    damaged.execute("UPDATE runs SET score = 0.5, grade = 'D' WHERE id = 'bad'")
    (told,) = [run for run in await store.runs(10, 0) if run.run_id == "bad"]
    assert (told.unreadable, told.headline and told.headline.score) == ("", 0.5)


async def test_a_list_tells_of_a_plan_that_was_found_damaged(store: SqlRunStore, damaged: sqlite3.Connection) -> None:
    damaged.execute(DAMAGES["a plan that is garbage"])
    assert set(await store.plans_of(["bad", "good"])) == {"good"}
    assert [bool(run.unreadable) for run in await store.runs(10, 0, RunFilter(target="shop"))] == [False, True]


@pytest.mark.parametrize("body", ["x", "{}", '{"elapsed_s": 1.0, "state": "odd"}'])
async def test_a_damaged_event_hides_no_other(store: SqlRunStore, damaged: sqlite3.Connection, body: str) -> None:
    damaged.execute("UPDATE run_events SET body_json = ? WHERE run_id = 'bad' AND seq = 0", [body])
    damaged.execute("UPDATE run_events SET kind = 'odd' WHERE run_id = 'bad' AND seq = 4")
    assert [(each.seq, each.event) for each in await store.happenings("bad")] == [(5, END)]
    assert END in await store.events("bad")


async def test_a_damaged_second_hides_no_other(store: SqlRunStore, damaged: sqlite3.Connection) -> None:
    damaged.execute(
        "UPDATE run_events SET point_json = '{', pods = x'00', body = x'00' WHERE run_id = 'bad' AND seq = 2"
    )
    assert [point.elapsed_s for point in await store.points("bad")] == [1.0, 3.0]
    assert [counts.elapsed_s for counts in await store.pod_counts("bad", 60)] == [1.0, 3.0]
    assert await store.events("bad") == [event for event in await store.events("bad") if event != SHOTS[1]]
    assert (await store.run("bad")).unreadable.startswith(
        "1 second, 1 moment of the pods and 1 event of run bad cannot be read: stored by another version of Scale"
    )
    listed = {run.run_id: run.unreadable for run in await store.runs(10, 0)}
    assert listed == {"bad": (await store.run("bad")).unreadable, "good": ""}


async def test_a_damaged_part_is_logged_once_and_forgotten_once_it_can_be_read(
    store: SqlRunStore, damaged: sqlite3.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    damaged.execute("UPDATE runs SET state = 'odd' WHERE id = 'bad'")
    damaged.execute("UPDATE run_events SET point_json = '{' || point_json WHERE run_id = 'bad'")
    damaged.execute("UPDATE saved_plans SET plan_json = '[]' WHERE name = 'bad'")
    for _ in range(3):
        await store.points("bad")
        await store.run("bad")
        await store.runs(10, 0)
        await store.plans()
    logged = [record.getMessage().partition(" cannot")[0] for record in caplog.records]
    assert logged == ["3 seconds of run bad", "the state of run bad", "the text of saved plan 'bad'"]
    damaged.execute("UPDATE run_events SET point_json = substr(point_json, 2) WHERE run_id = 'bad'")
    damaged.execute("UPDATE runs SET state = 'finished' WHERE id = 'bad'")
    assert len(await store.points("bad")) == 3
    assert (await store.run("bad")).unreadable == ""


async def test_a_damaged_line_cuts_a_recording_there(store: SqlRunStore, damaged: sqlite3.Connection) -> None:
    damaged.execute("UPDATE run_recordings SET body = x'00' WHERE run_id = 'bad' AND seq = 4")
    lines = await lines_of(store, "bad")
    assert lines == RECORDING[:4]
    assert len(replayed(WholeRun(await store.run("bad"), recording=tuple(lines))).points) == 2
    assert await lines_of(store, "good") == RECORDING
    assert "The recording from line 4 on of run bad cannot be read" in (await store.run("bad")).unreadable
    assert (await store.run("good")).unreadable == ""


async def test_who_opens_exports_or_replays_a_run_is_told_of_a_second_that_cannot_be_read(
    store: SqlRunStore, damaged: sqlite3.Connection
) -> None:
    damaged.execute("UPDATE run_events SET point_json = '{' WHERE run_id = 'bad' AND seq = 2")
    clock = FakeClock()
    queries = RunQueries(store, LiveRuns(store, clock), clock)
    for run_id, told in (("bad", "1 second of run bad cannot be read"), ("good", "")):
        whole = await queries.whole(run_id, recording=True)
        assert told in whole.record.unreadable
        assert told in run_view(whole.record, whole.points).message
        assert bool(whole.record.unreadable) is bool(told)
        assert replayed(whole).record.unreadable == whole.record.unreadable


async def test_a_damaged_plan_hides_no_other_and_can_be_deleted(
    store: SqlRunStore, damaged: sqlite3.Connection
) -> None:
    damaged.execute("UPDATE saved_plans SET plan_json = '[]' WHERE name = 'bad'")
    bad, good = await store.plans()
    assert (good.plan, good.unreadable) == (PLAN, "")
    assert "saved plan 'bad' cannot be read" in bad.unreadable
    await store.delete_plan("bad")
    assert await store.plans() == [good]


async def test_what_a_damaged_database_left_running_is_interrupted_all_the_same(
    store: SqlRunStore, damaged: sqlite3.Connection
) -> None:
    damaged.execute("UPDATE runs SET state = 'running'")
    damaged.execute(DAMAGES["a plan that is garbage"])
    damaged.execute("UPDATE run_lasts SET body = x'00'")
    assert await store.mark_interrupted("The server ended.") == ["bad", "good"]
