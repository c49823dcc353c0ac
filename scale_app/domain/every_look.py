"""The verdict that may be looked at every second: it holds at all looks together, and needs somewhat more picks.

A fair balancer is ever called UNEVEN with a probability of at most 1/UNEVEN_FROM, and a balancer at or beyond the
threshold is ever called EVEN with at most 1/EVEN_FROM (evidence.py). A window that slides along with the clock is a new
window at each look, so its verdict needs more evidence.
"""

from __future__ import annotations

import math

from scale_app.domain import chance
from scale_app.domain.balance import CV_THRESHOLD
from scale_app.domain.evidence import deciding_picks, highest_cv, log_even, log_uneven, lowest_cv
from scale_app.domain.standing import (
    PICKS_PER_POD,
    STRICT_ALPHA,
    Judgement,
    Standing,
    VerdictKind,
    kind_of,
    needed_of_regular,
)

EVEN_FROM = 20.0
UNEVEN_FROM = 100.0
SLIDING_FROM = 1e4
REGULAR_FROM = 1e3
MOST_EVIDENCE = 1e12
"""What is told of evidence; beyond it nobody asks how much."""
ABOVE = 1 + 1e-6


def at_every_look(standing: Standing, log_regular: float = 0.0, sliding: bool = False) -> Judgement:
    """What the evidence says. log_regular: for picks that are spread more evenly than chance (`evidence.log_regular`).

    sliding: the window moves along with the clock.
    """
    n, t, df = standing.picks.effective, standing.t, standing.df
    even, uneven = log_even(n, t, df), log_uneven(standing.parts, standing.fair, n)
    even_from, uneven_from = (math.log(SLIDING_FROM if sliding else each) for each in (EVEN_FROM, UNEVEN_FROM))
    regular = log_regular >= math.log(REGULAR_FROM) and t <= df and uneven < uneven_from
    beyond = chance.chance_above(t, df) < STRICT_ALPHA
    needed: float | None
    if regular:
        low, high = 0.0, standing.cv + chance.half_a_pick_cv(standing.fair, n)
        kind, needed = kind_of(low, high), needed_of_regular(standing, high)
    else:
        kind = _kind(even >= even_from, uneven >= uneven_from)
        low, high = _interval(standing, kind, even_from, uneven_from)
        needed = _needed(standing, beyond, even_from, uneven_from)
    return Judgement(
        kind,
        low,
        high,
        chance.chance_above(t, df),
        chance.chance_at_most(t, df),
        regular,
        beyond,
        needed if kind is VerdictKind.UNDECIDED else None,
        _told(even),
        _told(uneven),
    )


def _kind(even: bool, uneven: bool) -> VerdictKind:
    """Both cannot be for long: where counts say that one pod differs, the work is not even."""
    if uneven:
        return VerdictKind.UNEVEN
    return VerdictKind.EVEN if even else VerdictKind.UNDECIDED


def _interval(standing: Standing, kind: VerdictKind, even_from: float, uneven_from: float) -> tuple[float, float]:
    """The long-run CVs that no evidence refutes. Where the verdict knows more than the chi-square, it has the say."""
    n, t, df = standing.picks.effective, standing.t, standing.df
    low, high = lowest_cv(n, t, df, uneven_from), highest_cv(n, t, df, even_from)
    if kind is VerdictKind.UNEVEN:
        return max(low, CV_THRESHOLD * ABOVE), max(high, CV_THRESHOLD * ABOVE)
    if kind is VerdictKind.EVEN:
        return min(low, CV_THRESHOLD), min(high, CV_THRESHOLD)
    return min(low, CV_THRESHOLD), max(high, CV_THRESHOLD * ABOVE)


def _needed(standing: Standing, beyond_chance: bool, even_from: float, uneven_from: float) -> float | None:
    # What chance explains is no unevenness to count on: an estimate from it would jump from second to second.
    cv = standing.long_run_cv if beyond_chance else 0.0
    least = max(standing.picks.effective, PICKS_PER_POD * standing.fair.size)
    return deciding_picks(cv, standing.df, least, even_from, uneven_from)


def _told(log_evidence: float) -> float:
    return math.exp(min(log_evidence, math.log(MOST_EVIDENCE)))
