"""Storing never holds up the living: what happens is told first, and stored when the database takes it."""

from __future__ import annotations

import asyncio
import gc
import logging
from dataclasses import replace
from itertools import pairwise

import pytest

from scale_app.domain.compare import compare
from scale_app.domain.errors import RunNotFound, RunStillActive, StoreUnavailable
from scale_app.domain.events import Event, SnapshotTaken, StateChanged
from scale_app.domain.gate import Gate
from scale_app.domain.gating import gated
from scale_app.domain.plan import LoadPlan
from scale_app.domain.record import RunFilter, outline_of
from scale_app.domain.recording import replayed
from scale_app.domain.samples import TrafficSample
from scale_app.domain.snapshot import RunState
from scale_app.service.backlog import BATCH_LINES
from scale_app.service.hub import LAST_WRITES_S
from tests.fakes import FakeNotifier, a_snapshot
from tests.recorded import lines_of
from tests.unit.service.harness import Harness, settled

AWAY = StoreUnavailable("Storing the events failed on postgresql://x: Connection refused. Start it.")


def seconds(events: list[Event]) -> list[float]:
    return [event.elapsed_s for event in events if isinstance(event, SnapshotTaken)]


@pytest.mark.parametrize("hangs", [False, True])
async def test_viewers_see_each_second_while_nothing_can_be_stored(harness: Harness, hangs: bool) -> None:
    run_id = await harness.started()
    gate = harness.store.hold_appends() if hangs else asyncio.Event()
    harness.store.broken = None if hangs else AWAY
    async with harness.hub.subscribe(run_id) as events:
        for second in (1, 2, 3):
            harness.load.traffic(second, a=5 * second, b=5 * second)
            await settled()
            _, seen = await asyncio.wait_for(anext(events), 1)
            assert seen.elapsed_s == second
    assert harness.hub.storing.waiting_lines > 0
    gate.set()
    await harness.database_is_back()
    await settled()
    assert seconds(await harness.store.events(run_id)) == [1, 2, 3]


async def test_a_run_starts_ends_and_frees_its_slot_while_the_database_is_away(harness: Harness) -> None:
    harness.store.broken = AWAY
    first = await harness.started()
    harness.load.traffic(1, a=5, b=5)
    harness.load.end(2)
    await settled()
    assert harness.load.killed
    assert harness.hub.active() == []
    record = await harness.hub.run(first)
    assert record.state is RunState.FINISHED
    assert len(await harness.hub.history(first)) == 2
    for _ in range(harness.max_runs):
        await harness.started()
    await harness.database_is_back()
    assert replace(record, not_stored="") == await harness.store.run(first)


async def test_every_reading_of_an_ended_run_that_waits_says_how_it_ended(harness: Harness) -> None:
    earlier = await harness.started()
    harness.load.traffic(1, a=5, b=5)
    harness.load.end(2)
    await settled()
    harness.clock.advance(10)
    await harness.hub.mark_baseline(earlier, "main")
    run_id = await harness.started(LoadPlan(gate=Gate(baseline="main")))
    harness.store.hold_appends()
    harness.load.traffic(1, a=5, b=5)
    harness.load.end(2)
    await settled()
    assert (await harness.store.run(run_id)).state is not RunState.FINISHED
    record = await harness.hub.run(run_id)
    assert (record.state, record.last and record.last.elapsed_s) == (RunState.FINISHED, 2.0)
    listed = [
        await harness.hub.runs(1),
        harness.hub.in_memory(),
        await harness.hub.runs(5, 0, RunFilter(state=record.state)),
    ]
    assert [runs[0] for runs in listed] == [outline_of(record)] * 3
    whole = await harness.hub.whole(run_id, recording=True, pods=True)
    assert (whole.record, len(whole.points), len(whole.recording)) == (record, 2, 6)
    assert (whole.baseline and whole.baseline.run_id, sum(map(sum, whole.pods.requests))) == (earlier, 10)
    assert await harness.hub.gate(run_id) == gated(record, whole.baseline)
    assert await harness.hub.compare(earlier, run_id) == compare(await harness.hub.run(earlier), record)
    assert (await harness.hub.plans_of([run_id]))[run_id] == record.plan
    async with harness.hub.follow(run_id, after=0) as followed:
        assert followed.record == record
        last = [numbered.event async for numbered in followed.updates][-1]
    assert isinstance(last, SnapshotTaken)
    assert last.snapshot == record.last


async def test_the_end_of_a_run_is_when_it_ended_not_when_that_was_stored(harness: Harness) -> None:
    run_id = await harness.started()
    harness.store.broken = AWAY
    harness.load.traffic(1, a=5, b=5)
    harness.load.end(2)
    await settled()
    ended_at_s = harness.clock.epoch_s()
    harness.clock.advance(600)
    await harness.database_is_back()
    assert (await harness.store.run(run_id)).ended_at_epoch_s == ended_at_s


async def test_no_run_begins_while_very_many_wait(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scale_app.service.writer.MOST_WAITING_RUNS", 3)
    harness.store.broken = AWAY
    for _ in range(3):
        await harness.started()
        harness.load.end(2)
        await settled()
    with pytest.raises(StoreUnavailable, match=r"3 runs already wait to be stored.*Connection refused"):
        await harness.hub.start(LoadPlan())
    await harness.database_is_back()
    await harness.started()


async def test_an_ended_run_that_waits_keeps_at_most_the_newest_of_its_samples_in_memory(harness: Harness) -> None:
    harness.store.broken = AWAY
    gc.collect()
    gc.freeze()  # what other tests left need not be looked through, again and again
    try:
        await harness.started()
        for second in range(1, 30):
            harness.load.traffic(second, a=5 * second, only_here=5 * second)
            await settled()
        harness.load.end(30)
        await settled()
        await harness.naps.end()
        async with asyncio.timeout(60):
            while sum(isinstance(kept, TrafficSample) and "only_here" in kept.pods for kept in gc.get_objects()) > 1:
                await asyncio.sleep(0)
    finally:
        gc.unfreeze()
    assert harness.hub.storing.waiting_lines > 60


async def test_what_waits_is_stored_in_order_and_once_whatever_fails_in_between(harness: Harness) -> None:
    run_id = await harness.started()
    for second in range(1, 3 * BATCH_LINES):
        harness.store.broken = AWAY if second % 3 else None
        harness.load.traffic(second, a=5 * second, b=5 * second)
        await harness.naps.end()
    harness.load.end(3 * BATCH_LINES)
    await harness.database_is_back()
    stored = await harness.store.events(run_id)
    assert seconds(stored) == [float(second) for second in range(1, 3 * BATCH_LINES + 1)]
    assert [event.snapshot.seq for event in stored if isinstance(event, SnapshotTaken)] == [
        at for at, event in enumerate(stored) if isinstance(event, SnapshotTaken)
    ]
    samples_and_ticks = 2 * (3 * BATCH_LINES - 1)
    assert len(await lines_of(harness.store, run_id)) == samples_and_ticks + 4  # how it began, ready, the pods, the end


async def test_tries_come_less_often_the_longer_it_takes(harness: Harness) -> None:
    harness.store.broken = AWAY
    await harness.started()
    for _ in range(5):
        harness.load.traffic(1, a=5)  # a new line does not hurry it
        await harness.naps.end()
    assert harness.naps.asked_s == [0.5, 1.0, 2.0, 5.0, 5.0, 5.0]


async def test_what_is_not_stored_yet_is_said_until_it_is(harness: Harness, caplog: pytest.LogCaptureFixture) -> None:
    run_id = await harness.started()
    assert (harness.hub.storing.problem, (await harness.hub.run(run_id)).not_stored) == ("", "")
    harness.store.broken = AWAY
    harness.load.traffic(1, a=5)
    await settled()
    now = harness.hub.storing
    assert now.problem == f"Not stored yet; runs continue. {AWAY}"
    assert (now.waiting_runs, now.waiting_lines) == (1, 3)  # of it the snapshot, of its recording sample and tick
    assert (await harness.hub.run(run_id)).not_stored == now.problem
    with pytest.raises(StoreUnavailable, match="Not stored yet"):
        await harness.hub.check()
    await harness.database_is_back()
    assert (harness.hub.storing.problem, harness.hub.storing.waiting_lines) == ("", 0)
    await harness.hub.check()
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [record.getMessage() for record in errors if "not stored yet" in record.getMessage()] != []
    assert "the waiting data is stored" in caplog.text


async def test_a_database_that_does_not_answer_is_told_of_before_it_has_refused(harness: Harness) -> None:
    run_id = await harness.started()
    gate = harness.store.hold_appends()
    harness.load.traffic(1, a=5)
    await settled()
    assert harness.hub.storing.problem == ""
    harness.clock.advance(3)
    assert "has not answered" in harness.hub.storing.problem
    assert "has not answered" in (await harness.hub.run(run_id)).not_stored
    gate.set()
    await settled()
    assert harness.hub.storing.problem == ""


async def test_a_long_outage_is_logged_each_minute_and_not_each_try(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    harness.store.broken = AWAY
    await harness.started()
    for _ in range(60):
        harness.clock.advance(5)
        await harness.naps.end()
    assert sum("not stored yet" in record.getMessage() for record in caplog.records) == 6


async def test_an_ended_run_that_is_not_stored_yet_is_listed_where_it_belongs(harness: Harness) -> None:
    runs = []
    for number in range(4):
        harness.clock.advance(10)
        runs.append(await harness.started(LoadPlan(target_url=f"http://x/{number}")))
        if number == 2:
            harness.store.hold_appends()
        harness.load.traffic(1, a=5, b=5)
        harness.load.end(2)
        await settled()
    newest_first = runs[::-1]
    finished = RunFilter(state=RunState.FINISHED)
    assert await harness.hub.count(finished) == 4
    for limit, offset in ((10, 0), (1, 0), (1, 1), (2, 1), (2, 2), (1, 3), (2, 3), (2, 4)):
        page = [run.run_id for run in await harness.hub.runs(limit, offset, finished)]
        assert page == newest_first[offset : offset + limit]
    assert await harness.hub.runs(10, 0, RunFilter(state=RunState.RUNNING)) == []


async def test_an_ended_run_that_is_not_stored_yet_can_be_deleted(harness: Harness) -> None:
    run_id = await harness.started()
    gate = harness.store.hold_appends()
    with pytest.raises(RunStillActive):
        await harness.hub.delete(run_id)
    harness.load.end(2)
    await settled()
    deleted = asyncio.create_task(harness.hub.delete(run_id))
    await settled()
    gate.set()
    await deleted
    await settled()
    for store in (harness.hub, harness.store):
        with pytest.raises(RunNotFound):
            await store.run(run_id)
    assert harness.hub.storing.waiting_lines == 0


async def test_a_run_that_cannot_be_deleted_now_is_still_there(harness: Harness) -> None:
    run_id = await harness.started()
    harness.store.broken = AWAY
    harness.load.traffic(1, a=5, b=5)
    harness.load.end(2)
    await settled()
    with pytest.raises(StoreUnavailable):
        await harness.hub.delete(run_id)
    await harness.database_is_back()
    assert (await harness.store.run(run_id)).state is RunState.FINISHED


async def test_a_run_of_which_nothing_was_stored_can_be_deleted_once_the_database_is_back(harness: Harness) -> None:
    harness.store.broken = AWAY
    run_id = await harness.started()
    harness.load.end(2)
    await settled()
    harness.store.broken = None
    await harness.hub.delete(run_id)
    await harness.naps.end()
    with pytest.raises(RunNotFound):
        await harness.hub.run(run_id)
    assert await harness.store.runs(10, 0) == []


async def test_a_run_that_is_not_stored_yet_cannot_be_a_baseline_yet(harness: Harness) -> None:
    run_id = await harness.started()
    harness.store.broken = AWAY
    harness.load.end(2)
    await settled()
    with pytest.raises(StoreUnavailable, match="still being stored"):
        await harness.hub.mark_baseline(run_id, "main")
    await harness.database_is_back()
    await harness.hub.mark_baseline(run_id, "main")


async def test_a_run_that_was_deleted_from_outside_goes_on(harness: Harness, caplog: pytest.LogCaptureFixture) -> None:
    run_id = await harness.started()
    await harness.store.delete(run_id)
    harness.load.traffic(1, a=5, b=5)
    harness.load.end(2)
    await settled()
    assert "was deleted elsewhere" in caplog.text
    assert harness.hub.storing.waiting_lines == 0
    with pytest.raises(RunNotFound):
        await harness.hub.run(run_id)


async def test_a_line_that_nobody_can_store_costs_only_itself(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    run_id = await harness.started()
    harness.store.broken = AWAY
    for second in (1, 2, 3):
        harness.load.traffic(second, a=5 * second, b=5 * second)
        await settled()
    refused = (await harness.hub.run(run_id)).last
    assert refused is not None
    harness.store.refused = [SnapshotTaken(3.0, refused)]
    harness.load.end(4)
    await settled()
    await harness.database_is_back()
    assert seconds(await harness.store.events(run_id)) == [1, 2, 4]
    assert "cannot be stored and was dropped" in caplog.text


async def test_a_run_that_the_store_refuses_does_not_hold_up_another(harness: Harness) -> None:
    first = await harness.started()
    second = await harness.started()
    real = harness.store.append

    async def refuses_the_first(run_id: str, *more: object) -> None:
        if run_id == first:
            raise AWAY
        await real(run_id, *more)  # type: ignore[arg-type]

    harness.store.append = refuses_the_first  # type: ignore[method-assign]
    for load in harness.generator.loads:
        load.traffic(1, a=5, b=5)
    await settled()
    await harness.naps.end()
    assert seconds(await harness.store.events(second)) == [1]
    assert (await harness.hub.run(second)).not_stored == ""
    assert (await harness.hub.run(first)).not_stored != ""
    harness.store.append = real  # type: ignore[method-assign]


async def test_a_run_is_exported_whole_whatever_of_it_is_stored(harness: Harness) -> None:
    run_id = await harness.started()
    harness.store.broken = AWAY
    for second in range(1, 20):
        harness.load.traffic(second, a=5 * second, b=5 * second)
        await settled()
    harness.store.broken = None  # it is back, and the next try is still to come
    whole = await harness.hub.whole(run_id, recording=True)
    assert len(harness.store.recordings_of(run_id)) == 3
    assert len(whole.recording) == 3 + 19 * 2  # each second has a sample of the load and a tick
    assert len(replayed(whole).points) == 19


async def test_when_there_is_no_more_room_a_thinned_history_and_the_beginning_of_the_recording_stay(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("scale_app.service.writer.MOST_WAITING_BYTES", 100_000)
    run_id = await harness.started(LoadPlan(duration_s=400))
    harness.store.broken = AWAY
    for second in range(1, 301):
        harness.load.traffic(second, a=5 * second, b=5 * second)
        await settled()
        assert harness.hub.storing.waiting_bytes < 102_000
    harness.load.end(301)
    await settled()
    assert caplog.text.count("there is no space for more waiting data") == 1
    assert "were dropped because there was no space" in harness.hub.storing.problem
    await harness.database_is_back()
    events = await harness.store.events(run_id)
    kept = seconds(events)
    assert 40 < len(kept) < 301
    assert kept[-1] == 301
    assert max(later - earlier for earlier, later in pairwise(kept)) < 40
    assert [event.state for event in events if isinstance(event, StateChanged)] == [
        RunState.RUNNING,
        RunState.FINISHED,
    ]
    recording = harness.store.recordings_of(run_id)
    assert sorted(recording) == list(range(len(recording)))
    whole = await harness.hub.whole(run_id, recording=True)
    assert len(replayed(whole).points) <= len(whole.recording)
    async with harness.hub.follow(run_id, after=0) as followed:
        assert [each async for each in followed.updates][-1].seq == (whole.record.last or a_snapshot()).seq


async def test_at_the_end_of_the_process_what_waits_is_tried_again(harness: Harness) -> None:
    run_id = await harness.started()
    harness.store.broken = AWAY
    harness.load.traffic(1, a=5, b=5)
    harness.load.end(2)
    await settled()
    harness.store.broken = None
    await harness.hub.close()
    assert (await harness.store.run(run_id)).state is RunState.FINISHED


async def test_what_is_lost_at_the_end_of_the_process_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("scale_app.service.hub.LAST_WRITES_S", 0.05)
    harness = Harness()
    run_id = await harness.started()
    harness.store.hold_appends()
    for second in (1, 2):
        harness.load.traffic(second, a=5 * second, b=5 * second)
        await settled()
    await harness.hub.close()
    assert harness.store.closed
    assert harness.load.killed
    assert f"run {run_id}: the server ends before everything was stored; 2 lines of its history" in caplog.text
    assert LAST_WRITES_S < 10


async def test_alerts_go_out_while_nothing_can_be_stored() -> None:
    harness, notifier = Harness(), FakeNotifier()
    told = replace(harness.adapters, notifiers=(notifier,))
    harness.hub = type(harness.hub)(told, harness.access, harness.hub.limits, 2, sleep=harness.naps)
    await harness.hub.open()
    await harness.started(LoadPlan(alert_rule="score"))
    harness.store.hold_appends()
    for second in range(1, 40):
        harness.load.traffic(second, a=100 * second, b=10 * second)
        await settled()
    assert [notice.title for notice in notifier.sent if "alert" in notice.title] != []
    await harness.close()
