"""Two runs side by side: did the balance change, by how much, and by more than chance? Or why that cannot be said.

The difference of two long-run CVs gets its interval from the two runs' own intervals, without supposing that either
is symmetric: the method of variance estimates recovery (MOVER; Zou and Donner, Statistics in Medicine 27, 2008).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from itertools import zip_longest
from typing import Literal

from scale_app.domain.cluster import ServiceSettings
from scale_app.domain.plan_differences import PlanDifference, as_text, plan_differences
from scale_app.domain.record import RunRecord
from scale_app.domain.snapshot import Snapshot
from scale_app.domain.verdict import VerdictKind


def policy(requests_per_connection: int | None) -> str:
    """How a run's connections are used, as part of a sentence."""
    if requests_per_connection is None:
        return "keep-alive"
    if requests_per_connection == 1:
        return "a new connection for each request"
    return f"a new connection every {requests_per_connection:,} requests"


WIDER = 1.06
"""The interval by the published method called equal balancers different in 4.9 to 5.4 % of 6,000 made-up pairs, where
both runs are large; so much wider, it is below 5 % everywhere (python -m tests.bench.equal_balancers)."""

BALANCER_SETTINGS = (
    "session_affinity",
    "internal_traffic_policy",
    "external_traffic_policy",
    "traffic_distribution",
    "leading",
    "proxy_mode",
)
"""Of a Service. Its weights, which name pods that may have been replaced, are held against one another by value."""
Estimate = tuple[float, float, float]
"""A figure and the two ends of its 95 % interval."""


class Change(StrEnum):
    BETTER = "better"
    WORSE = "worse"
    CHANCE = "no more than chance"


@dataclass(frozen=True, slots=True)
class PodPair:
    """A pod, or a rank, in both runs. Names are "" and shares None where a run has no such pod. Shares: 0..1."""

    first_name: str
    second_name: str
    first_share: float | None
    second_share: float | None


@dataclass(frozen=True, slots=True)
class LatencyPair:
    """A percentile of the last seconds of both runs, in milliseconds; None without an answer."""

    percentile: Literal["p50", "p95", "p99"]
    first_ms: float | None
    second_ms: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The second run against the first.

    reasons: why the two cannot be compared, empty when they can. notes: other differences that matter.
    first_cv, second_cv: long-run CVs. difference: second minus first, negative when the second is more even;
    difference_low..difference_high: its 95 % interval. All of these and changed are None if the runs are not
    comparable.
    pods: by name if at least half of the names are the same, else by rank, busiest first.
    sentence: the result in one sentence. conclusion: what it decided, if the second was planned to decide the first.
    """

    first_id: str
    second_id: str
    sentence: str
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    changed: Change | None = None
    first_score: float | None = None
    second_score: float | None = None
    first_cv: float | None = None
    second_cv: float | None = None
    difference: float | None = None
    difference_low: float | None = None
    difference_high: float | None = None
    pods: tuple[PodPair, ...] = ()
    pods_by: Literal["name", "rank"] = "name"
    latency: tuple[LatencyPair, ...] = ()
    plan: tuple[PlanDifference, ...] = ()
    conclusion: str = ""

    @property
    def comparable(self) -> bool:
        return not self.reasons


def compare(first: RunRecord, second: RunRecord) -> Comparison:
    """Hold the second run against the first. Pure and total."""
    differences = plan_differences(first.plan, second.plan)
    reasons = reasons_apart(first, second) or _pods_apart(first, second)
    if reasons or first.last is None or second.last is None:
        sentence = f"Not comparable: {'; '.join(reasons)}."
        return Comparison(first.run_id, second.run_id, sentence, tuple(reasons), plan=differences)
    difference, low, high = difference_of(_interval(first.last), _interval(second.last))
    changed = Change.BETTER if high < 0 else Change.WORSE if low > 0 else Change.CHANCE
    pods, pods_by = _pods(first.last, second.last)
    first_cv, second_cv = first.last.verdict.long_run_cv, second.last.verdict.long_run_cv
    return Comparison(
        first.run_id,
        second.run_id,
        _sentence(changed, first_cv or 0.0, second_cv or 0.0, low, high),
        notes=tuple(_notes(first, second, pods_by)),
        changed=changed,
        first_score=first.last.balance.score,
        second_score=second.last.balance.score,
        first_cv=first_cv,
        second_cv=second_cv,
        difference=difference,
        difference_low=low,
        difference_high=high,
        pods=pods,
        pods_by=pods_by,
        latency=(
            LatencyPair("p50", first.last.p50_ms, second.last.p50_ms),
            LatencyPair("p95", first.last.p95_ms, second.last.p95_ms),
            LatencyPair("p99", first.last.p99_ms, second.last.p99_ms),
        ),
        plan=differences,
    )


def _sentence(changed: Change, first_cv: float, second_cv: float, low: float, high: float) -> str:
    """low, high: 95 % interval of the second long-run CV minus the first."""
    cvs = f"from {first_cv:.3f} to {second_cv:.3f}"
    if changed is Change.BETTER:
        by = f"by {-high:.3f} to {-low:.3f}"
        return f"Better by more than chance: the long-run CV fell {cvs}, {by} with 95 % confidence."
    if changed is Change.WORSE:
        return (
            f"Worse by more than chance: the long-run CV rose {cvs}, by {low:.3f} to {high:.3f} with 95 % confidence."
        )
    return (
        f"No more than chance: the long-run CV changed {cvs}; "
        f"the 95 % interval of the change is {low:+.3f} to {high:+.3f}."
    )


def difference_of(first: Estimate, second: Estimate) -> Estimate:
    """second minus first; where there is no difference, at most 5 % of such intervals leave out 0."""
    difference, low, high = mover(first, second)
    return difference, difference - WIDER * (difference - low), difference + WIDER * (high - difference)


def mover(first: Estimate, second: Estimate) -> Estimate:
    """second minus first and its interval by the published method."""
    (a, a_low, a_high), (b, b_low, b_high) = first, second
    difference = b - a
    low = difference - math.hypot(max(0.0, b - b_low), max(0.0, a_high - a))
    high = difference + math.hypot(max(0.0, b_high - b), max(0.0, a - a_low))
    return difference, low, high


def reasons_apart(first: RunRecord, second: RunRecord) -> list[str]:
    """Why these cannot be compared, whatever the number of pods is; [] when they can."""
    reasons = [reason for record in (first, second) if (reason := _not_usable(record))]
    if first.source.traits.invented != second.source.traits.invented:
        reasons.append("one run's counts are simulated and the other's are real")
    elif first.plan.target_url != second.plan.target_url:
        reasons.append(f"the targets differ ({first.plan.target_url} and {second.plan.target_url})")
    elif first.source is not second.source:
        reasons.append(f"the counts come from different sources ({first.source} and {second.source})")
    return reasons


def _pods_apart(first: RunRecord, second: RunRecord) -> list[str]:
    """A pod that was replaced in mid-run is one more that answered, and no more at a time."""
    before, after = (record.last.balance.pods if record.last else 0 for record in (first, second))
    differs = f"the number of pods differs ({before} and {after}), which alone changes the score"
    return [] if before == after or _ready(first) == _ready(second) > 1 else [differs]


def _ready(record: RunRecord) -> int:
    """Pods of the score that were ready at the run's end."""
    return sum(pod.ready and pod.residual is not None for pod in record.last.pods) if record.last else 0


def _not_usable(record: RunRecord) -> str:
    name = f"run {record.run_id}"
    if record.state.active:
        return f"{name} is still {record.state}"
    if record.last is None or not record.last.requests:
        return f"{name} has no data"
    verdict = record.last.verdict
    if verdict.kind is VerdictKind.NO_DATA or None in (verdict.long_run_cv, verdict.cv_low, verdict.cv_high):
        return f"{name} has no verdict"
    return "" if record.last.balance.pods > 1 else f"{name} saw only one pod"


def _notes(first: RunRecord, second: RunRecord, pods_by: str) -> list[str]:
    notes = []
    before, after = first.plan.requests_per_connection, second.plan.requests_per_connection
    if before != after:
        notes.append(f"The connections differ: {policy(before)} in the first run, {policy(after)} in the second.")
    if (first.plan.users, first.plan.think_time_s) != (second.plan.users, second.plan.think_time_s):
        notes.append("The loads differ, so the latencies cannot be compared directly.")
    if first.last and second.last and first.last.service and second.last.service:
        notes += _settings_apart(first.last.service, second.last.service)
    if pods_by == "rank":
        notes.append("The pods were replaced between the runs, so their shares are compared by rank.")
    for name, record in (("first", first), ("second", second)):
        if record.last and (gone := [pod.name for pod in record.last.pods if pod.requests and not pod.ready]):
            notes.append(f"Not every pod stayed ready in the {name} run ({', '.join(gone[:3])}).")
    if not all(record.last and record.last.verdict.connections_known for record in (first, second)):
        notes.append(
            "It is not known which requests shared a connection, so the difference may be less certain than it looks."
        )
    return notes


def _settings_apart(first: ServiceSettings, second: ServiceSettings) -> list[str]:
    """What the balancers were set to at the end of the runs, which no plan holds."""
    pairs = [(name.replace("_", " "), getattr(first, name), getattr(second, name)) for name in BALANCER_SETTINGS]
    differ = [f"{name} {as_text(one)} and {as_text(two)}" for name, one, two in pairs if one != two]
    if sorted(first.weights.values()) != sorted(second.weights.values()):
        differ.append(f"weights {as_text(first.weights)} and {as_text(second.weights)}")
    return [f"The balancers were set differently in the two runs: {'; '.join(differ)}."] if differ else []


def _interval(snapshot: Snapshot) -> Estimate:
    verdict = snapshot.verdict
    assert verdict.long_run_cv is not None
    assert verdict.cv_low is not None
    assert verdict.cv_high is not None
    return verdict.long_run_cv, verdict.cv_low, verdict.cv_high


def _pods(first: Snapshot, second: Snapshot) -> tuple[tuple[PodPair, ...], Literal["name", "rank"]]:
    before, after = _shares(first), _shares(second)
    if 2 * len(before.keys() & after.keys()) >= max(len(before), len(after)):
        names = sorted({*before, *after})
        return tuple(_pair(name, name, before, after) for name in names), "name"
    ranked = (sorted(shares, key=lambda name: (-shares[name], name)) for shares in (before, after))
    return tuple(_pair(a, b, before, after) for a, b in zip_longest(*ranked, fillvalue="")), "rank"


def _pair(first: str, second: str, before: dict[str, float], after: dict[str, float]) -> PodPair:
    one, two = before.get(first), after.get(second)
    return PodPair("" if one is None else first, "" if two is None else second, one, two)


def _shares(snapshot: Snapshot) -> dict[str, float]:
    """Of the pods that took part."""
    return {pod.name: pod.share for pod in snapshot.pods if pod.requests > 0 or pod.residual is not None}
