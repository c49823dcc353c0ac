"""Two servers of one installation: each shows, streams, edits and stops the runs of the other as its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from scale_app.domain.errors import GeneratorFailed, PlanError, RunNotActive, RunStillActive, TooManyRuns
from scale_app.domain.events import Numbered, SnapshotTaken
from scale_app.domain.plan import LoadPlan, PlanEdit
from scale_app.domain.record import ALL_RUNS
from scale_app.domain.snapshot import RunState
from scale_app.replica_ports import LEASE_S
from scale_app.service.ownership import LOOK_EVERY_S
from tests.fakes import FakeNotifier
from tests.unit.service.harness import Harness, settled
from tests.unit.service.test_ownership import LATE_S, passes


@pytest.fixture
async def owner() -> AsyncIterator[Harness]:
    built = Harness(alone=False)
    await built.hub.open()
    yield built
    await built.close()


@pytest.fixture
async def other(owner: Harness) -> AsyncIterator[Harness]:
    built = Harness(alone=False, store=owner.store, clock=owner.clock, beside=owner)
    await built.hub.open()
    await settled()
    yield built
    await built.close()


async def running(owner: Harness, seconds: int = 2) -> str:
    """A run of the owner with so many seconds, which the other server has found."""
    run_id = await owner.started()
    await traffic(owner, 1, seconds)
    await passes(owner, 1.0)
    await in_threads()
    return run_id


async def traffic(owner: Harness, first: int, last: int) -> None:
    for second in range(first, last + 1):
        owner.load.traffic(float(second), a=60 * second, b=40 * second)
        await settled()


async def in_threads() -> None:
    """Let what was given to a thread come back."""
    for _ in range(20):
        await asyncio.sleep(0.005)
        await settled()


async def test_a_run_of_another_server_is_shown_as_it_is_there(owner: Harness, other: Harness) -> None:
    run_id = await running(owner)
    await traffic(owner, 4, 6)
    here, there = await other.hub.run(run_id), await owner.hub.run(run_id)
    assert here.last == there.last
    assert here.state is RunState.RUNNING
    assert await other.hub.history(run_id) == await owner.hub.history(run_id)
    assert await other.hub.happenings(run_id) == await owner.hub.happenings(run_id)
    assert [run.run_id for run in other.hub.active()] == [run_id]
    assert [run.run_id for run in await other.hub.runs()] == [run_id]
    assert await other.hub.pod_spans(run_id) == await owner.hub.pod_spans(run_id)
    assert other.hub.own_active() == []


async def collected(hub_of: Harness, run_id: str, after: int | None = None) -> list[Numbered]:
    async with hub_of.hub.follow(run_id, after) as followed:
        return [numbered async for numbered in followed.updates]


async def test_viewers_at_both_get_the_same_to_the_end(owner: Harness, other: Harness) -> None:
    run_id = await running(owner)
    seen = (await owner.hub.run(run_id)).last
    assert seen is not None
    watching = [asyncio.create_task(collected(each, run_id, seen.seq)) for each in (owner, other)]
    await settled()
    await traffic(owner, 4, 7)
    owner.load.end(7.5)
    await passes(owner, LATE_S)
    await in_threads()
    at_owner, at_other = [await each for each in watching]
    assert at_other == at_owner
    assert isinstance(at_other[-1].event, SnapshotTaken)
    assert at_other[-1].event.snapshot.state is RunState.FINISHED
    assert [numbered.seq for numbered in at_other] == list(range(seen.seq + 1, at_other[-1].seq + 1))
    assert (await other.hub.run(run_id)).state is RunState.FINISHED
    assert other.hub.in_memory(ALL_RUNS) == []


async def test_a_viewer_who_comes_before_the_run_is_found_here_misses_nothing(owner: Harness, other: Harness) -> None:
    stores = owner.store.hold_appends()
    run_id = await owner.started()
    watching = asyncio.create_task(collected(other, run_id))
    await settled()
    stores.set()
    await traffic(owner, 1, 2)
    await passes(owner, 1.0)
    await in_threads()
    owner.load.end(2.5)
    await passes(owner, LATE_S)
    await in_threads()
    happened = [numbered for numbered in await watching if not isinstance(numbered.event, SnapshotTaken)]
    assert happened == await owner.hub.happenings(run_id)


async def test_a_run_that_ends_before_it_is_found_here_ends_for_a_viewer_too(owner: Harness, other: Harness) -> None:
    stores = owner.store.hold_appends()
    run_id = await owner.started()
    watching = asyncio.create_task(collected(other, run_id))
    await settled()
    stores.set()
    owner.load.end(0.1)
    await settled()
    await passes(owner, LATE_S)
    await in_threads()
    happened = [numbered for numbered in await watching if not isinstance(numbered.event, SnapshotTaken)]
    assert happened == await owner.hub.happenings(run_id)


async def test_an_edit_goes_to_the_owner_and_comes_back_with_its_plan(owner: Harness, other: Harness) -> None:
    run_id = await running(owner)
    edited = await other.hub.edit(run_id, PlanEdit(users=33))
    assert [edit.users for edit in owner.load.edits] == [33]
    assert edited.plan.users == 33
    await passes(owner, 1.0)
    assert (await other.hub.run(run_id)).plan.users == 33


async def test_an_edit_that_the_owner_refuses_is_refused_as_there(owner: Harness, other: Harness) -> None:
    run_id = await running(owner)
    with pytest.raises(PlanError) as there:
        await owner.hub.edit(run_id, PlanEdit(users=501))
    with pytest.raises(PlanError) as here:
        await other.hub.edit(run_id, PlanEdit(users=501))
    assert str(here.value) == str(there.value)
    owner.load.refuses = GeneratorFailed("It takes no edit.")
    with pytest.raises(GeneratorFailed, match="It takes no edit"):
        await other.hub.edit(run_id, PlanEdit(users=3))


async def test_a_stop_goes_to_the_owner(owner: Harness, other: Harness) -> None:
    run_id = await running(owner)
    await other.hub.stop(run_id)
    assert owner.load.stopped
    with pytest.raises(RunNotActive):
        await other.hub.stop(run_id)
    owner.load.end(3.0)
    await passes(owner, LATE_S)
    await in_threads()
    with pytest.raises(RunNotActive, match="already stopped"):
        await other.hub.stop(run_id)


async def test_a_run_of_another_server_is_not_deleted_while_it_sends_load(owner: Harness, other: Harness) -> None:
    run_id = await running(owner)
    with pytest.raises(RunStillActive):
        await other.hub.delete(run_id)


async def test_the_most_runs_are_those_of_all_servers(owner: Harness, other: Harness) -> None:
    await running(owner)
    await other.started()
    with pytest.raises(TooManyRuns):
        await other.hub.start(LoadPlan())


async def test_a_message_on_a_run_is_sent_by_its_server_alone() -> None:
    at_owner, at_other = FakeNotifier(), FakeNotifier()
    owner = Harness(alone=False, notifiers=(at_owner,))
    other = Harness(alone=False, store=owner.store, clock=owner.clock, beside=owner, notifiers=(at_other,))
    for each in (owner, other):
        await each.hub.open()
    run_id = await running(owner, 0)
    for second in range(2, 9):
        owner.load.traffic(float(second), a=second * 500, b=second * 100)
        await settled()
    seen = (await other.hub.run(run_id)).last
    assert seen is not None
    assert len(seen.alerts) > 0
    await passes(owner, LATE_S)
    assert len(at_owner.sent) > 0
    assert at_other.sent == []
    for each in (other, owner):
        await each.close()


async def test_viewers_elsewhere_are_told_when_the_owner_is_gone(owner: Harness, other: Harness) -> None:
    run_id = await running(owner)
    watching = asyncio.create_task(collected(other, run_id))
    await settled()
    owner.clock.advance(LEASE_S)
    taken = await owner.leases.claim(f"run {run_id}", "third")
    assert taken is not None
    await owner.store.mark_interrupted("gone", only=[run_id])
    await passes(owner, LATE_S)
    await in_threads()
    (last,) = (await watching)[-1:]
    assert replace(await other.hub.run(run_id), last=None).message == "gone"
    assert getattr(last.event, "state", None) is RunState.INTERRUPTED


async def test_viewers_elsewhere_are_told_in_the_moment_in_which_a_run_is_interrupted(
    owner: Harness, other: Harness
) -> None:
    third = Harness(alone=False, store=owner.store, clock=owner.clock, beside=owner)
    await third.hub.open()
    run_id = await running(owner)
    watching = asyncio.create_task(collected(other, run_id))
    await settled()
    await owner.hub._tasks.end()  # as a process that is killed
    while (await owner.store.run(run_id)).state.active:
        await passes(owner, LOOK_EVERY_S)
    await in_threads()
    assert getattr((await watching)[-1].event, "state", None) is RunState.INTERRUPTED
    assert (await third.hub.run(run_id)).state is RunState.INTERRUPTED
    await third.close()
