"""What is bad enough to tell people: limits, each judged in the recent window, and the imbalance, told by evidence.

A limit counts as broken only when chance at the limit itself hardly ever looks like this, so a figure that hovers about
its limit is raised once and not every few seconds.

The alert on an imbalance begins on evidence and ends on evidence, so it needs no hysteresis. It is raised when the
evidence against a fair balancer is ALERT_FROM since the start, or since the last such alert was over: a fair balancer
does so in at most one run of ALERT_FROM. In the last 10 or 60 seconds, another window at each look, it takes
SLIDING_ALERT_FROM: looked at every second, a fair one does so in less than one of 100 hours.

It is over when the last 10 or 60 seconds refute that half of the imbalance is left: their picks are OVER_FROM times
likelier under the fair shares than under shares half-way to those of the alert. Too few picks to tell end nothing, and
neither does a pod that is quiet for a while where nobody tells whether it is still there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from scale_app.domain.alert import Alert, AlertChange, AlertKind, AlertWatch, Reading, ReadingState
from scale_app.domain.balance import CV_THRESHOLD, THRESHOLD, Balance, cv_squared
from scale_app.domain.chance import residuals
from scale_app.domain.histogram import Histogram, bucket_ms
from scale_app.domain.numerics import np, special
from scale_app.domain.plan import LoadPlan
from scale_app.domain.verdict import COVERAGE_FLOOR, Verdict, VerdictKind
from scale_app.domain.verdict_sentence import milliseconds, percents
from scale_app.domain.window import Figures, Window

RAISE_BELOW_P = 1e-6
"""A healthy balancer is looked at once a second: at this level ten hours of looking raise a false alert in < 4 %."""
MIN_REQUESTS_PER_POD = 20
MIN_REQUESTS = 20
BEYOND_P95 = 0.05
RELATIVE_STEP = 0.2
UNCLEAR = Reading("unclear", THRESHOLD)


class Alerts:
    """Every rule of one run's plan."""

    def __init__(self, plan: LoadPlan) -> None:
        self._warm_up_s = plan.warm_up_s
        self._limits = _limits_of(plan)
        self._watches = {rule: AlertWatch(rule) for rule in rules_of(plan)}
        self._imbalance = ImbalanceRule()

    def observe(self, at_s: float, figures: Figures) -> list[AlertChange]:
        """Judge one sample by every rule. at_s: seconds since the load began; in the warm-up nothing is judged."""
        if at_s < self._warm_up_s:
            return []
        changes = (watch.observe(at_s, self._reading(rule, watch, figures)) for rule, watch in self._watches.items())
        return [change for change in changes if change]

    def _reading(self, rule: AlertKind, watch: AlertWatch, figures: Figures) -> Reading:
        recent, score = figures.recent, figures.recent.balance.score
        match rule:
            case "verdict":
                return self._imbalance.reading(figures, active=watch.active is not None)
            case "score":
                return score_reading(recent.balance, recent.verdict.effective_picks)
            case "pod_share":
                return pod_share_reading(self._limits[rule], recent, score)
            case "p95":
                return p95_reading(self._limits[rule], recent.latency, score)
            case "failures":
                return failures_reading(self._limits[rule], recent, score)

    @property
    def active(self) -> tuple[Alert, ...]:
        """Those that are on now, the imbalance first."""
        return tuple(watch.active for watch in self._watches.values() if watch.active)


def rules_of(plan: LoadPlan) -> list[AlertKind]:
    """The rules that a plan switches on, the one on the balance first."""
    return [plan.alert_rule, *_limits_of(plan)]


def _limits_of(plan: LoadPlan) -> dict[AlertKind, float]:
    limits: dict[AlertKind, float | None] = {
        "pod_share": plan.max_pod_share,
        "p95": plan.max_p95_ms,
        "failures": plan.max_failure_share,
    }
    return {rule: limit for rule, limit in limits.items() if limit is not None}


def score_reading(balance: Balance, picks: float | None) -> Reading:
    """The imbalance by the bare score. picks: effective ones."""
    if balance.score is None or balance.cv is None or balance.requests < MIN_REQUESTS_PER_POD * balance.pods:
        return UNCLEAR
    message = f"The balance score of the last seconds is {balance.score:.2f}, below {THRESHOLD:.2f}."
    return _of_balance("good" if balance.balanced else "bad", message, balance, picks)


def _of_balance(state: ReadingState, message: str, now: Balance, picks: float | None, at_once: bool = False) -> Reading:
    return Reading(
        state,
        THRESHOLD,
        message,
        value=now.score,
        balance_score=now.score,
        measure=now.cv or 0.0,
        step=step_of(now, picks),
        at_once=at_once,
    )


def pod_share_reading(limit: float, recent: Window, score: float | None) -> Reading:
    """The busiest pod's part of the requests that are ascribed to pods. limit: 0..1."""
    total = recent.attributed
    if not total or total < COVERAGE_FLOOR * recent.due:
        return Reading("unclear", limit)
    pod = max(sorted(recent.pods), key=lambda name: recent.pods[name].requests)
    requests = recent.pods[pod].requests
    got, most = percents(requests / total, limit)
    message = f"Pod {pod} answered {got} of the requests in the last seconds, above the limit of {most}."
    return _share(requests, total, limit, message, score, pod)


def p95_reading(limit_ms: float, latency: Histogram, score: float | None) -> Reading:
    """The 95th percentile of the latency of answers and timeouts."""
    p95_ms = latency.quantile_ms(1 - BEYOND_P95)
    if p95_ms is None or latency.total < MIN_REQUESTS:
        return Reading("unclear", limit_ms)
    slower = sum(count for bucket, count in latency.counts.items() if bucket_ms(bucket) > limit_ms)
    state = _state(slower, latency.total, BEYOND_P95, p95_ms <= limit_ms)
    message = f"Latency p95 in the last seconds is {milliseconds(p95_ms)}, above the limit of {milliseconds(limit_ms)}."
    return Reading(state, limit_ms, message, p95_ms, score, measure=p95_ms, step=RELATIVE_STEP * p95_ms)


def failures_reading(limit: float, recent: Window, score: float | None) -> Reading:
    """The failed part of all requests that ended. limit: 0..1."""
    if not recent.requests:
        return Reading("unclear", limit)
    got, most = percents(recent.failures / recent.requests, limit)
    message = (
        f"{got} of the requests in the last seconds failed ({recent.failures:,} of {recent.requests:,}), "
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


ALERT_FROM = 1e4
SLIDING_ALERT_FROM = 1e6
OVER_FROM = 100.0
STILL_UNEVEN_FROM = 1.0
LEAST_PART = 0.02
LEAST_PICKS = 20.0
STANDS_OUT_FROM = 0.5
SCORE_STEP_CV = 0.025
NOISE_STEPS = 4.0


def alert_odds(verdict: Verdict, sliding: bool) -> float:
    """How far the evidence is beyond what an alert takes; from 1 on it is one. sliding: see Window."""
    if verdict.evidence_uneven is None or verdict.kind is not VerdictKind.UNEVEN:
        return 0.0
    return verdict.evidence_uneven / (SLIDING_ALERT_FROM if sliding else ALERT_FROM)


class ImbalanceRule:
    """One run's rule. It remembers which pods the alert that is on is about."""

    def __init__(self) -> None:
        self._ratios: Mapping[str, float] = {}
        self._seen: dict[str, int] = {}

    def reading(self, figures: Figures, active: bool) -> Reading:
        """What the figures say to an alert that is on (active) or off. Total."""
        if active:
            return self._of_active(figures)
        # What was before the last alert was over is no evidence for another one.
        since = figures.since_alert
        lately = (window for window in (figures.recent, figures.minute) if window.seconds <= since.seconds)
        worst = max((*lately, since, *figures.quiet), key=_odds)
        if _odds(worst) < 1:
            return UNCLEAR
        self._ratios, self._seen = _ratios(worst), {}
        return _bad(figures, worst)

    def _of_active(self, figures: Figures) -> Reading:
        if silent := [window for window in figures.quiet if _odds(window) >= 1]:
            return _bad(figures, silent[0])
        if not self._may_be_there(figures) and (over := self._over(figures)):
            return Reading("good", THRESHOLD, over, at_once=True)
        # An update tells the present figures, not those of a longer time in which they were worse or better.
        if figures.recent.verdict.kind is not VerdictKind.UNEVEN:
            return UNCLEAR
        return _bad(figures, figures.recent)

    def _may_be_there(self, figures: Figures) -> bool:
        """Nobody tells which pods there are, and one that the imbalance is about is quiet, for no longer than it is in
        one of OVER_FROM cases by the share that it had."""
        recent, whole, total = figures.recent, figures.whole, figures.whole.attributed
        quiet = (self._ratios.keys() & whole.pods.keys()) - set(recent.eligible)
        self._seen |= {name: total for name in self._ratios if name not in quiet or name not in self._seen}
        if recent.roster_known or not quiet:
            return False
        picks = (whole.verdict.effective_picks or 0.0) / total
        seen = {name: self._seen[name] for name in quiet}
        missed = min(picks * whole.pods[name].requests * (total / at - 1) for name, at in seen.items())
        return missed < math.log(OVER_FROM)

    def _over(self, figures: Figures) -> str:
        """Why the imbalance is over, one complete sentence; "" while that is open."""
        if len(figures.recent.eligible) == 1 and figures.recent.attributed:
            return "The imbalance is over: there is one pod now, so nothing to share."
        for window in (figures.recent, figures.minute):
            if (window.verdict.evidence_uneven or math.inf) > STILL_UNEVEN_FROM:
                return ""
            if sentence := self._refuted(window, figures.recent.balance):
                return sentence
        return ""

    def _refuted(self, window: Window, now: Balance) -> str:
        n, names, attributed = window.verdict.effective_picks or 0.0, window.eligible, window.attributed
        if len(names) < 2 or not attributed or n < LEAST_PICKS:
            return ""
        fair = np.array([window.expected[name] for name in names])
        fair = fair / fair.sum()
        half = fair * np.maximum(1 + (np.array([self._ratios.get(name, 1.0) for name in names]) - 1) / 2, LEAST_PART)
        half = half / half.sum()
        if cv_squared(half, fair) < CV_THRESHOLD**2:
            return "The imbalance is over: the pods concerned no longer share the work."
        parts = np.array([window.pods[name].requests for name in names]) / attributed
        if n * float(parts @ np.log(fair / half)) < math.log(OVER_FROM):
            return ""
        score = "" if now.score is None else f" (score now {now.score:.2f})"
        return (
            f"The imbalance is over: the last {window.seconds:.0f} seconds are more than {OVER_FROM:.0f} times "
            f"likelier with even work than with half of the imbalance{score}."
        )


def _odds(window: Window) -> float:
    return alert_odds(window.verdict, window.sliding)


def _ratios(window: Window) -> dict[str, float]:
    """Share over fair share of the pods that the imbalance is about: those that stand out at least half as far as the
    one that does most. What one gets too much or too little, the others share."""
    due, attributed = sum(window.expected.values()), window.attributed
    counts = {name: window.pods[name].requests for name in window.eligible}
    z, _ = residuals(list(counts.values()), [window.expected[name] for name in counts], window.verdict.effective_picks)
    ratios = {name: count / attributed / (window.expected[name] / due) for name, count in counts.items()}
    far = abs(z) >= STANDS_OUT_FROM * abs(z).max()
    return {name: ratios[name] for name, is_far in zip(counts, far.tolist(), strict=True) if is_far}


def _bad(figures: Figures, window: Window) -> Reading:
    sentence = _with_window(window, figures.whole)
    return _of_balance("bad", sentence, figures.recent.balance, window.verdict.effective_picks, at_once=True)


def _with_window(window: Window, whole: Window) -> str:
    """The window's sentence, which names it where the verdict on the whole run, with other figures, stands beside."""
    if window is whole or window.quiet:
        return window.verdict.sentence
    when = f"in the last {window.seconds:.0f} s" if window.sliding else "since the last alert"
    return window.verdict.sentence.replace("Uneven:", f"Uneven {when}:", 1)


def step_of(balance: Balance, picks: float | None) -> float:
    """The smallest change of the CV that is worth telling. picks: effective ones."""
    return max(SCORE_STEP_CV, NOISE_STEPS * _cv_noise(balance.cv or 0.0, balance.pods, picks))


def _cv_noise(cv: float, pods: int, picks: float | None) -> float:
    """Standard deviation of the CV itself, by how far its chi-square scatters."""
    if not picks or cv <= 0:
        return 0.0
    return math.sqrt(2 * (pods - 1) + 4 * picks * cv**2) / (2 * picks * cv)
