"""Calls that wait for a run and answer whether it passed."""

from __future__ import annotations

import asyncio

import pytest

from scale_app.api.operation import CheckedRequest
from scale_app.api.v1.verdicts import VerdictQuery, verdict_of, verdict_operations
from scale_app.domain.errors import NotPassed, RunStillActive
from scale_app.domain.gating import GateResult
from scale_app.domain.passing import DEFAULT_FAIL_ON, Passing
from scale_app.domain.plan import LoadPlan
from scale_app.domain.record import RunRecord
from scale_app.domain.snapshot import RunState, Source
from tests.unit.api.conftest import RUNS, Site
from tests.unit.api.v1.test_runs import assert_problem
from tests.unit.service.harness import Harness, settled

EVEN, HOT = (5_000, 5_000), (9_000, 1_000)
CONNECTIONS = {"requests_per_connection": 1}


def ended(site: Site, counts: tuple[int, ...], **fields: object) -> str:
    return site.finished(*counts, **CONNECTIONS, **fields)


def test_a_run_that_passed_is_answered_with_200_and_what_was_measured(site: Site) -> None:
    run_id = ended(site, EVEN)
    answer = site.client.get(f"{RUNS}/{run_id}/verdict?fail_on=uneven")
    assert answer.status_code == 200
    said = answer.json()
    assert (said["run_id"], said["passed"], said["outcome"]) == (run_id, True, "passed")
    assert said["sentence"] == site.client.get(f"{RUNS}/{run_id}").json()["last"]["verdict"]["sentence"]


def test_an_uneven_run_is_refused_with_the_sentence_of_its_verdict(site: Site) -> None:
    run_id = ended(site, HOT)
    refused = site.client.get(f"{RUNS}/{run_id}/verdict")
    assert_problem(refused, 412)
    sentence = site.client.get(f"{RUNS}/{run_id}").json()["last"]["verdict"]["sentence"]
    assert refused.json()["detail"] == f"Run {run_id} did not pass. {sentence}"


def test_every_threshold_that_was_missed_is_named(site: Site) -> None:
    run_id = ended(site, EVEN, gate={"pods": 3, "pod_share": {"fail": 0.4}, "failure_share": {"fail": 0.5}})
    refused = site.client.get(f"{RUNS}/{run_id}/verdict?fail_on=threshold")
    assert_problem(refused, 412)
    assert "The largest share of one pod is 50 %, above 40 %." in refused.json()["detail"]
    assert "below 3" in refused.json()["detail"]
    assert "failed requests" not in refused.json()["detail"]


def test_fail_on_never_lets_an_uneven_run_pass_and_another_word_is_refused(site: Site) -> None:
    run_id = ended(site, HOT)
    assert site.client.get(f"{RUNS}/{run_id}/verdict?fail_on=never").json()["passed"] is True
    assert_problem(site.client.get(f"{RUNS}/{run_id}/verdict?fail_on=odd"), 422, "fail_on")


def test_refuse_false_answers_200_also_for_a_run_that_did_not_pass(site: Site) -> None:
    run_id = ended(site, HOT)
    answer = site.client.get(f"{RUNS}/{run_id}/verdict?refuse=false")
    assert answer.status_code == 200
    assert (answer.json()["passed"], answer.json()["outcome"], answer.json()["verdict"]) == (False, "missed", "UNEVEN")


def test_a_run_without_data_is_never_passed(site: Site) -> None:
    run_id = ended(site, ())
    refused = site.client.get(f"{RUNS}/{run_id}/verdict?fail_on=never")
    assert_problem(refused, 412)


def test_what_is_not_there_is_not_found_and_starts_nothing(site: Site) -> None:
    assert_problem(site.client.get(f"{RUNS}/x/verdict"), 404)
    assert_problem(site.client.post("/api/v1/plans/x/verdict"), 404)
    assert site.client.get(RUNS).json()["total"] == 0


class Asked:
    """A call of the operation with this name, and the hub's load while it waits."""

    def __init__(self, harness: Harness, operation_name: str, **path: str) -> None:
        (operation,) = [each for each in verdict_operations(harness.hub) if each.name == operation_name]
        assert operation.answer is not None
        self.left = asyncio.Event()
        asked = CheckedRequest(path, VerdictQuery(), gone=self._gone)
        self.answer = asyncio.ensure_future(operation.answer(asked))  # type: ignore[arg-type]

    async def _gone(self) -> None:
        await self.left.wait()


async def test_the_call_waits_for_the_end_of_a_run() -> None:
    harness = Harness()
    asked = Asked(harness, "awaitVerdict", run_id=await harness.started(LoadPlan(requests_per_connection=1)))
    harness.load.traffic(59, a=9_000, b=1_000)
    await settled()
    assert not asked.answer.done()
    harness.load.end(60)
    with pytest.raises(NotPassed):
        await asked.answer
    await harness.close()


async def test_a_saved_plan_is_run_and_judged_by_one_call() -> None:
    harness = Harness()
    await harness.hub.save_plan("gate", LoadPlan(users=7, requests_per_connection=1))
    asked = Asked(harness, "judgePlan", name="gate")
    await settled()
    harness.load.ready()
    harness.load.traffic(59, a=9_000, b=1_000)
    await settled()
    assert not asked.answer.done()
    harness.load.end(60)
    with pytest.raises(NotPassed):
        await asked.answer
    (run,) = await harness.hub.runs()
    assert (run.users, run.state) == (7, RunState.FINISHED)
    await harness.close()


async def test_a_caller_that_goes_away_ends_nothing_and_leaves_nobody_waiting() -> None:
    harness = Harness()
    run_id = await harness.started()
    asked = Asked(harness, "awaitVerdict", run_id=run_id)
    await settled()
    assert not asked.answer.done()
    asked.left.set()
    with pytest.raises(RunStillActive):
        await asked.answer
    assert (await harness.hub.run(run_id)).state.active
    await harness.close()


@pytest.mark.parametrize("state", [RunState.FAILED, RunState.INTERRUPTED])
def test_of_a_run_that_failed_the_reason_comes_first(state: RunState) -> None:
    record = RunRecord("run-1", LoadPlan(), Source.DEMO, state, 1.0, message="The worker ended.")
    said = verdict_of(record, GateResult(), frozenset(DEFAULT_FAIL_ON))
    assert said.outcome is Passing.UNPROVEN
    assert said.sentence == "The worker ended. There is no verdict, because there is no data."
