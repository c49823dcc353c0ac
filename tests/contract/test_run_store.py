"""What every RunStore promises, asked of the fake, of SQLite and, where it is installed, of PostgreSQL."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace

import pytest

from scale_app.domain.alert import Alert
from scale_app.domain.cluster import ServiceSettings
from scale_app.domain.errors import LeaseLost, RunNotFound
from scale_app.domain.events import (
    AlertCleared,
    AlertRaised,
    GeneratorNoticed,
    Numbered,
    PlanEdited,
    PodChanged,
    SnapshotTaken,
    StateChanged,
)
from scale_app.domain.histogram import Histogram
from scale_app.domain.plan import LoadPlan
from scale_app.domain.pod_history import counts_of
from scale_app.domain.record import SavedPlan
from scale_app.domain.recording import Began
from scale_app.domain.samples import (
    ConnectionLoads,
    CountsSample,
    LoadEnded,
    LoadReady,
    PlanChanged,
    PodCount,
    PodSeen,
    PodsSample,
    StopAsked,
    TrafficSample,
)
from scale_app.domain.snapshot import RunState, Source, point_of
from scale_app.ports import RunStore
from tests.contract.records import record
from tests.fakes import FakeClock, a_snapshot
from tests.recorded import lines_of


async def test_what_a_run_is_an_experiment_of_is_kept(store: RunStore) -> None:
    await store.create(replace(record(), experiment_of="run-0"))
    assert (await store.run("run-1")).experiment_of == "run-0"


async def test_who_started_a_run_and_who_saved_a_plan_is_kept(store: RunStore) -> None:
    await store.create(replace(record(), started_by="ada@example.org"))
    await store.create(record("run-2"))
    await store.save_plan(SavedPlan("nightly", LoadPlan(), 1.0, saved_by="ada@example.org"))
    assert {run.run_id: run.started_by for run in await store.runs(9, 0)} == {"run-1": "ada@example.org", "run-2": ""}
    assert (await store.run("run-1")).started_by == "ada@example.org"
    assert [saved.saved_by for saved in await store.plans()] == ["ada@example.org"]


async def test_a_new_run_comes_back_as_it_was_kept(store: RunStore) -> None:
    await store.create(record())
    assert await store.run("run-1") == record()
    assert await store.events("run-1") == []


async def test_a_run_that_is_kept_twice_stays_as_it_is(store: RunStore) -> None:
    await store.create(record())
    await store.append("run-1", 0, [StateChanged(0.0, RunState.RUNNING)])
    await store.create(record())
    assert await store.run("run-1") == record(state=RunState.RUNNING)
    assert len(await store.events("run-1")) == 1


async def test_every_kind_of_event_comes_back_in_order_as_it_was(store: RunStore) -> None:
    alert = Alert("verdict", 0.82, 0.95, 'pod-0 gets "twice" its share.', 9.5)
    events = [
        StateChanged(0.0, RunState.RUNNING),
        PodChanged(0.5, "pod-ü", "joined"),
        SnapshotTaken(1.0, a_snapshot(seq=2, requests=(1, 0, 10**12), score=None)),
        AlertRaised(9.5, alert),
        PlanEdited(10.0, LoadPlan(users=20, spawn_rate=0.1)),
        AlertCleared(20.125, alert),
        StateChanged(60.0, RunState.FAILED, "Connecting failed:\x00 it said 'no'."),
    ]
    await store.create(record())
    await store.append("run-1", 0, events[:3])
    await store.append("run-1", 3, events[3:])
    assert await store.events("run-1") == events


async def test_the_pods_counts_of_every_snapshot_are_kept(store: RunStore) -> None:
    snapshots = [a_snapshot(seq=n, requests=range(n, n + 200)) for n in (1, 2, 3)]
    await store.create(record())
    await store.append("run-1", 1, [SnapshotTaken(shot.elapsed_s, shot) for shot in snapshots])
    assert await store.pod_counts("run-1", 10) == [counts_of(shot) for shot in snapshots]


async def test_of_the_snapshots_those_that_tell_most_are_kept_whole(store: RunStore) -> None:
    alert, ended = Alert("verdict", 0.82, 0.95, "Uneven.", 14.0), StateChanged(32.0, RunState.FINISHED)
    shots = {n: SnapshotTaken(float(n), replace(a_snapshot(seq=n), state=RunState.RUNNING)) for n in range(1, 32)}
    last = SnapshotTaken(32.0, replace(a_snapshot(seq=32), state=RunState.FINISHED))
    await store.create(record())
    await store.append("run-1", 0, [*(shots[n] for n in range(1, 14)), AlertRaised(14.0, alert), shots[14]])
    await store.append("run-1", 15, [*(shots[n] for n in range(15, 32)), ended, last])
    await store.append("run-1", 15, [*(shots[n] for n in range(15, 32)), ended, last])
    kept = [event.snapshot.seq for event in await store.events("run-1") if isinstance(event, SnapshotTaken)]
    assert {1, 11, 14, 24, 32} <= set(kept)
    assert kept == sorted(set(kept))
    assert len(await store.points("run-1")) == len(await store.pod_counts("run-1", 99)) == 32
    assert (await store.run("run-1")).last == last.snapshot


async def test_points_and_happenings_are_the_two_halves_of_the_events(store: RunStore) -> None:
    shots = [SnapshotTaken(float(n), a_snapshot(seq=n, requests=(n, 5))) for n in (1, 2)]
    changed = StateChanged(0.0, RunState.RUNNING)
    await store.create(record())
    await store.append("run-1", 0, [changed, *shots])
    assert await store.points("run-1") == [point_of(shot.snapshot) for shot in shots]
    assert await store.happenings("run-1") == [Numbered(0, changed)]


async def test_the_pods_counts_may_be_asked_a_few_times_over_the_run_and_hold_its_newest(store: RunStore) -> None:
    shots = [SnapshotTaken(float(n), a_snapshot(seq=n, requests=(n, 5))) for n in range(1, 10)]
    await store.create(record())
    await store.append("run-1", 0, [StateChanged(0.0, RunState.RUNNING), *shots])
    assert [counts.elapsed_s for counts in await store.pod_counts("run-1", 3)] == [1, 5, 9]
    assert len(await store.pod_counts("run-1", 100)) == 9
    assert await store.pod_counts("no-such-run", 3) == []


async def test_happenings_keep_their_numbers_among_all_events(store: RunStore) -> None:
    left, ended = PodChanged(1.5, "pod-0", "left"), StateChanged(2.0, RunState.FINISHED)
    await store.create(record())
    await store.append("run-1", 0, [SnapshotTaken(1.0, a_snapshot()), left, SnapshotTaken(2.0, a_snapshot()), ended])
    assert await store.happenings("run-1") == [Numbered(1, left), Numbered(3, ended)]


SETTINGS = ServiceSettings(entry="node port", entry_node="n1", leading=("Ingress a: affinity: cookie",), headless=True)
RECORDING = [
    Began(LoadPlan(users=7, headers={"A": "b"}, body="ü"), Source.DEMO, 1_700_000_000.123456),
    PodsSample(0.1, (PodSeen("pod-ü", weight=3.0),), SETTINGS, {"pod-ü": 3}),
    LoadReady(0.25),
    TrafficSample(
        1.1, 7, 12, {"pod-ü": PodCount(9, 1, 2, Histogram({312: 9}))}, loads=ConnectionLoads({4: 2}, {17: 1})
    ),
    PlanChanged(1.5, 9, 5.0),
    StopAsked(1.75),
    CountsSample(1.8, Source.ACCESS_LOG, {"pod-ü": 12}, unread=("a",)),
    CountsSample(1.9, Source.PROXY, {"pod-ü": 12, "b": 3}),
    TrafficSample(
        2.1, 7, 10, {"b": PodCount(1), "pod-ü": PodCount(11, 1, 2, Histogram({300: 1, 312: 10}))}, errors={"503": 1}
    ),
    CountsSample(2.2, Source.ACCESS_LOG, {"b": 1}, since={"b": "0"}),
    TrafficSample(2.3, 7, 12, {"pod-ü": PodCount(12, 1, 2, Histogram({312: 10, 300: 2}))}, loads=ConnectionLoads()),
    LoadEnded(2.5, "It said\x00 'no'."),
]


async def test_a_recording_comes_back_line_by_line_as_it_was(store: RunStore) -> None:
    await store.create(record())
    await store.record("run-1", 0, RECORDING[:3])
    await store.record("run-1", 0, RECORDING[:4])
    await store.record("run-1", 4, RECORDING[4:])
    assert await lines_of(store, "run-1") == RECORDING
    assert [line async for lines in store.recorded("run-1") for line in lines] == RECORDING


async def test_a_recording_ends_before_a_line_that_is_missing(store: RunStore) -> None:
    await store.create(record())
    await store.record("run-1", 0, RECORDING[:2])
    await store.record("run-1", 3, RECORDING[3:])
    assert await lines_of(store, "run-1") == RECORDING[:2]
    assert [line async for lines in store.recorded("run-1") for line in lines] == RECORDING[:2]


async def test_a_deleted_runs_recording_is_gone(store: RunStore) -> None:
    await store.create(record())
    await store.record("run-1", 0, RECORDING)
    await store.delete("run-1")
    assert await lines_of(store, "run-1") == []


async def test_an_edited_plan_is_the_runs_plan(store: RunStore) -> None:
    edited = LoadPlan(users=77, spawn_rate=7.5)
    await store.create(record())
    await store.append("run-1", 0, [PlanEdited(3.0, edited)])
    assert (await store.run("run-1")).plan == edited


async def test_the_summary_follows_the_newest_snapshot_and_state(store: RunStore) -> None:
    await store.create(record())
    newest = a_snapshot(seq=2, requests=(5, 5))
    await store.append("run-1", 0, [StateChanged(0.0, RunState.RUNNING), SnapshotTaken(1.0, a_snapshot(seq=1))])
    await store.append("run-1", 2, [SnapshotTaken(2.0, newest)])
    run = await store.run("run-1")
    assert (run.state, run.last, run.ended_at_epoch_s) == (RunState.RUNNING, newest, None)


@pytest.mark.parametrize("state", [state for state in RunState if not state.active])
async def test_a_terminal_state_ends_the_run_when_it_happened_and_not_when_it_is_kept(
    store: RunStore, clock: FakeClock, state: RunState
) -> None:
    await store.create(record())
    ended_at_s = clock.epoch_s() + 61.5
    clock.advance(600.0)
    await store.append("run-1", 0, [StateChanged(60.0, state, "why")], ended_at_s)
    run = await store.run("run-1")
    assert (run.state, run.message, run.ended_at_epoch_s) == (state, "why", ended_at_s)


async def test_an_end_without_a_time_is_now(store: RunStore, clock: FakeClock) -> None:
    await store.create(record())
    await store.append("run-1", 0, [StateChanged(60.0, RunState.FINISHED)])
    assert (await store.run("run-1")).ended_at_epoch_s == clock.epoch_s()


async def test_events_that_change_no_summary_are_kept_too(store: RunStore) -> None:
    await store.create(record())
    await store.append("run-1", 0, [PodChanged(0.5, "pod-0", "left")])
    assert await store.run("run-1") == record()
    assert await store.events("run-1") == [PodChanged(0.5, "pod-0", "left")]


async def test_appending_nothing_does_nothing(store: RunStore) -> None:
    await store.create(record())
    await store.append("run-1", 0, [])
    assert await store.events("run-1") == []


async def test_an_append_may_be_repeated(store: RunStore) -> None:
    events = [StateChanged(0.0, RunState.RUNNING), SnapshotTaken(1.0, a_snapshot())]
    await store.create(record())
    await store.append("run-1", 0, events[:1])
    await store.append("run-1", 0, events)
    assert await store.events("run-1") == events


async def test_events_of_one_run_are_not_those_of_another(store: RunStore) -> None:
    for run_id in ("a", "b"):
        await store.create(record(run_id))
        await store.append(run_id, 0, [SnapshotTaken(1.0, a_snapshot(run_id))])
    assert await store.events("a") == [SnapshotTaken(1.0, a_snapshot("a"))]


async def test_a_deleted_run_is_gone_with_its_events(store: RunStore) -> None:
    for run_id in ("a", "b"):
        await store.create(record(run_id))
        await store.append(run_id, 0, [StateChanged(0.0, RunState.RUNNING)])
    await store.delete("a")
    assert [run.run_id for run in await store.runs(10, 0)] == ["b"]
    assert await store.events("a") == []
    assert await store.events("b") != []


async def test_the_last_notice_stays_what_is_said_of_a_run_that_ends_without_another(store: RunStore) -> None:
    await store.create(record())
    await store.append("run-1", 0, [StateChanged(0.0, RunState.RUNNING), GeneratorNoticed(3.0, "One process ended.")])
    await store.append("run-1", 2, [StateChanged(60.0, RunState.FINISHED)])
    assert (await store.run("run-1")).message == "One process ended."


@pytest.mark.parametrize("run_id", ["", "no-such", "run-1\x00", "ü" * 300, "'; DROP TABLE runs; --", "\ud800"])
async def test_an_unknown_run_is_not_found(store: RunStore, run_id: str) -> None:
    with pytest.raises(RunNotFound):
        await store.run(run_id)
    with pytest.raises(RunNotFound):
        await store.delete(run_id)
    assert await store.events(run_id) == []


async def test_nothing_can_be_appended_to_an_unknown_run(store: RunStore) -> None:
    with pytest.raises(RunNotFound):
        await store.append("no-such", 0, [StateChanged(0.0, RunState.RUNNING)])
    with pytest.raises(RunNotFound):
        await store.record("no-such", 0, RECORDING[:1])


async def test_active_runs_are_marked_interrupted_at_the_last_known_moment(store: RunStore) -> None:
    for state in RunState:
        await store.create(record(state.value, state=state))
    shot = a_snapshot("running")
    await store.append("running", 4, [SnapshotTaken(7.5, shot)])

    marked = await store.mark_interrupted("The server went away.")

    assert sorted(marked) == ["running", "starting", "stopping"]
    run = await store.run("running")
    assert (run.state, run.message, run.ended_at_epoch_s, run.last) == (
        RunState.INTERRUPTED,
        "The server went away.",
        shot.at_epoch_s,
        shot,
    )
    ended = StateChanged(7.5, RunState.INTERRUPTED, "The server went away.")
    assert await store.events("running") == [SnapshotTaken(7.5, shot), ended]
    # Beyond all that a viewer may have seen before it could be stored.
    assert (await store.happenings("running"))[-1].seq > 50_000
    assert (await store.run("starting")).ended_at_epoch_s == 100.25
    assert (await store.run("finished")).state is RunState.FINISHED


async def test_marking_twice_marks_nothing_more(store: RunStore) -> None:
    await store.create(record())
    assert await store.mark_interrupted("gone") == ["run-1"]
    assert await store.mark_interrupted("gone") == []
    assert len(await store.events("run-1")) == 1


async def test_only_those_that_are_asked_for_are_marked(store: RunStore) -> None:
    for run_id in ("a", "b", "c"):
        await store.create(record(run_id))
    assert sorted(await store.active()) == ["a", "b", "c"]
    assert await store.mark_interrupted("gone", only=["b", "no-such"]) == ["b"]
    assert await store.mark_interrupted("gone", only=[]) == []
    assert sorted(await store.active()) == ["a", "c"]
    assert (await store.run("a")).state is RunState.STARTING


async def test_many_that_mark_at_once_mark_each_run_once(store: RunStore) -> None:
    await store.create(record())
    marked = await asyncio.gather(*(store.mark_interrupted("gone", only=["run-1"]) for _ in range(8)))
    assert [run_id for each in marked for run_id in each] == ["run-1"]
    assert len(await store.events("run-1")) == 1


async def test_the_owner_of_an_interrupted_run_writes_nothing_more(store: RunStore) -> None:
    number = 1_700_000_000_000_000
    await store.create(record(), number)
    await store.create(record("run-2"), number)
    await store.append("run-1", 0, [StateChanged(0.0, RunState.RUNNING)], lease_number=number)
    await store.record("run-1", 0, RECORDING[:1], lease_number=number)
    await store.mark_interrupted("gone", only=["run-1"])
    kept = await store.events("run-1")

    await store.create(record(), number)
    with pytest.raises(LeaseLost, match="'run run-1'"):
        await store.append("run-1", 1, [StateChanged(1.0, RunState.FINISHED)], lease_number=number)
    with pytest.raises(LeaseLost, match="'run run-1'"):
        await store.record("run-1", 1, RECORDING[1:2], lease_number=number)

    assert (await store.events("run-1"), (await store.run("run-1")).state) == (kept, RunState.INTERRUPTED)
    assert len([line async for lines in store.recorded("run-1") for line in lines]) == 1
    await store.append("run-2", 0, [StateChanged(0.0, RunState.RUNNING)], lease_number=number)


async def test_nobody_else_writes_a_run(store: RunStore) -> None:
    await store.create(record(), 7)
    for number in (6, 8):
        with pytest.raises(LeaseLost):
            await store.append("run-1", 0, [StateChanged(0.0, RunState.RUNNING)], lease_number=number)
    assert await store.events("run-1") == []


async def test_odd_numbers_survive(store: RunStore) -> None:
    odd = 0.1 + 0.2
    await store.create(record(at_s=odd))
    await store.append("run-1", 0, [PlanEdited(math.nextafter(odd, 1), LoadPlan(spawn_rate=odd))])
    assert (await store.run("run-1")).created_at_epoch_s == odd
    assert await store.events("run-1") == [PlanEdited(math.nextafter(odd, 1), LoadPlan(spawn_rate=odd))]
