"""Which run a page shows, and events in batches."""

import asyncio
from contextlib import aclosing

import pytest

from scale_app.domain.events import PlanEdited, SnapshotTaken, StateChanged
from scale_app.domain.plan import LoadPlan
from scale_app.domain.snapshot import RunState
from scale_app.ui.shown.viewers import Following, paced
from tests.unit.ui.samples import record, snapshot


@pytest.fixture
def following():
    page = Following()
    page.show(record(), [], [])
    return page


def taken(seq, elapsed_s, **more):
    return SnapshotTaken(elapsed_s, snapshot(seq=seq, elapsed_s=elapsed_s, **more))


def test_each_second_becomes_a_point(following):
    for second in (1, 2, 3):
        following.take(taken(second, float(second)))
    assert [point.elapsed_s for point in following.points] == [1, 2, 3]
    assert following.record.last.elapsed_s == 3


def test_a_snapshot_that_came_with_the_history_is_not_drawn_twice(following):
    following.take(taken(5, 5.0))
    following.take(taken(5, 5.0))
    assert len(following.points) == 1


def test_an_older_snapshot_does_not_turn_time_back(following):
    following.take(taken(5, 5.0))
    following.take(taken(4, 4.0))
    assert following.record.last.seq == 5


def test_the_last_snapshot_of_an_interrupted_run_does_not_bring_it_back_to_life():
    page = Following()
    last = taken(5, 5.0, state=RunState.RUNNING)
    page.show(record(last.snapshot, RunState.INTERRUPTED), [], [])
    page.take(last)
    assert page.record.state is RunState.INTERRUPTED


def test_a_failure_brings_its_message(following):
    following.take(StateChanged(2.0, RunState.FAILED, "The target refused."))
    assert (following.record.state, following.record.message) == (RunState.FAILED, "The target refused.")


def test_an_edit_by_another_face_changes_the_plan(following):
    following.take(PlanEdited(2.0, LoadPlan(users=250, spawn_rate=20.0)))
    assert (following.record.plan.users, following.record.plan.spawn_rate) == (250, 20.0)


def test_an_event_that_came_with_the_history_is_told_once(following):
    change = StateChanged(0.0, RunState.RUNNING)
    following.take(change)
    following.take(change)
    assert following.happened == [change]


def test_an_active_run_is_not_pushed_aside_by_another(following):
    assert not following.gives_way_to("r2", wanted="")


def test_the_run_that_this_tab_started_comes_forward(following):
    assert following.gives_way_to("r2", wanted="r2")


def test_an_ended_run_gives_way_to_a_new_one(following):
    following.take(StateChanged(2.0, RunState.FINISHED))
    assert following.gives_way_to("r2", wanted="")


def test_a_page_without_a_run_takes_the_first():
    assert Following().gives_way_to("r1", wanted="")


async def of(*items):
    for item in items:
        yield item


async def test_all_that_waits_comes_as_one_batch():
    assert [batch async for batch in paced(of(1, 2, 3), gap_s=0, idle_s=5)] == [[1, 2, 3]]


async def test_it_ends_with_its_source():
    assert [batch async for batch in paced(of(), gap_s=0, idle_s=5)] == []


async def test_an_idle_source_gives_empty_batches_and_is_not_disturbed():
    go = asyncio.Event()

    async def late():
        await go.wait()
        yield "late"

    batches = []
    async for batch in paced(late(), gap_s=0, idle_s=0.01):
        batches.append(batch)
        go.set()
    assert batches[0] == []
    assert batches[-1] == ["late"]


async def test_leaving_early_cancels_the_wait_for_the_next_item():
    cancelled = asyncio.Event()

    async def endless():
        yield 1
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with aclosing(paced(endless(), gap_s=0, idle_s=5)) as batches:
        assert await anext(batches) == [1]
    await asyncio.wait_for(cancelled.wait(), 5)
