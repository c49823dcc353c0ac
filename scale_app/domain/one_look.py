"""The verdict of one look at the end, fixed in advance: a 95 % interval for the long-run CV.

Narrower than the interval that holds at every look (every_look.py); it errs more often the more often one looks.
"""

from __future__ import annotations

import math
from dataclasses import replace

from scale_app.domain import chance
from scale_app.domain.balance import CV_THRESHOLD
from scale_app.domain.chance import TAIL
from scale_app.domain.standing import (
    PICKS_PER_POD,
    STRICT_ALPHA,
    Judgement,
    Standing,
    VerdictKind,
    kind_of,
    needed_of_regular,
)

PICKS_PER_POD_TO_SEE_SKEWNESS = 20
SUPPOSED_SKEWNESS = 1.5  # of five pods of which one is hot
SPARSE_TAIL = 0.01


def at_one_look(standing: Standing) -> Judgement:
    """The interval, its rules for few picks, and what it says."""
    found = _regular(standing, _sparse(standing, _plain(standing)))
    kind, beyond = kind_of(found.cv_low, found.cv_high), found.p_uneven < STRICT_ALPHA
    needed = _needed(standing, found, beyond) if kind is VerdictKind.UNDECIDED else None
    return replace(found, kind=kind, beyond_chance=beyond, needed=needed)


def _plain(standing: Standing) -> Judgement:
    """The interval where picks are many. Its upper end never profits from luck: t counts as at least df."""
    n, t, df = standing.picks.effective, standing.t, standing.df
    # Few picks a pod make t lean to the right of any chi-square, hence the more careful lower end.
    below = TAIL if n >= PICKS_PER_POD * standing.fair.size else SPARSE_TAIL
    low = math.sqrt(chance.noncentrality_bound(t, df, 1 - below) / n)
    high = math.sqrt(chance.noncentrality_bound(max(t, df), df, TAIL) / n)
    return Judgement(
        VerdictKind.UNDECIDED,
        max(0.0, _widened(standing, low)),
        _widened(standing, high),
        chance.chance_above(t, df),
        chance.chance_at_most(t, df),
    )


def _widened(standing: Standing, bound: float) -> float:
    """The bound for pods as unlike as these: the noncentral chi-square knows small differences only."""
    middle = standing.long_run_cv
    moved = bound
    for _ in range(3):  # a fixed point, since the scatter is the one at the bound
        moved = middle + (bound - middle) * _widening(standing, max(0.0, moved))
    return moved


def _widening(standing: Standing, cv: float) -> float:
    """Standard deviation of t at this long-run CV over the one that the noncentral chi-square has, at least 1.

    A pod far above its share brings more scatter than the chi-square allows for, and so do few picks a pod.
    """
    n, df, pods = standing.picks.effective, standing.df, standing.fair.size
    assumed = 2 * df + 4 * n * cv**2
    actual = assumed + 4 * n * (_skewness(standing) * cv**3 - cv**4) + 6 * pods * cv**2
    return math.sqrt(max(1.0, actual / assumed))


def _skewness(standing: Standing) -> float:
    """Of the pods' own shares over their expected ones, chance taken out; at least a hot pod's while unseen."""
    n, fair, cv = standing.picks.effective, standing.fair, standing.long_run_cv
    least = SUPPOSED_SKEWNESS if n < PICKS_PER_POD_TO_SEE_SKEWNESS * fair.size else 0.0
    if cv <= 0:
        return least
    seen = float((fair * ((standing.parts - fair) / fair) ** 3).sum())
    by_chance = 3 * cv**2 * fair.size / n + float((1 / fair).sum()) / n**2
    most = math.sqrt(float((1 / fair).max()))
    return max(least, min(max((seen - by_chance) / cv**3, -most), most))


def _sparse(standing: Standing, found: Judgement) -> Judgement:
    """With few picks a pod, unevenness counts only if the recorded picks, drawn at random, hardly ever show it."""
    n, pods = standing.picks.effective, standing.fair.size
    if n < PICKS_PER_POD * pods:
        alpha = STRICT_ALPHA
    elif n * float(standing.fair.min()) < PICKS_PER_POD:
        alpha = TAIL
    else:
        return found
    if found.cv_low <= 0:
        return found
    p = chance.exact_p(standing.t, standing.fair, standing.picks, upper=True, alpha=alpha)
    if p is None:
        p = chance.bound_above(standing.t, standing.fair, n)
    return replace(found, cv_low=found.cv_low if p < alpha else 0.0, p_uneven=p)


def _regular(standing: Standing, found: Judgement) -> Judgement:
    """Round robin and least connections: their picks depend on one another, so chance's width does not apply."""
    if found.p_regular >= STRICT_ALPHA:
        return found
    n = standing.picks.effective
    p = chance.exact_p(standing.t, standing.fair, standing.picks, upper=False, alpha=STRICT_ALPHA)
    if p is None:
        p = chance.chance_below(standing.t, standing.fair, n)
    if p >= STRICT_ALPHA:
        return replace(found, p_regular=p)
    high = standing.cv + chance.half_a_pick_cv(standing.fair, n)
    return replace(found, cv_low=0.0, cv_high=high, p_regular=p, regular=True)


def _needed(standing: Standing, found: Judgement, beyond_chance: bool) -> float | None:
    if found.regular:
        return needed_of_regular(standing, found.cv_high)
    # What chance explains is no unevenness to count on: an estimate from it would jump from second to second.
    cv = standing.long_run_cv if beyond_chance else 0.0
    least = max(standing.picks.effective, PICKS_PER_POD * standing.fair.size)
    needed = chance.deciding_picks(cv, CV_THRESHOLD, standing.df, least)
    return needed and needed * _widening(standing, CV_THRESHOLD) ** 2
