"""Every run has one owner: starts, edits, stops, refusals, viewers, and what survives."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from scale_app.domain.cluster import ServiceRef
from scale_app.domain.errors import (
    GeneratorFailed,
    PlanError,
    RunNotActive,
    RunNotFound,
    RunStillActive,
    TargetRefused,
    TargetUnavailable,
    TooManyRuns,
)
from scale_app.domain.events import SnapshotTaken, StateChanged
from scale_app.domain.plan import LoadPlan, PlanEdit
from scale_app.domain.record import RunRecord
from scale_app.domain.samples import PodSeen, PodsSample, Sample
from scale_app.domain.snapshot import RunState, Source
from scale_app.ports import Admitted
from tests.unit.service.house import House, settled


async def test_a_run_starts_is_watched_and_finishes(house: House) -> None:
    run_id = await house.started()
    async with house.hub.subscribe(run_id) as events:
        house.load.traffic(1, a=50, b=50)
        house.load.end(60)
        seen = [event async for _, event in events]
    assert isinstance(seen[-1], SnapshotTaken)
    assert seen[-1].snapshot.state is RunState.FINISHED
    record = await house.hub.run(run_id)
    assert record.state is RunState.FINISHED
    assert record.last == seen[-1].snapshot
    assert house.load.killed


async def test_the_generator_gets_the_plan_as_it_was_asked(house: House) -> None:
    plan = LoadPlan(users=7, spawn_rate=3)
    await house.started(plan)
    assert house.generator.plans == [plan]


async def test_stored_events_are_numbered_without_a_gap(house: House) -> None:
    run_id = await house.started()
    house.load.traffic(1, a=5)
    await settled()
    house.load.traffic(2, a=9)
    await settled()
    house.load.end(3)
    await settled()
    stored = await house.store.events(run_id)
    snapshots = [(at, event.snapshot.seq) for at, event in enumerate(stored) if isinstance(event, SnapshotTaken)]
    assert len(snapshots) >= 3
    assert all(at == seq for at, seq in snapshots)


async def test_a_stop_is_passed_on_and_shown(house: House) -> None:
    run_id = await house.started()
    await house.hub.stop(run_id)
    await settled()
    assert house.load.stopped
    assert (await house.hub.run(run_id)).state is RunState.STOPPING
    house.load.traffic(3, a=5)
    house.load.end(3)
    await settled()
    assert (await house.hub.run(run_id)).state is RunState.STOPPED


async def test_a_second_stop_is_refused_with_the_state(house: House) -> None:
    run_id = await house.started()
    await house.hub.stop(run_id)
    with pytest.raises(RunNotActive, match="stopping already"):
        await house.hub.stop(run_id)
    house.load.end(3)
    await settled()
    with pytest.raises(RunNotActive, match="stopped"):
        await house.hub.stop(run_id)


async def test_a_stop_while_the_generator_starts_is_not_lost(house: House) -> None:
    house.generator.may_start.clear()
    run_id = await house.hub.start(LoadPlan())
    await settled()
    await house.hub.stop(run_id)
    house.generator.may_start.set()
    await settled()
    assert house.load.stopped


async def test_an_edit_reaches_the_load_and_the_plan(house: House) -> None:
    run_id = await house.started()
    await house.hub.edit(run_id, PlanEdit(users=9))
    await settled()
    assert house.load.runs(LoadPlan()) == LoadPlan(users=9)
    assert (await house.hub.run(run_id)).plan.users == 9


@pytest.mark.parametrize("edit", [PlanEdit(users=0), PlanEdit(users=501), PlanEdit(spawn_rate=float("nan"))])
async def test_an_edit_that_cannot_run_changes_nothing(house: House, edit: PlanEdit) -> None:
    run_id = await house.started()
    with pytest.raises(PlanError):
        await house.hub.edit(run_id, edit)
    assert house.load.edits == []


async def test_a_plan_over_the_caps_starts_nothing(house: House) -> None:
    with pytest.raises(PlanError, match="users = 501"):
        await house.hub.start(LoadPlan(users=501))
    assert await house.hub.runs() == []


async def test_a_refused_target_starts_nothing_and_leaves_room(house: House) -> None:
    house.gate.refusal = TargetRefused("Load to http://x/ was refused.")
    for _ in range(house.max_runs + 1):
        with pytest.raises(TargetRefused):
            await house.hub.start(LoadPlan())
    house.gate.refusal = None
    await house.started()


async def test_only_so_many_runs_send_load_at_once(house: House) -> None:
    first = await house.started()
    await house.started()
    with pytest.raises(TooManyRuns, match="2 runs"):
        await house.hub.start(LoadPlan())
    house.generator.loads[0].end(1)
    await settled()
    assert not (await house.hub.run(first)).state.active
    await house.started()


async def test_pressing_start_many_times_at_once_does_not_pass_the_cap(house: House) -> None:
    answers = await asyncio.gather(*[house.hub.start(LoadPlan()) for _ in range(5)], return_exceptions=True)
    assert sum(isinstance(answer, str) for answer in answers) == house.max_runs


async def test_a_generator_that_cannot_start_fails_the_run_with_its_reason(house: House) -> None:
    house.generator.failure = GeneratorFailed("The worker was not ready within 20 s.")
    run_id = await house.hub.start(LoadPlan())
    await settled()
    record = await house.hub.run(run_id)
    assert record.state is RunState.FAILED
    assert record.message == "The worker was not ready within 20 s."


async def test_load_that_is_given_up_is_killed(house: House) -> None:
    run_id = await house.started(LoadPlan(timeout_s=1))
    for second in range(1, 12):
        house.load.traffic(float(second))
    await settled()
    assert (await house.hub.run(run_id)).state is RunState.FAILED
    assert house.load.killed


async def test_unknown_runs_are_not_found(house: House) -> None:
    for call in (house.hub.run, house.hub.stop, house.hub.delete):
        with pytest.raises(RunNotFound, match="no-such-run"):
            await call("no-such-run")
    with pytest.raises(RunNotFound):
        async with house.hub.subscribe("no-such-run"):
            pass


async def test_a_late_viewer_begins_with_the_last_snapshot_and_has_the_history(house: House) -> None:
    run_id = await house.started()
    house.load.traffic(1, a=5, b=5)
    await settled()
    house.load.traffic(2, a=9, b=9)
    await settled()
    async with house.hub.subscribe() as events:
        seen_id, first = await anext(events)
    assert seen_id == run_id
    assert isinstance(first, SnapshotTaken)
    assert first.snapshot.requests == 18
    assert [point.elapsed_s for point in await house.hub.history(run_id)] == [1, 2]


async def test_a_finished_run_is_shown_once_and_ends(house: House) -> None:
    run_id = await house.started()
    house.load.traffic(1, a=5, b=5)
    house.load.end(2)
    await settled()
    async with house.hub.subscribe(run_id) as events:
        seen = [event async for _, event in events]
    assert len(seen) == 1
    assert len(await house.hub.history(run_id)) == 2
    assert [e.state for e in await house.hub.events(run_id) if isinstance(e, StateChanged)] == [
        RunState.RUNNING,
        RunState.FINISHED,
    ]


async def test_a_run_that_sends_load_cannot_be_deleted_and_an_ended_one_can(house: House) -> None:
    run_id = await house.started()
    with pytest.raises(RunStillActive):
        await house.hub.delete(run_id)
    house.load.end(2)
    await settled()
    await house.hub.delete(run_id)
    with pytest.raises(RunNotFound):
        await house.hub.run(run_id)


async def test_closing_the_hub_ends_the_load_and_marks_the_run_interrupted(house: House) -> None:
    run_id = await house.started()
    await house.hub.close()
    assert house.load.killed
    assert (await house.store.run(run_id)).state is RunState.INTERRUPTED


async def test_opening_marks_what_an_earlier_process_left_running() -> None:
    house = House()
    record = RunRecord("old", LoadPlan(), Source.DEMO, RunState.RUNNING, 1.0)
    await house.store.create(record)
    await house.hub.open()
    interrupted = await house.hub.run("old")
    assert interrupted.state is RunState.INTERRUPTED
    assert "server ended" in interrupted.message


class LostDirectory:
    """Sees its pods once, then never again."""

    async def watch(self, target: Admitted) -> AsyncIterator[Sample]:
        yield PodsSample(0.0, (PodSeen("a"), PodSeen("b")))
        raise TargetUnavailable("The cluster took the right away.")


async def test_a_service_is_watched_in_its_cluster_whatever_counts_its_requests(house: House) -> None:
    adapters = house.adapters
    cluster = LostDirectory()
    with_cluster = replace(adapters, cluster_pods=cluster)
    target = Admitted("http://x/", Source.HEADER, ())
    assert with_cluster.directory(target) is adapters.directories[Source.HEADER]
    assert with_cluster.directory(replace(target, service=ServiceRef("shop", "cart"))) is cluster
    assert adapters.directory(replace(target, service=ServiceRef("shop", "cart"))) is None


async def test_pods_that_are_lost_for_good_stay_and_the_run_says_why() -> None:
    house = House(directory=LostDirectory())
    run_id = await house.started()
    house.load.traffic(1, a=5, b=5)
    await settled()
    last = (await house.hub.run(run_id)).last
    assert last is not None
    assert last.pods_problem == "The cluster took the right away."
    assert [pod.name for pod in last.pods] == ["a", "b"]
    house.load.traffic(2, a=9, b=9)
    house.load.end(3)
    await settled()
    assert (await house.hub.run(run_id)).state is RunState.FINISHED
    await house.hub.close()


async def test_a_run_ends_after_it_began_also_when_the_wall_clock_is_set_back(house: House) -> None:
    run_id = await house.started()
    began_s = (await house.hub.run(run_id)).created_at_epoch_s
    house.clock.set_back(600)
    house.clock.advance(20)
    house.load.end(20)
    await settled()
    for record in (await house.hub.run(run_id), await house.store.run(run_id)):
        assert record.ended_at_epoch_s == began_s + 20
        assert record.last is not None
        assert record.last.at_epoch_s == began_s + 20


async def test_a_run_stands_before_the_one_before_it_also_when_the_wall_clock_is_set_back(house: House) -> None:
    first = await house.started()
    house.clock.set_back(60)
    house.clock.advance(1)
    second = await house.started()
    assert [run.run_id for run in house.hub.active()] == [second, first]
    assert [run.run_id for run in await house.hub.runs()] == [second, first]
    for load in house.generator.loads:
        load.end(60)
    await settled()
    assert [run.run_id for run in await house.hub.runs()] == [second, first]


async def test_a_wall_clock_that_was_far_ahead_is_not_followed_for_ever(house: House) -> None:
    await house.started()
    house.clock.set_back(86_400)
    second = await house.started()
    assert (await house.hub.run(second)).created_at_epoch_s == house.clock.epoch_s()


async def test_a_run_until_decided_asks_its_load_to_end_and_finishes(house: House) -> None:
    run_id = await house.started(LoadPlan(duration_s=120, until="decided"))
    house.load.traffic(1, a=50, b=50)
    await settled()
    assert not house.load.stopped
    house.load.traffic(2, a=9_000, b=1_000)
    await settled()
    assert house.load.stopped
    with pytest.raises(RunNotActive, match="decided"):
        await house.hub.edit(run_id, PlanEdit(users=7))
    house.load.traffic(2.4, a=9_100, b=1_100)
    house.load.end(2.5)
    await settled()
    record = await house.hub.run(run_id)
    assert (record.state, record.message) == (RunState.FINISHED, "Decided after 2 s of at most 120 s.")
    assert record.last is not None
    assert record.last.requests == 10_200


async def test_a_load_that_does_not_end_when_it_is_decided_is_put_down(house: House) -> None:
    run_id = await house.started(LoadPlan(duration_s=500, until="decided", timeout_s=1))
    house.load.traffic(2, a=9_000, b=1_000)
    await settled()
    for _ in range(30):
        house.clock.advance(1)
        await settled()
    record = await house.hub.run(run_id)
    assert record.state is RunState.FAILED
    assert "of the decision" in record.message
    assert house.load.killed


async def test_a_run_that_takes_its_time_is_not_ended_when_it_is_decided(house: House) -> None:
    await house.started(LoadPlan(duration_s=120))
    house.load.traffic(2, a=9_000, b=1_000)
    await settled()
    assert not house.load.stopped
