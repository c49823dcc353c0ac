"""What would decide an undecided run: more of the same and for how long, or what to change and how long that takes."""

from __future__ import annotations

import math
from dataclasses import replace

from scale_app.domain.judgement import LEAST_FURTHER, STRICT_ALPHA, VerdictKind
from scale_app.domain.plan import LoadPlan
from scale_app.domain.verdict import Verdict
from scale_app.domain.verdict_sentence import OPEN_BY_CHANCE, count, rounded, three_digits
from scale_app.domain.window import Figures

LONG_S = 600.0
"""Who can get the verdict sooner by a change is told the change."""
TOO_LONG_S = 3_600.0
FEWER = (5, 1)
"""Requests per connection that are proposed, the one that costs the service less first."""
NEW_CONNECTION_COST = 3.0
"""How much longer a request takes, think time apart, when it opens a connection: 2.1 times on the built-in target, more
on a machine that is busy with it."""


NEWEST, MOST_STEP = 0.1, math.log(1.2)
"""The least weight of the newest look in an estimate, and how far that may move it at most, up or down. A balancer's CV
wanders while it is counted, and near the threshold what would decide it jumps: for CVs of 0.02 to 0.04 by more than
half in one of ten seconds. Weighted so it jumps in none, and is no further from the truth."""
NOBODY_WAITS_FROM = 0.5


class Prospect:
    """What would decide one run, as it is told from look to look."""

    def __init__(self) -> None:
        self._unit, self._looks = "", 0
        self._log_needed, self._too_many = 0.0, 0.0

    def told(self, verdict: Verdict, figures: Figures, plan: LoadPlan) -> Verdict:
        """The verdict of the whole run, with a sentence on what would decide it; as it is where nothing is open.

        picks_to_decide is None if these picks will not come, or if it takes millions for a score close to 0.95. Call
        once a look.
        """
        effective = verdict.effective_picks
        if verdict.kind is not VerdictKind.UNDECIDED or effective is None:
            return verdict
        if not verdict.sentence.startswith(OPEN_BY_CHANCE):
            return replace(verdict, picks_to_decide=None)
        so_far = _so_far(verdict, figures)
        more = self._steady(verdict, so_far)
        if more is None:
            return replace(verdict, picks_to_decide=None)
        needed, coming_per_s = effective * (1 + more / so_far), _coming_per_s(verdict, figures, plan, so_far + more)
        same_s = more / coming_per_s if coming_per_s else math.inf
        words = _by_fewer(needed, verdict, figures, plan) if same_s > LONG_S else ""
        by_more = same_s <= TOO_LONG_S
        words = words or (_by_more(more, same_s, verdict) if by_more else _too_long(needed, verdict, figures))
        come = coming_per_s > 0 and (by_more or _maybe_even(verdict))
        return replace(verdict, sentence=f"{verdict.sentence} {words}", picks_to_decide=more if come else None)

    def _steady(self, verdict: Verdict, so_far: int) -> int | None:
        """More of the verdict's unit, by this look and those before; None for too many. The one look at the end, and
        picks that are spread more evenly than chance, have estimates of their own, which do not jump."""
        more = verdict.picks_to_decide
        if not verdict.every_look or verdict.more_even_than_chance:
            return more
        if verdict.unit != self._unit:
            self._unit, self._looks, self._too_many = verdict.unit, 0, 0.0
        weight = max(NEWEST, 1 / (self._looks + 1))
        self._too_many += weight * ((more is None) - self._too_many)
        if more is not None:
            self._move(math.log(so_far + more), weight)
        if not self._looks or self._too_many >= NOBODY_WAITS_FROM:
            return None
        least = math.ceil((LEAST_FURTHER - 1) * so_far)
        return max(1, least, math.ceil(math.exp(self._log_needed)) - so_far)

    def _move(self, log_now: float, weight: float) -> None:
        step = weight * (log_now - self._log_needed)
        self._log_needed += max(-MOST_STEP, min(step, MOST_STEP)) if self._looks else step
        self._looks += 1


def requests_per_s_with(plan: LoadPlan, requests_per_s: float, requests_per_connection: int) -> float:
    """The rate that the plan's load reaches with other connections. requests_per_s: what it reached with its own."""
    if plan.arrivals_per_s is not None or requests_per_s <= 0:
        return requests_per_s
    taken_s = max(1e-6, plan.users / requests_per_s - plan.think_time_s)
    cost = 1 + (NEW_CONNECTION_COST - 1) / requests_per_connection
    return plan.users / (plan.think_time_s + cost * taken_s)


def _so_far(verdict: Verdict, figures: Figures) -> int:
    """How many of the verdict's unit there were, at least 1."""
    by_connection = verdict.unit == "connection"
    return max(1, sum((figures.whole.loads or {}).values()) if by_connection else figures.whole.attributed)


def _coming_per_s(verdict: Verdict, figures: Figures, plan: LoadPlan, needed: int) -> float:
    """Ones of the verdict's unit that come a second; 0 where there will not be as many as needed."""
    if verdict.unit != "connection":
        return figures.whole.per_second(figures.whole.attributed)
    if plan.requests_per_connection is None and not plan.locustfile and needed > plan.users:
        return 0.0
    # One that is older than the window has had a chance to switch pods with each of its answers.
    opened = sum(n for load, n in (figures.recent.loads or {}).items() if load.chances < load.requests)
    return figures.recent.per_second(opened)


def _by_fewer(needed: float, verdict: Verdict, figures: Figures, plan: LoadPlan) -> str:
    """Which number of requests per connection brings the needed effective picks in time, "" for none."""
    now, rate = plan.requests_per_connection, figures.whole.per_second(figures.whole.requests)
    fewer = [each for each in FEWER if now is None or each < now] if verdict.unit != "request" and rate else []
    spans = {each: needed * each / requests_per_s_with(plan, rate, each) for each in fewer}
    usable = [each for each in spans if spans[each] <= TOO_LONG_S]
    if not usable:
        return ""
    best = next((each for each in usable if spans[each] <= LONG_S), usable[-1])
    instead = "keep-alive" if now is None else str(now)
    words = f"With {count(best, 'request')} per connection instead of {instead}, about {_span(spans[best])}"
    return f"{words} would decide{_if_even(verdict, 'less')}."


def _by_more(more: int, same_s: float, verdict: Verdict) -> str:
    words = f"About {count(rounded(more), f'more {verdict.unit}')} would decide{_if_even(verdict, 'fewer')}"
    return f"{words}: about {_span(same_s)} at this rate."


def _too_long(needed: float, verdict: Verdict, figures: Figures) -> str:
    if not _maybe_even(verdict) and not verdict.more_even_than_chance:
        return f"The score is so close to 0.95 that more {verdict.unit}s will hardly decide."
    each = "" if verdict.unit == "request" else ", each on a connection of its own,"
    now = figures.whole.per_second(figures.whole.requests)
    return (
        f"About {rounded(math.ceil(needed / LONG_S)):,} requests/s{each} would decide within {_span(LONG_S)}"
        f"{_if_even(verdict, 'fewer')}; now it is {three_digits(now)} requests/s."
    )


def _maybe_even(verdict: Verdict) -> bool:
    """What is needed was computed for a balancer that is even, as chance explains what is seen."""
    return not verdict.more_even_than_chance and (verdict.p_uneven is None or verdict.p_uneven >= STRICT_ALPHA)


def _if_even(verdict: Verdict, less: str) -> str:
    return f" if it is even, {less} if it is not" if _maybe_even(verdict) else ""


def _span(seconds: float) -> str:
    """Two digits: an estimate should look like one."""
    if seconds >= LONG_S:
        return f"{math.ceil(seconds / 60):,} min"
    whole = max(1, math.ceil(seconds))
    return f"{whole if whole < 100 else math.ceil(whole / 10) * 10} s"
