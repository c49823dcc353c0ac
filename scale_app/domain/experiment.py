"""The decisive second run: which one would settle what a run left open, and what it settled once it is done."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from scale_app.domain.balance import CV_THRESHOLD
from scale_app.domain.chance import TAIL, noncentrality_bound
from scale_app.domain.compare import Change, Comparison, compare, policy, reasons_apart
from scale_app.domain.numerics import special
from scale_app.domain.plan import Limits, LoadPlan
from scale_app.domain.prospect import requests_per_s_with
from scale_app.domain.record import RunRecord
from scale_app.domain.snapshot import Snapshot
from scale_app.domain.verdict import Verdict, VerdictKind
from scale_app.domain.verdict_sentence import count, rounded

SHARED_BELOW = 0.9
"""Effective picks over requests: below it, requests share connections and the balancer picked less often than asked."""
MORE_THAN_NEEDED = 1.5
LUCK = 0.05
"""Share of fair random balancers that look so uneven by bad luck that the planned run leaves them undecided."""
FEW_USERS_PER_POD = 2
ENOUGH_USERS_PER_POD = 10
WORTH_WHILE = 1.2
EXPLAIN = frozenset(
    {
        "session_affinity",
        "internal_traffic_policy",
        "external_traffic_policy",
        "topology",
        "uneven_places",
        "unequal_weights",
        "late_pods",
    }
)
"""Causes that, where they are certain, say by themselves why work is uneven. A pod that does not answer always does."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """plan: of the second run. reason: why it would decide, one or two sentences."""

    plan: LoadPlan
    reason: str


def decisive_plan(record: RunRecord, limits: Limits | None = None) -> Experiment | None:
    """The second run that decides what this one left open; None when none would. Within the limits, same users
    unless they are the question."""
    last = record.last
    if record.state.active or last is None or last.balance.pods < 2 or last.elapsed_s <= 0:
        return None
    allowed = limits or Limits()
    if last.verdict.kind not in (VerdictKind.UNEVEN, VerdictKind.UNDECIDED) or _explained(last):
        return None
    if _shares_connections(record.plan, last):
        return _new_connections(record.plan, last, allowed)
    if last.verdict.kind is VerdictKind.UNDECIDED:
        return _longer(record.plan, last, allowed)
    return _more_users(record.plan, last, allowed)


def _explained(last: Snapshot) -> str:
    """The title of the cause that makes the work uneven, beyond doubt; "" while that is open."""
    if last.verdict.kind is not VerdictKind.UNEVEN:
        return ""
    certain = (each for each in last.findings if each.certainty == "certain" and each.code in EXPLAIN)
    silent = (each for each in last.findings if each.code == "silent_pod" and each.certainty != "possible")
    return next((each.title for each in (*certain, *silent)), "")


def no_experiment_sentence(record: RunRecord) -> str:
    """Why there is no decisive second run, for people."""
    name = f"Run {record.run_id}"
    if record.state.active:
        return f"{name} is still {record.state}, so a second run cannot be planned yet. Wait for its end."
    if record.last is None or record.last.verdict.kind is VerdictKind.NO_DATA:
        return f"{name} has no verdict. Start it again once pods answer and name themselves."
    if record.last.verdict.kind is VerdictKind.EVEN:
        return f"{name} is decided: {record.last.verdict.sentence} A second run is not needed."
    if record.last.balance.pods < 2:
        return f"{name} needs more than a second run of the same kind. {record.last.verdict.sentence}"
    if explained := _explained(record.last):
        return (
            f"{name} is explained: {explained}. A second run would show nothing new. "
            "Fix the cause, run the same plan again and compare both runs."
        )
    return (
        f"No second run within the limits would tell more than run {record.run_id}. "
        "Change the service, run the same plan again and compare both runs."
    )


def conclusion(first: RunRecord, second: RunRecord) -> str:
    """What the second run decided about the first, and whether they differ by more than chance: one sentence.

    Where a pod was replaced or added, the second run decides all the same; only the difference cannot be told.
    """
    comparison = compare(first, second)
    if reasons_apart(first, second) or first.last is None or second.last is None:
        return f"No conclusion, since the two runs are not comparable: {'; '.join(comparison.reasons)}."
    renewed = first.plan.requests_per_connection != 1 and second.plan.requests_per_connection == 1
    decided = _decided(first, first.last.verdict, second.last.verdict, renewed, comparison.changed)
    return f"{decided}; {_difference(comparison)}."


def _shares_connections(plan: LoadPlan, last: Snapshot) -> bool:
    verdict = last.verdict
    if plan.requests_per_connection == 1 or not verdict.connections_known or verdict.effective_picks is None:
        return False
    return verdict.effective_picks < SHARED_BELOW * last.balance.requests


def _new_connections(plan: LoadPlan, last: Snapshot, limits: Limits) -> Experiment:
    rate = requests_per_s_with(plan, last.requests / last.elapsed_s, 1)
    duration_s, short = _duration(plan, _picks_for_even(last.balance.pods), rate, limits)
    renewed = replace(plan, requests_per_connection=1, duration_s=duration_s)
    few = count(rounded(round(last.verdict.effective_picks or 0)), "effective pick")
    if last.verdict.kind is VerdictKind.UNEVEN:
        reason = (
            f"Uneven with {policy(plan.requests_per_connection)}, where the balancer made only {few}. "
            "The second run opens a new connection for each request: if it is even, the connections are the cause; "
            "if not, the balancer or a pod is."
        )
    else:
        reason = (
            f"Undecided with {policy(plan.requests_per_connection)}: the balancer made only {few}, too few to rule "
            "out chance. With a new connection for each request it makes many more."
        )
    return Experiment(renewed, reason + short)


def _longer(plan: LoadPlan, last: Snapshot, limits: Limits) -> Experiment | None:
    more = last.verdict.picks_to_decide
    if more is None or not last.requests:
        return None
    each = _requests_per_pick(plan, last)
    picks = MORE_THAN_NEEDED * ((last.verdict.effective_picks or 0.0) + more)
    if (last.verdict.long_run_cv or 0.0) <= CV_THRESHOLD:
        picks = max(picks, _picks_for_even(last.balance.pods))
    duration_s, short = _duration(plan, picks, last.requests / each / last.elapsed_s, limits)
    if duration_s < WORTH_WHILE * last.elapsed_s:
        return None
    reason = (
        f"Undecided after {last.elapsed_s:.0f} s with too few {last.verdict.unit}s: about {rounded(more):,} more would "
        f"decide, so the second run sends the same load for {duration_s:,.0f} s."
    )
    return Experiment(replace(plan, duration_s=duration_s), reason + short)


def _more_users(plan: LoadPlan, last: Snapshot, limits: Limits) -> Experiment | None:
    pods = last.balance.pods
    users = min(limits.users, ENOUGH_USERS_PER_POD * pods)
    if plan.users >= FEW_USERS_PER_POD * pods or users <= plan.users:
        return None
    reason = (
        f"Uneven with {count(plan.users, 'user')} for {pods} pods: with few connections open at once, a balancer that "
        "counts connections or ties a client to its pod cannot share them evenly. "
        f"A run with {users:,} users shows whether it can."
    )
    return Experiment(replace(plan, users=users), reason)


def _requests_per_pick(plan: LoadPlan, last: Snapshot) -> float:
    picks = last.verdict.effective_picks or 0.0
    return max(1.0, last.balance.requests / picks) if picks else float(plan.requests_per_connection or 1)


def _picks_for_even(pods: int) -> float:
    """Picks after which a balancer that picks at random is called even, but for LUCK."""
    unlucky = float(special.chdtri(pods - 1, LUCK))
    return noncentrality_bound(unlucky, pods - 1, TAIL) / CV_THRESHOLD**2


def _duration(plan: LoadPlan, picks: float, picks_per_s: float, limits: Limits) -> tuple[float, str]:
    """Seconds, at least the plan's own, and what to add to the reason when the limit is too short."""
    needed_s = plan.warm_up_s + picks / picks_per_s if picks_per_s > 0 else plan.duration_s
    duration_s = float(min(limits.duration_s, max(plan.duration_s, math.ceil(needed_s))))
    if duration_s >= needed_s:
        return duration_s, ""
    return duration_s, f" About {needed_s:,.0f} s would be needed; at most {duration_s:,.0f} s are allowed here."


def _decided(first: RunRecord, before: Verdict, after: Verdict, renewed: bool, changed: Change | None) -> str:
    if renewed:
        return _by_new_connections(first, before, after, changed)
    if after.kind is VerdictKind.UNDECIDED:
        return f"Still undecided{_how_many_more(after)}"
    if after.kind is VerdictKind.EVEN:
        return "Even now" if before.kind is VerdictKind.UNEVEN else "Decided: the balancer is even"
    return "Uneven again" if before.kind is VerdictKind.UNEVEN else "Decided: the balancer is uneven"


def _by_new_connections(first: RunRecord, before: Verdict, after: Verdict, changed: Change | None) -> str:
    kept = policy(first.plan.requests_per_connection)
    if after.kind is VerdictKind.UNDECIDED:
        return f"Still undecided with a new connection for each request{_how_many_more(after)}"
    if after.kind is VerdictKind.UNEVEN:
        return (
            "The connections are not the cause: with a new connection for each request the balancer is uneven "
            "too, so it or a pod is the cause"
        )
    even = "with a new connection for each request the balancer is even"
    if changed is Change.BETTER:
        return f"The connections were the cause: {even}, so with {kept} the load stayed on the pods where it started"
    if before.kind is VerdictKind.UNEVEN:
        return f"Not confirmed: {even}, and the imbalance seen with {kept} did not return"
    return f"Chance was the cause: {even}, so the differences with {kept} came from too few connections"


def _how_many_more(verdict: Verdict) -> str:
    more = verdict.picks_to_decide
    return "" if more is None else f", about {count(rounded(more), f'more {verdict.unit}')} would decide"


def _difference(comparison: Comparison) -> str:
    if not comparison.comparable:
        return f"by how much the runs differ cannot be said, since {comparison.reasons[0]}"
    cvs = f"from {comparison.first_cv:.3f} to {comparison.second_cv:.3f}"
    if comparison.changed is Change.CHANCE:
        return f"the two runs differ by no more than chance (long-run CV {cvs})"
    verb = "fell" if comparison.changed is Change.BETTER else "rose"
    return f"the long-run CV {verb} {cvs}, by more than chance"
