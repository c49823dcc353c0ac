"""Edits of a running load: all are kept whoever sends them, and what the run's record says is what the load got."""

import asyncio

import pytest

from scale_app.domain.errors import GeneratorFailed, PlanError, RunNotActive
from scale_app.domain.events import PlanEdited
from scale_app.domain.plan import LoadPlan, PlanEdit
from scale_app.domain.record import RunRecord
from tests.unit.service.harness import Harness, settled

PLAN = LoadPlan(users=10, spawn_rate=5, duration_s=60)
OPEN_PLAN = LoadPlan(users=10, spawn_rate=5, duration_s=60, arrivals_per_s=20)


async def test_edits_that_come_at_the_same_time_are_all_kept(harness: Harness) -> None:
    run_id = await harness.started(OPEN_PLAN)
    edits = (PlanEdit(users=30), PlanEdit(spawn_rate=7), PlanEdit(arrivals_per_s=90))
    await asyncio.gather(*(harness.hub.edit(run_id, edit) for edit in edits))
    await settled()
    plan = (await harness.hub.run(run_id)).plan
    assert (plan.users, plan.spawn_rate, plan.arrivals_per_s) == (30, 7, 90)
    assert plan == harness.load.runs(OPEN_PLAN)


async def test_what_is_stored_is_what_the_load_got_last(harness: Harness) -> None:
    run_id = await harness.started(PLAN)
    harness.load.may_edit.clear()
    waiting = [
        asyncio.create_task(harness.hub.edit(run_id, edit))
        for edit in (PlanEdit(users=30), PlanEdit(spawn_rate=7), PlanEdit(users=20))
    ]
    await settled()
    harness.load.may_edit.set()
    await asyncio.gather(*waiting)
    await settled()
    told = [event.plan for event in await harness.store.events(run_id) if isinstance(event, PlanEdited)]
    assert [(plan.users, plan.spawn_rate) for plan in told] == [(30, 5), (30, 7), (20, 7)]
    assert told[-1] == harness.load.runs(PLAN)


async def test_an_edit_answers_with_the_plan_as_it_is_from_now_on(harness: Harness) -> None:
    run_id = await harness.started(PLAN)
    answers = await asyncio.gather(
        harness.hub.edit(run_id, PlanEdit(users=30)), harness.hub.edit(run_id, PlanEdit(spawn_rate=7))
    )
    assert [(answer.plan.users, answer.plan.spawn_rate) for answer in answers] == [(30, 5), (30, 7)]
    assert (await harness.hub.run(run_id)).plan == answers[-1].plan


async def test_an_edit_while_the_sources_are_still_read_is_what_the_load_begins_with(harness: Harness) -> None:
    run_id = await harness.hub.start(PLAN)
    answer = await harness.hub.edit(run_id, PlanEdit(users=30))
    await settled()
    harness.load.ready()
    await settled()
    assert answer.plan.users == 30
    assert harness.generator.plans == [answer.plan]
    assert (await harness.hub.run(run_id)).plan == answer.plan


async def test_an_edit_while_the_generator_starts_reaches_it_as_soon_as_it_is_there(harness: Harness) -> None:
    harness.generator.may_start.clear()
    run_id = await harness.hub.start(PLAN)
    await settled()
    await harness.hub.edit(run_id, PlanEdit(users=30))
    await harness.hub.edit(run_id, PlanEdit(spawn_rate=7))
    harness.generator.may_start.set()
    await settled()
    harness.load.ready()
    await settled()
    assert harness.load.runs(PLAN) == (await harness.hub.run(run_id)).plan
    assert (await harness.hub.run(run_id)).plan.users == 30


async def test_one_bad_edit_among_others_changes_nothing_and_holds_up_none(harness: Harness) -> None:
    run_id = await harness.started(PLAN)
    edits = (PlanEdit(users=30), PlanEdit(users=501), PlanEdit(users=0, spawn_rate=9), PlanEdit(spawn_rate=7))
    first, over, wrong, last = await asyncio.gather(
        *(harness.hub.edit(run_id, edit) for edit in edits), return_exceptions=True
    )
    assert isinstance(first, RunRecord)
    assert isinstance(over, PlanError)
    assert isinstance(wrong, PlanError)
    assert isinstance(last, RunRecord)
    assert (last.plan.users, last.plan.spawn_rate) == (30, 7)
    assert harness.load.runs(PLAN) == last.plan


async def test_an_edit_is_judged_by_the_plan_that_the_one_before_it_left(harness: Harness) -> None:
    run_id = await harness.started(LoadPlan(users=10, processes=4))
    fewer, fewest = await asyncio.gather(
        harness.hub.edit(run_id, PlanEdit(users=4)), harness.hub.edit(run_id, PlanEdit(users=3)), return_exceptions=True
    )
    assert isinstance(fewer, RunRecord)
    assert isinstance(fewest, PlanError)
    assert (await harness.hub.run(run_id)).plan.users == 4


async def test_an_edit_that_the_load_does_not_take_is_refused_and_changes_nothing(harness: Harness) -> None:
    run_id = await harness.started(PLAN)
    harness.load.refuses = RuntimeError("the pipe is shut")
    with pytest.raises(GeneratorFailed, match=r"users = 30.*the pipe is shut"):
        await harness.hub.edit(run_id, PlanEdit(users=30))
    harness.load.refuses = None
    assert (await harness.hub.run(run_id)).plan == PLAN
    assert (await harness.hub.edit(run_id, PlanEdit(spawn_rate=7))).plan.users == 10


async def test_an_edit_whose_sender_went_away_is_whole_all_the_same(harness: Harness) -> None:
    run_id = await harness.started(PLAN)
    harness.load.may_edit.clear()
    asked = asyncio.create_task(harness.hub.edit(run_id, PlanEdit(users=30)))
    await settled()
    asked.cancel()
    await settled()
    harness.load.may_edit.set()
    await settled()
    assert (await harness.hub.run(run_id)).plan.users == harness.load.runs(PLAN).users == 30


async def test_an_edit_that_changes_nothing_is_no_event(harness: Harness) -> None:
    run_id = await harness.started(PLAN)
    assert (await harness.hub.edit(run_id, PlanEdit(users=10))).plan == PLAN
    assert (await harness.hub.edit(run_id, PlanEdit())).plan == PLAN
    await settled()
    assert harness.load.edits == []
    assert [event for event in await harness.hub.events(run_id) if isinstance(event, PlanEdited)] == []


async def test_a_load_that_is_asked_to_stop_takes_no_edit(harness: Harness) -> None:
    run_id = await harness.started(PLAN)
    await harness.hub.stop(run_id)
    with pytest.raises(RunNotActive, match="stopping"):
        await harness.hub.edit(run_id, PlanEdit(users=30))
    assert harness.load.edits == []
    assert (await harness.hub.run(run_id)).plan == PLAN


async def test_a_load_whose_time_is_over_takes_no_edit(harness: Harness) -> None:
    run_id = await harness.started(PLAN)
    harness.clock.advance(60)
    with pytest.raises(RunNotActive, match="duration is reached"):
        await harness.hub.edit(run_id, PlanEdit(users=30))
    assert harness.load.edits == []
    assert (await harness.hub.run(run_id)).plan == PLAN
