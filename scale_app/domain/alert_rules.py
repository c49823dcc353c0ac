"""What is bad enough to tell people: one small function a rule, each judging the recent window.

The imbalance by the verdict is told by evidence and has a module of its own, imbalance.py. A limit counts as broken
only when chance at the limit itself hardly ever looks like this, so a figure that hovers about its limit is raised once
and not every few seconds.
"""

from __future__ import annotations

import math

from scale_app.domain.alert import Alert, AlertChange, AlertKind, AlertWatch, Reading, ReadingState
from scale_app.domain.balance import THRESHOLD, Balance
from scale_app.domain.histogram import Histogram, bucket_ms
from scale_app.domain.imbalance import NOISE_STEPS, ImbalanceRule, step_of
from scale_app.domain.numerics import special
from scale_app.domain.plan import LoadPlan
from scale_app.domain.verdict import COVERAGE_FLOOR
from scale_app.domain.verdict_sentence import milliseconds, percents
from scale_app.domain.window import Figures, Window

RAISE_BELOW_P = 1e-6
"""A healthy balancer is looked at once a second: at this level ten hours of looking raise a false alert in < 4 %."""
MIN_REQUESTS_PER_POD = 20
MIN_REQUESTS = 20
BEYOND_P95 = 0.05
RELATIVE_STEP = 0.2


class Alerts:
    """Every rule of one run's plan."""

    def __init__(self, plan: LoadPlan) -> None:
        self._plan = plan
        self._watches = {rule: AlertWatch(rule) for rule in rules_of(plan)}
        self._imbalance = ImbalanceRule()

    def observe(self, at_s: float, figures: Figures) -> list[AlertChange]:
        """Judge one sample by every rule. at_s: seconds since the load began; in the warm-up nothing is judged."""
        if at_s < self._plan.warm_up_s:
            return []
        changes = (watch.observe(at_s, self._reading(rule, watch, figures)) for rule, watch in self._watches.items())
        return [change for change in changes if change]

    def _reading(self, rule: AlertKind, watch: AlertWatch, figures: Figures) -> Reading:
        if rule == "verdict":
            return self._imbalance.reading(figures, active=watch.active is not None)
        return reading(rule, self._plan, figures)

    @property
    def active(self) -> tuple[Alert, ...]:
        """Those that are on now, the imbalance first."""
        return tuple(watch.active for watch in self._watches.values() if watch.active)


def rules_of(plan: LoadPlan) -> list[AlertKind]:
    """The rules that a plan switches on, the one on the balance first."""
    limits: dict[AlertKind, float | None] = {
        "pod_share": plan.max_pod_share,
        "p95": plan.max_p95_ms,
        "failures": plan.max_failure_share,
    }
    return [plan.alert_rule, *(rule for rule, limit in limits.items() if limit is not None)]


def reading(rule: AlertKind, plan: LoadPlan, figures: Figures) -> Reading:
    """What a rule of the plan says of the recent window. Total."""
    score = figures.recent_balance.score
    if rule == "pod_share" and plan.max_pod_share is not None:
        return pod_share_reading(plan.max_pod_share, figures.recent, score)
    if rule == "p95" and plan.max_p95_ms is not None:
        return p95_reading(plan.max_p95_ms, figures.recent.latency, score)
    if rule == "failures" and plan.max_failure_share is not None:
        return failures_reading(plan.max_failure_share, figures.recent, score)
    return score_reading(figures.recent_balance, figures.recent_verdict.effective_picks)


def score_reading(balance: Balance, picks: float | None) -> Reading:
    """The imbalance by the bare score. picks: effective ones."""
    if balance.score is None or balance.cv is None or balance.requests < MIN_REQUESTS_PER_POD * balance.pods:
        return Reading("unclear", THRESHOLD)
    return Reading(
        "good" if balance.balanced else "bad",
        THRESHOLD,
        f"The balance score of the last seconds is {balance.score:.2f}, below {THRESHOLD:.2f}.",
        value=balance.score,
        balance_score=balance.score,
        measure=balance.cv,
        step=step_of(balance, picks),
    )


def pod_share_reading(limit: float, recent: Window, score: float | None) -> Reading:
    """The busiest pod's part of the requests that are ascribed to pods. limit: 0..1."""
    total = recent.attributed
    if not total or total < COVERAGE_FLOOR * recent.due:
        return Reading("unclear", limit)
    pod = max(sorted(recent.pods), key=lambda name: recent.pods[name].requests)
    got, most = percents(recent.pods[pod].requests / total, limit)
    message = f"Pod {pod} answered {got} of the requests of the last seconds, above the limit of {most}."
    return _share(recent.pods[pod].requests, total, limit, message, score, pod)


def p95_reading(limit_ms: float, latency: Histogram, score: float | None) -> Reading:
    """The 95th percentile of the answers' latency; a request without an answer has none."""
    p95_ms = latency.quantile_ms(1 - BEYOND_P95)
    if p95_ms is None or latency.total < MIN_REQUESTS:
        return Reading("unclear", limit_ms)
    slower = sum(count for bucket, count in latency.counts.items() if bucket_ms(bucket) > limit_ms)
    state = _state(slower, latency.total, BEYOND_P95, p95_ms <= limit_ms)
    message = (
        f"The 95th percentile of the latency of the last seconds is {milliseconds(p95_ms)}, "
        f"above the limit of {milliseconds(limit_ms)}."
    )
    step_ms = RELATIVE_STEP * p95_ms
    return Reading(state, limit_ms, message, p95_ms, score, measure=p95_ms, step=step_ms)


def failures_reading(limit: float, recent: Window, score: float | None) -> Reading:
    """The failed part of all requests that ended. limit: 0..1."""
    if not recent.requests:
        return Reading("unclear", limit)
    got, most = percents(recent.failures / recent.requests, limit)
    message = (
        f"{got} of the requests of the last seconds failed ({recent.failures:,} of {recent.requests:,}), "
        f"above the limit of {most}."
    )
    return _share(recent.failures, recent.requests, limit, message, score)


def _share(count: int, total: int, limit: float, message: str, score: float | None, subject: str = "") -> Reading:
    if total < MIN_REQUESTS:
        return Reading("unclear", limit)
    share = count / total
    noise = math.sqrt(share * (1 - share) / total)
    return Reading(
        _state(count, total, limit, share <= limit),
        limit,
        message,
        value=share,
        balance_score=score,
        measure=share,
        step=max(RELATIVE_STEP * share, NOISE_STEPS * noise),
        subject=subject,
    )


def _state(count: int, total: int, limit: float, within: bool) -> ReadingState:
    if within:
        return "good"
    at_least_so_many = float(special.bdtrc(count - 1, total, limit)) if limit < 1 else 1.0
    return "bad" if at_least_so_many < RAISE_BELOW_P else "unclear"
