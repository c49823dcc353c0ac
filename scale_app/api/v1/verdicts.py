"""Calls that wait for the end of a run and answer whether it passed, for pipelines that go by a status.

The caller may go at any time: the run goes on, and its verdict can be asked for again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from scale_app.api.operation import CheckedRequest, Operation
from scale_app.api.problems import STARTS
from scale_app.api.socket import until_first
from scale_app.api.v1.operations import PLAN, RUN
from scale_app.domain.errors import NotPassed, PlanNotFound, RunNotFound, RunStillActive
from scale_app.domain.gating import Check, GateResult, Outcome
from scale_app.domain.passing import DEFAULT_FAIL_ON, Passing, fail_on_of, passing
from scale_app.domain.record import RunRecord
from scale_app.domain.snapshot import RunState
from scale_app.domain.verdict import VerdictKind
from scale_app.service.broadcast import Item
from scale_app.service.hub import Hub

NO_DATA = "There is no verdict, because there is no data."
DOES = (
    "Answers when the run has ended: 200 if it passed, else 412 with the reason, by the rule of exit codes. A caller "
    "that leaves ends nothing."
)


@dataclass(frozen=True, slots=True)
class VerdictQuery:
    """fail_on: what makes a run fail, as in `scale run --fail-on`. refuse: answer 412 for a run that did not pass; if
    false, 200 with `passed` false."""

    fail_on: str = ",".join(DEFAULT_FAIL_ON)
    refuse: bool = True


@dataclass(frozen=True, slots=True)
class RunVerdict:
    """Did an ended run pass? outcome: `passed`, or why not. sentence: what was measured, and every threshold that was
    not reached. checks: the thresholds of the plan."""

    run_id: str
    state: RunState
    passed: bool
    outcome: Passing
    verdict: VerdictKind
    sentence: str
    checks: tuple[Check, ...]


def verdict_operations(hub: Hub) -> list[Operation]:
    """/api/v1/runs/{run_id}/verdict and /api/v1/plans/{name}/verdict."""

    async def of_a_run(asked: CheckedRequest) -> RunVerdict:
        fail_on = fail_on_of(asked.query.fail_on, "fail_on")
        return await _verdict(hub, asked.run_id, fail_on, asked)

    async def of_a_plan(asked: CheckedRequest) -> RunVerdict:
        fail_on = fail_on_of(asked.query.fail_on, "fail_on")
        saved = await hub.plan(asked.name)
        return await _verdict(hub, await hub.start(saved.plan), fail_on, asked)

    return [
        Operation(
            "GET", f"{RUN}/verdict", "awaitVerdict", "Runs", "Wait for a run and say whether it passed",
            of_a_run, RunVerdict, query=VerdictQuery, errors=(RunNotFound, RunStillActive, NotPassed), does=DOES,
        ),
        Operation(
            "POST", f"{PLAN}/verdict", "judgePlan", "Saved plans", "Run a saved plan and say whether it passed",
            of_a_plan, RunVerdict, query=VerdictQuery,
            errors=(PlanNotFound, RunNotFound, RunStillActive, NotPassed, *STARTS),
            does="Answers as the verdict of its run does. A body is not read.",
        ),
    ]  # fmt: skip


async def _verdict(hub: Hub, run_id: str, fail_on: frozenset[str], asked: CheckedRequest) -> RunVerdict:
    await _end_of(hub, run_id, asked.gone)
    record = await hub.run(run_id)
    if record.state.active:
        raise RunStillActive(f"Run {run_id} still sends load. Ask for its verdict again.")
    said = verdict_of(record, await hub.gate(run_id), fail_on)
    if asked.query.refuse and not said.passed:
        raise NotPassed(run_id, said.sentence)
    return said


async def _end_of(hub: Hub, run_id: str, gone: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Returns when the run has ended, or whoever waits has gone. Raises RunNotFound."""
    async with hub.subscribe(run_id) as events:
        await until_first(_drained(events), gone())


async def _drained(events: AsyncIterator[Item]) -> None:
    async for _ in events:
        pass


def verdict_of(record: RunRecord, gate: GateResult, fail_on: frozenset[str]) -> RunVerdict:
    """What an ended run's answer is."""
    outcome = passing(record, gate, fail_on)
    kind = record.last.verdict.kind if record.last else VerdictKind.NO_DATA
    passed = outcome is Passing.PASSED
    return RunVerdict(record.run_id, record.state, passed, outcome, kind, _sentence(record, gate), gate.checks)


def _sentence(record: RunRecord, gate: GateResult) -> str:
    failed = record.message if record.state in (RunState.FAILED, RunState.INTERRUPTED) else ""
    measured = record.last.verdict.sentence if record.last else NO_DATA
    missed = [check.sentence for check in gate.checks if check.outcome is not Outcome.PASSED]
    return " ".join(dict.fromkeys(part for part in (failed, measured, *missed) if part))
