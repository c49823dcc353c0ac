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
    ServerEnding,
    TargetRefused,
    TargetUnavailable,
    TooManyRuns,
)
from scale_app.domain.events import SnapshotTaken, StateChanged
from scale_app.domain.identity import CALLER, Caller, Principal, Role, SignIn
from scale_app.domain.plan import LoadPlan, PlanEdit
from scale_app.domain.record import RunRecord
from scale_app.domain.samples import PodSeen, PodsSample, Sample
from scale_app.domain.snapshot import RunState, Source
from scale_app.ports import Admitted
from tests.unit.service.harness import Harness, settled


async def test_a_run_starts_is_watched_and_finishes(harness: Harness) -> None:
    run_id = await harness.started()
    async with harness.hub.subscribe(run_id) as events:
        harness.load.traffic(1, a=50, b=50)
        harness.load.end(60)
        seen = [event async for _, event in events]
    assert isinstance(seen[-1], SnapshotTaken)
    assert seen[-1].snapshot.state is RunState.FINISHED
    record = await harness.hub.run(run_id)
    assert record.state is RunState.FINISHED
    assert record.last == seen[-1].snapshot
    assert harness.load.killed


async def test_the_generator_gets_the_plan_as_it_was_asked(harness: Harness) -> None:
    plan = LoadPlan(users=7, spawn_rate=3)
    await harness.started(plan)
    assert harness.generator.plans == [plan]


async def test_stored_events_are_numbered_without_a_gap(harness: Harness) -> None:
    run_id = await harness.started()
    harness.load.traffic(1, a=5)
    await settled()
    harness.load.traffic(2, a=9)
    await settled()
    harness.load.end(3)
    await settled()
    stored = await harness.store.events(run_id)
    snapshots = [(at, event.snapshot.seq) for at, event in enumerate(stored) if isinstance(event, SnapshotTaken)]
    assert len(snapshots) >= 3
    assert all(at == seq for at, seq in snapshots)


async def test_a_stop_is_passed_on_and_shown(harness: Harness) -> None:
    run_id = await harness.started()
    await harness.hub.stop(run_id)
    await settled()
    assert harness.load.stopped
    assert (await harness.hub.run(run_id)).state is RunState.STOPPING
    harness.load.traffic(3, a=5)
    harness.load.end(3)
    await settled()
    assert (await harness.hub.run(run_id)).state is RunState.STOPPED


async def test_a_second_stop_is_refused_with_the_state(harness: Harness) -> None:
    run_id = await harness.started()
    await harness.hub.stop(run_id)
    with pytest.raises(RunNotActive, match="stopping already"):
        await harness.hub.stop(run_id)
    harness.load.end(3)
    await settled()
    with pytest.raises(RunNotActive, match="stopped"):
        await harness.hub.stop(run_id)


async def test_a_stop_while_the_generator_starts_is_not_lost(harness: Harness) -> None:
    harness.generator.may_start.clear()
    run_id = await harness.hub.start(LoadPlan())
    await settled()
    await harness.hub.stop(run_id)
    harness.generator.may_start.set()
    await settled()
    assert harness.load.stopped


async def test_an_edit_reaches_the_load_and_the_plan(harness: Harness) -> None:
    run_id = await harness.started()
    await harness.hub.edit(run_id, PlanEdit(users=9))
    await settled()
    assert harness.load.runs(LoadPlan()) == LoadPlan(users=9)
    assert (await harness.hub.run(run_id)).plan.users == 9


@pytest.mark.parametrize("edit", [PlanEdit(users=0), PlanEdit(users=501), PlanEdit(spawn_rate=float("nan"))])
async def test_an_edit_that_cannot_run_changes_nothing(harness: Harness, edit: PlanEdit) -> None:
    run_id = await harness.started()
    with pytest.raises(PlanError):
        await harness.hub.edit(run_id, edit)
    assert harness.load.edits == []


async def test_a_plan_over_the_caps_starts_nothing(harness: Harness) -> None:
    with pytest.raises(PlanError, match="users = 501"):
        await harness.hub.start(LoadPlan(users=501))
    assert await harness.hub.runs() == []


async def test_a_refused_target_starts_nothing_and_leaves_room(harness: Harness) -> None:
    harness.gate.refusal = TargetRefused("Load to http://x/ was refused.")
    for _ in range(harness.max_runs + 1):
        with pytest.raises(TargetRefused):
            await harness.hub.start(LoadPlan())
    harness.gate.refusal = None
    await harness.started()


async def test_only_so_many_runs_send_load_at_once(harness: Harness) -> None:
    first = await harness.started()
    await harness.started()
    with pytest.raises(TooManyRuns, match="2 runs"):
        await harness.hub.start(LoadPlan())
    harness.generator.loads[0].end(1)
    await settled()
    assert not (await harness.hub.run(first)).state.active
    await harness.started()


async def test_a_server_that_drains_begins_no_run_and_waits_until_its_own_have_ended_and_are_stored(
    harness: Harness,
) -> None:
    run_id = await harness.started()
    draining = asyncio.ensure_future(harness.hub.drain())
    await settled()
    with pytest.raises(ServerEnding, match="begins no more runs"):
        await harness.hub.start(LoadPlan())
    with pytest.raises(ServerEnding):
        await harness.hub.check()
    await harness.hub.edit(run_id, PlanEdit(users=9))
    harness.clock.advance(60)
    await settled()
    assert not draining.done()

    harness.store.hold_appends()
    harness.load.end(60)
    await settled()
    harness.clock.advance(1)
    await settled()
    assert not draining.done()
    await harness.database_is_back()
    harness.clock.advance(1)
    await settled()
    assert draining.done()


async def test_a_run_that_is_being_begun_when_the_server_drains_is_waited_for(harness: Harness) -> None:
    harness.generator.may_start.clear()
    starting = asyncio.ensure_future(harness.hub.start(LoadPlan()))
    await asyncio.sleep(0)
    draining = asyncio.ensure_future(harness.hub.drain())
    await settled()
    assert not draining.done()
    harness.generator.may_start.set()
    await starting
    await settled()
    harness.load.ready()
    harness.load.end(1)
    await settled()
    harness.clock.advance(1)
    await settled()
    assert draining.done()


async def test_pressing_start_many_times_at_once_does_not_pass_the_cap(harness: Harness) -> None:
    answers = await asyncio.gather(*[harness.hub.start(LoadPlan()) for _ in range(5)], return_exceptions=True)
    assert sum(isinstance(answer, str) for answer in answers) == harness.max_runs


async def test_a_generator_that_cannot_start_fails_the_run_with_its_reason(harness: Harness) -> None:
    harness.generator.failure = GeneratorFailed("The worker was not ready within 20 s.")
    run_id = await harness.hub.start(LoadPlan())
    await settled()
    record = await harness.hub.run(run_id)
    assert record.state is RunState.FAILED
    assert record.message == "The worker was not ready within 20 s."


async def test_load_that_is_given_up_is_killed(harness: Harness) -> None:
    run_id = await harness.started(LoadPlan(timeout_s=1))
    for second in range(1, 12):
        harness.load.traffic(float(second))
    await settled()
    assert (await harness.hub.run(run_id)).state is RunState.FAILED
    assert harness.load.killed


async def test_unknown_runs_are_not_found(harness: Harness) -> None:
    for call in (harness.hub.run, harness.hub.stop, harness.hub.delete):
        with pytest.raises(RunNotFound, match="no-such-run"):
            await call("no-such-run")
    with pytest.raises(RunNotFound):
        async with harness.hub.subscribe("no-such-run"):
            pass


async def test_a_late_viewer_begins_with_the_last_snapshot_and_has_the_history(harness: Harness) -> None:
    run_id = await harness.started()
    harness.load.traffic(1, a=5, b=5)
    await settled()
    harness.load.traffic(2, a=9, b=9)
    await settled()
    async with harness.hub.subscribe() as events:
        seen_id, first = await anext(events)
    assert seen_id == run_id
    assert isinstance(first, SnapshotTaken)
    assert first.snapshot.requests == 18
    assert [point.elapsed_s for point in await harness.hub.history(run_id)] == [1, 2]


async def test_a_finished_run_is_shown_once_and_ends(harness: Harness) -> None:
    run_id = await harness.started()
    harness.load.traffic(1, a=5, b=5)
    harness.load.end(2)
    await settled()
    async with harness.hub.subscribe(run_id) as events:
        seen = [event async for _, event in events]
    assert len(seen) == 1
    assert len(await harness.hub.history(run_id)) == 2
    assert [e.state for e in await harness.hub.events(run_id) if isinstance(e, StateChanged)] == [
        RunState.RUNNING,
        RunState.FINISHED,
    ]


async def test_a_run_that_sends_load_cannot_be_deleted_and_an_ended_one_can(harness: Harness) -> None:
    run_id = await harness.started()
    with pytest.raises(RunStillActive):
        await harness.hub.delete(run_id)
    harness.load.end(2)
    await settled()
    await harness.hub.delete(run_id)
    with pytest.raises(RunNotFound):
        await harness.hub.run(run_id)


async def test_closing_the_hub_ends_the_load_and_marks_the_run_interrupted(harness: Harness) -> None:
    run_id = await harness.started()
    await harness.hub.close()
    assert harness.load.killed
    assert (await harness.store.run(run_id)).state is RunState.INTERRUPTED


async def test_opening_marks_what_an_earlier_process_left_running() -> None:
    harness = Harness()
    record = RunRecord("old", LoadPlan(), Source.DEMO, RunState.RUNNING, 1.0)
    await harness.store.create(record)
    await harness.hub.open()
    interrupted = await harness.hub.run("old")
    assert interrupted.state is RunState.INTERRUPTED
    assert "server stopped" in interrupted.message


class LostDirectory:
    """Sees its pods once, then never again."""

    async def watch(self, target: Admitted) -> AsyncIterator[Sample]:
        yield PodsSample(0.0, (PodSeen("a"), PodSeen("b")))
        raise TargetUnavailable("The cluster took the right away.")


async def test_a_service_is_watched_in_its_cluster_whatever_counts_its_requests(harness: Harness) -> None:
    adapters = harness.adapters
    cluster = LostDirectory()
    with_cluster = replace(adapters, cluster_pods=cluster)
    target = Admitted("http://x/", Source.HEADER, ())
    assert with_cluster.directory(target) is adapters.directories[Source.HEADER]
    assert with_cluster.directory(replace(target, service=ServiceRef("shop", "cart"))) is cluster
    assert adapters.directory(replace(target, service=ServiceRef("shop", "cart"))) is None


async def test_pods_that_are_lost_for_good_stay_and_the_run_says_why() -> None:
    harness = Harness(directory=LostDirectory())
    run_id = await harness.started()
    harness.load.traffic(1, a=5, b=5)
    await settled()
    last = (await harness.hub.run(run_id)).last
    assert last is not None
    assert last.pods_problem == "The cluster took the right away."
    assert [pod.name for pod in last.pods] == ["a", "b"]
    harness.load.traffic(2, a=9, b=9)
    harness.load.end(3)
    await settled()
    assert (await harness.hub.run(run_id)).state is RunState.FINISHED
    await harness.hub.close()


async def test_a_run_ends_after_it_began_also_when_the_wall_clock_is_set_back(harness: Harness) -> None:
    run_id = await harness.started()
    began_s = (await harness.hub.run(run_id)).created_at_epoch_s
    harness.clock.set_back(600)
    harness.clock.advance(20)
    harness.load.end(20)
    await settled()
    for record in (await harness.hub.run(run_id), await harness.store.run(run_id)):
        assert record.ended_at_epoch_s == began_s + 20
        assert record.last is not None
        assert record.last.at_epoch_s == began_s + 20


async def test_a_run_stands_before_the_one_before_it_also_when_the_wall_clock_is_set_back(harness: Harness) -> None:
    first = await harness.started()
    harness.clock.set_back(60)
    harness.clock.advance(1)
    second = await harness.started()
    assert [run.run_id for run in harness.hub.active()] == [second, first]
    assert [run.run_id for run in await harness.hub.runs()] == [second, first]
    for load in harness.generator.loads:
        load.end(60)
    await settled()
    assert [run.run_id for run in await harness.hub.runs()] == [second, first]


async def test_a_wall_clock_that_was_far_ahead_is_not_followed_for_ever(harness: Harness) -> None:
    await harness.started()
    harness.clock.set_back(86_400)
    second = await harness.started()
    assert (await harness.hub.run(second)).created_at_epoch_s == harness.clock.epoch_s()


async def test_a_run_until_decided_asks_its_load_to_end_and_finishes(harness: Harness) -> None:
    run_id = await harness.started(LoadPlan(duration_s=120, until="decided"))
    harness.load.traffic(1, a=50, b=50)
    await settled()
    assert not harness.load.stopped
    harness.load.traffic(2, a=9_000, b=1_000)
    await settled()
    assert harness.load.stopped
    with pytest.raises(RunNotActive, match="decided"):
        await harness.hub.edit(run_id, PlanEdit(users=7))
    harness.load.traffic(2.4, a=9_100, b=1_100)
    harness.load.end(2.5)
    await settled()
    record = await harness.hub.run(run_id)
    assert (record.state, record.message) == (RunState.FINISHED, "Decided after 2 s of at most 120 s.")
    assert record.last is not None
    assert record.last.requests == 10_200


async def test_a_load_that_does_not_end_when_it_is_decided_is_put_down(harness: Harness) -> None:
    run_id = await harness.started(LoadPlan(duration_s=500, until="decided", timeout_s=1))
    harness.load.traffic(2, a=9_000, b=1_000)
    await settled()
    for _ in range(30):
        harness.clock.advance(1)
        await settled()
    record = await harness.hub.run(run_id)
    assert record.state is RunState.FAILED
    assert "of the decision" in record.message
    assert harness.load.killed


async def test_a_run_that_takes_its_time_is_not_ended_when_it_is_decided(harness: Harness) -> None:
    await harness.started(LoadPlan(duration_s=120))
    harness.load.traffic(2, a=9_000, b=1_000)
    await settled()
    assert not harness.load.stopped


async def test_a_run_and_a_saved_plan_tell_who_made_them(harness: Harness) -> None:
    before = CALLER.set(Caller(Principal("ada", Role.OPERATOR, SignIn.OIDC), "10.0.0.7"))
    run_id = await harness.hub.start(LoadPlan())
    saved = await harness.hub.save_plan("nightly", LoadPlan())
    CALLER.reset(before)
    other = await harness.hub.start(LoadPlan())
    assert [(await harness.hub.run(each)).started_by for each in (run_id, other)] == ["ada", ""]
    assert {run.run_id: run.started_by for run in await harness.hub.runs()} == {run_id: "ada", other: ""}
    assert saved.saved_by == "ada"
    assert [plan.saved_by for plan in await harness.hub.plans()] == ["ada"]
