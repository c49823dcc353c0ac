"""Did a run reach the thresholds of its plan? Pure; page, API, command line and reports show this one answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from scale_app.domain.compare import Change, compare
from scale_app.domain.gate import Gate, Levels
from scale_app.domain.record import RunRecord
from scale_app.domain.snapshot import Snapshot
from scale_app.domain.verdict import VerdictKind


class Outcome(StrEnum):
    PASSED = "passed"
    WARNED = "warned"
    FAILED = "failed"


ORDER = (Outcome.PASSED, Outcome.WARNED, Outcome.FAILED)


@dataclass(frozen=True, slots=True)
class Check:
    """One threshold. name: as the plan calls it. sentence: what was measured, what was asked for."""

    name: str
    outcome: Outcome
    sentence: str


@dataclass(frozen=True, slots=True)
class GateResult:
    """outcome: the worst outcome of the checks. checks: one for each threshold of the plan, in the plan's order."""

    outcome: Outcome = Outcome.PASSED
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True, slots=True)
class _Limit:
    """How a figure is read from a snapshot, and with how many digits it is written. below: low figures are bad."""

    name: str
    said: str
    read: Callable[[Snapshot], float | None]
    write: Callable[[float, int], str]
    below: bool = False


def gated(record: RunRecord, baseline: RunRecord | None) -> GateResult:
    """The run against the gate of its plan. baseline: the run that the gate names, None when there is none."""
    gate = record.plan.gate
    checks = [
        *_verdict(gate, record.last),
        *(check for limit in _LIMITS for check in _limit(limit, getattr(gate, limit.name), record.last)),
        *_pods(gate, record.last),
        *_baseline(gate, record, baseline),
    ]
    worst = max((ORDER.index(check.outcome) for check in checks), default=0)
    return GateResult(ORDER[worst], tuple(checks))


def _verdict(gate: Gate, last: Snapshot | None) -> list[Check]:
    if not gate.verdict.warn and not gate.verdict.fail:
        return []
    if last is None or last.verdict.kind is VerdictKind.NO_DATA:
        return [Check("verdict", Outcome.FAILED, "There is no verdict, because there is no data.")]
    kind = last.verdict.kind.value.lower()
    outcome = (
        Outcome.FAILED if kind in gate.verdict.fail else Outcome.WARNED if kind in gate.verdict.warn else Outcome.PASSED
    )
    return [Check("verdict", outcome, last.verdict.sentence)]


def _limit(limit: _Limit, levels: Levels, last: Snapshot | None) -> list[Check]:
    if levels.warn is None and levels.fail is None:
        return []
    value = None if last is None else limit.read(last)
    if value is None:
        return [Check(limit.name, Outcome.FAILED, f"{limit.said} is unknown, because there is no data.")]
    for outcome, level in ((Outcome.FAILED, levels.fail), (Outcome.WARNED, levels.warn)):
        if level is not None and (value < level if limit.below else value > level):
            return [Check(limit.name, outcome, _sentence(limit, value, "below" if limit.below else "above", level))]
    level = levels.fail if levels.warn is None else levels.warn
    assert level is not None
    return [Check(limit.name, Outcome.PASSED, _sentence(limit, value, "at least" if limit.below else "at most", level))]


def _sentence(limit: _Limit, value: float, side: str, level: float) -> str:
    """With as many digits as tell the figure from the level: a score of 0.94999 must not read as 0.95."""
    digits = next((n for n in (4, 5, 6, 7) if limit.write(value, n) != limit.write(level, n)), 4)
    return f"{limit.said} is {limit.write(value, digits)}, {side} {limit.write(level, digits)}."


def _pods(gate: Gate, last: Snapshot | None) -> list[Check]:
    if gate.pods is None:
        return []
    if last is None:
        return [Check("pods", Outcome.FAILED, "The number of pods is unknown, because there is no data.")]
    if last.roster_known:
        there, said, doubt = sum(pod.ready for pod in last.pods), "ready pods", ""
    else:
        there, said, doubt = last.balance.pods, "pods that answered", "; how many should have answered is unknown"
    outcome, side = (Outcome.FAILED, "below") if there < gate.pods else (Outcome.PASSED, "at least")
    return [Check("pods", outcome, f"The number of {said} is {there:,}, {side} {gate.pods:,}{doubt}.")]


def _baseline(gate: Gate, record: RunRecord, baseline: RunRecord | None) -> list[Check]:
    """A run that cannot be held against its baseline warns: it is no proof that it became worse."""
    if not gate.baseline:
        return []
    if baseline is None:
        return [Check("baseline", Outcome.WARNED, f"No run is set as the baseline {gate.baseline!r} yet.")]
    compared = compare(baseline, record)
    outcomes = {None: Outcome.WARNED, Change.WORSE: Outcome.FAILED}
    return [Check("baseline", outcomes.get(compared.changed, Outcome.PASSED), compared.sentence)]


def _largest_share(snapshot: Snapshot) -> float | None:
    return max((pod.share for pod in snapshot.pods if snapshot.requests), default=None)


def _failure_share(snapshot: Snapshot) -> float | None:
    return snapshot.failures / snapshot.requests if snapshot.requests else None


def _score(value: float, digits: int) -> str:
    return f"{value:.{digits}g}"


def _percent(value: float, digits: int) -> str:
    return f"{100 * value:.{digits}g} %"


def _milliseconds(value: float, digits: int) -> str:
    return f"{value:,.{digits}g} ms" if value < 1_000 else f"{value:,.0f} ms"


_LIMITS = (
    _Limit("score", "The score", lambda last: last.balance.score, _score, below=True),
    _Limit("pod_share", "The largest share of one pod", _largest_share, _percent),
    _Limit("p95_ms", "The latency p95", lambda last: last.whole_p95_ms, _milliseconds),
    _Limit("p99_ms", "The latency p99", lambda last: last.whole_p99_ms, _milliseconds),
    _Limit("failure_share", "The share of failed requests", _failure_share, _percent),
)
