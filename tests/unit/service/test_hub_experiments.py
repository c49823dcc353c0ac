"""The second run that decides what a first one left open: who has one, and what it concludes."""

import pytest

from scale_app.domain.errors import NoExperiment, RunNotFound, TooManyRuns
from scale_app.domain.plan import LoadPlan
from tests.unit.service.harness import Harness, settled


async def _ended(harness: Harness, plan: LoadPlan, **requests: int) -> str:
    run_id = await harness.started(plan)
    harness.load.traffic(5, **requests)
    harness.load.end(6)
    await settled()
    return run_id


async def test_an_experiment_is_a_run_of_its_own_that_knows_what_it_is_to_decide(harness: Harness) -> None:
    plan = LoadPlan(users=5, requests_per_connection=1)
    first_id = await _ended(harness, plan, a=52, b=48)
    planned = await harness.hub.planned_experiment(first_id)
    second_id = await harness.hub.experiment(first_id)
    await settled()
    assert harness.generator.plans[-1] == planned.plan
    assert (await harness.hub.run(second_id)).experiment_of == first_id
    assert (await harness.store.run(second_id)).experiment_of == first_id
    assert (await harness.hub.run(first_id)).experiment_of == ""


async def test_a_run_that_is_decided_or_unknown_has_no_experiment(harness: Harness) -> None:
    run_id = await harness.started()
    with pytest.raises(NoExperiment, match="still running"):
        await harness.hub.experiment(run_id)
    with pytest.raises(RunNotFound):
        await harness.hub.experiment("no-such")
    assert len(harness.generator.loads) == 1


async def test_an_experiment_counts_among_the_runs_that_may_send_load(harness: Harness) -> None:
    first_id = await _ended(harness, LoadPlan(users=5, requests_per_connection=1), a=52, b=48)
    await harness.started()
    await harness.started()
    with pytest.raises(TooManyRuns):
        await harness.hub.experiment(first_id)


async def test_only_an_experiment_that_has_ended_has_a_conclusion(harness: Harness) -> None:
    first_id = await _ended(harness, LoadPlan(users=5, requests_per_connection=1), a=52, b=48)
    second_id = await harness.hub.experiment(first_id)
    await settled()
    harness.load.ready()
    harness.load.traffic(5, a=5_000, b=5_000)
    await settled()
    assert (await harness.hub.compare(first_id, second_id)).conclusion == ""
    harness.load.end(6)
    await settled()
    compared = await harness.hub.compare(first_id, second_id)
    assert compared.comparable
    assert compared.conclusion.endswith("by no more than chance (long-run CV from 0.000 to 0.000).")
    assert (await harness.hub.compare(second_id, first_id)).conclusion == ""
    with pytest.raises(RunNotFound):
        await harness.hub.compare(first_id, "no-such")
