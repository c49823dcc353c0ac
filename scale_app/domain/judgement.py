"""A window's counts and the judgement that they give: at every look while a run goes on, at one look at its end.

At every look a fair balancer is ever called UNEVEN with a probability of at most 1/UNEVEN_FROM, and a balancer at or
beyond the threshold is ever called EVEN with at most 1/EVEN_FROM (evidence.py). A window that slides along with the
clock is a new window at each look, so its judgement needs more evidence.

One look, fixed in advance, gives a 95 % interval for the long-run CV. It is narrower than the one that holds at every
look, and errs more often the more often one looks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial

from scale_app.domain import chance, evidence
from scale_app.domain.balance import CV_THRESHOLD, THRESHOLD, cv_squared, score_of
from scale_app.domain.chance import TAIL
from scale_app.domain.numerics import Array, np
from scale_app.domain.picks import Picks

PICKS_PER_POD = 5
STRICT_ALPHA = 0.001

EVEN_FROM = 20.0
UNEVEN_FROM = 100.0
SLIDING_FROM = 1e4
REGULAR_FROM = 1e3
MOST_EVIDENCE = 1e12
"""What is told of evidence; beyond it nobody asks how much."""
ABOVE = 1 + 1e-6

LEAST_FURTHER = 1.1
"""What is still undecided takes a tenth more at least, however little seems to be missing."""

PICKS_PER_POD_TO_SEE_SKEWNESS = 20
SUPPOSED_SKEWNESS = 1.5  # of five pods of which one is hot
SPARSE_TAIL = 0.01


class VerdictKind(StrEnum):
    EVEN = "EVEN"
    UNEVEN = "UNEVEN"
    UNDECIDED = "UNDECIDED"
    NO_DATA = "NO_DATA"


@dataclass(frozen=True, slots=True)
class Standing:
    """A window's counts as they are judged.

    parts, fair: observed and fair share per pod, shape (k,). cv: of the counts. t: Pearson's chi-square in effective
    picks, df its degrees of freedom. roster_known: see Window. names: of the pods, () where nobody gave them.
    """

    parts: Array
    fair: Array
    picks: Picks
    df: int
    cv: float
    t: float
    roster_known: bool = True
    names: Sequence[str] = ()

    @property
    def long_run_cv(self) -> float:
        """What t has beyond chance, as a CV."""
        return math.sqrt(max(0.0, self.t - self.df) / self.picks.effective)

    @property
    def noise_cv(self) -> float:
        """The CV of a fair random balancer."""
        return math.sqrt(self.df / self.picks.effective)

    @property
    def regular_cv_high(self) -> float:
        """The upper end of the long-run CV of picks that depend on one another, where chance's width does not apply:
        round robin and least connections."""
        return self.cv + chance.half_a_pick_cv(self.fair, self.picks.effective)

    @property
    def worst(self) -> int:
        """The pod that is furthest from its fair share, by its z up to a common factor."""
        gap = (self.parts - self.fair) / np.sqrt(self.fair * (1 - self.fair))
        return int(gap.argmax() if gap.max() >= -gap.min() * (1 - 1e-9) else gap.argmin())


def standing_of(
    parts: Array, fair: Array, picks: Picks, roster_known: bool = True, names: Sequence[str] = ()
) -> Standing:
    """parts, fair: shape (k,), sums 1. roster_known: see Window. names: of the pods, if they are known."""
    squared = cv_squared(parts, fair)
    t = picks.effective * squared
    return Standing(parts, fair, picks, fair.size - 1, math.sqrt(squared), t, roster_known, names)


@dataclass(frozen=True, slots=True)
class Judgement:
    """cv_low..cv_high: the interval of the long-run CV. p_uneven, p_regular, regular: see Verdict.

    beyond_chance: chance alone does not explain the unevenness, whatever its size. needed: effective picks at which it
    is decided, None when it is or nobody can wait. evidence_even, evidence_uneven: e-values, None at one look.
    """

    kind: VerdictKind
    cv_low: float
    cv_high: float
    p_uneven: float
    p_regular: float
    regular: bool = False
    beyond_chance: bool = False
    needed: float | None = None
    evidence_even: float | None = None
    evidence_uneven: float | None = None


ONE_POD = Judgement(VerdictKind.EVEN, 0.0, 0.0, 1.0, 1.0)


def at_every_look(standing: Standing, log_regular: float = 0.0, sliding: bool = False) -> Judgement:
    """What the evidence says. log_regular: for picks that are spread more evenly than chance (`evidence.log_regular`).

    sliding: the window moves along with the clock.
    """
    if not standing.df:
        return ONE_POD
    n, t, df = standing.picks.effective, standing.t, standing.df
    even, uneven = evidence.log_even(n, t, df), evidence.log_uneven(standing.parts, standing.fair, n)
    even_from, uneven_from = (math.log(SLIDING_FROM if sliding else each) for each in (EVEN_FROM, UNEVEN_FROM))
    regular = log_regular >= math.log(REGULAR_FROM) and t <= df and uneven < uneven_from
    if regular:
        low, high = 0.0, standing.regular_cv_high
        kind = _kind_of(low, high)
    else:
        kind = _kind(even >= even_from, uneven >= uneven_from)
        low, high = _interval(standing, kind, even_from, uneven_from)
    p_uneven, p_regular = chance.chance_above(t, df), chance.chance_at_most(t, df)
    beyond = p_uneven < STRICT_ALPHA
    found = Judgement(kind, low, high, p_uneven, p_regular, regular, beyond, None, _told(even), _told(uneven))
    return _with_needed(
        standing, found, lambda cv, least: evidence.deciding_picks(cv, df, least, even_from, uneven_from)
    )


def _with_needed(standing: Standing, found: Judgement, deciding: Callable[[float, float], float | None]) -> Judgement:
    """The judgement, and while it is open the picks that decide it. deciding: such picks for a long-run CV, at least so
    many."""
    if found.kind is not VerdictKind.UNDECIDED:
        return found
    n = standing.picks.effective
    if found.regular:  # the gap between pods stays the same number of picks while the picks grow
        return replace(found, needed=n * found.cv_high / CV_THRESHOLD)
    # What chance explains is no unevenness to count on: an estimate from it would jump from second to second. But with
    # half of the picks that an even balancer takes, the counts say better how many more this one does.
    least = max(n, PICKS_PER_POD * standing.fair.size)
    needed = None if found.beyond_chance else deciding(0.0, least)
    if needed is None or n > needed / 2:
        needed = deciding(standing.long_run_cv, least)
    return replace(found, needed=needed and max(needed, LEAST_FURTHER * n))


def _kind(even: bool, uneven: bool) -> VerdictKind:
    """Both cannot be for long: where counts say that one pod differs, the work is not even."""
    if uneven:
        return VerdictKind.UNEVEN
    return VerdictKind.EVEN if even else VerdictKind.UNDECIDED


def _interval(standing: Standing, kind: VerdictKind, even_from: float, uneven_from: float) -> tuple[float, float]:
    """The long-run CVs that no evidence refutes. Where the verdict knows more than the chi-square, it has the say."""
    n, t, df = standing.picks.effective, standing.t, standing.df
    low, high = evidence.lowest_cv(n, t, df, uneven_from), evidence.highest_cv(n, t, df, even_from)
    if kind is VerdictKind.UNEVEN:
        return max(low, CV_THRESHOLD * ABOVE), max(high, CV_THRESHOLD * ABOVE)
    if kind is VerdictKind.EVEN:
        return min(low, CV_THRESHOLD), min(high, CV_THRESHOLD)
    return min(low, CV_THRESHOLD), max(high, CV_THRESHOLD * ABOVE)


def _told(log_evidence: float) -> float:
    return math.exp(min(log_evidence, math.log(MOST_EVIDENCE)))


def at_one_look(standing: Standing) -> Judgement:
    """The interval, its rules for few picks, and what it says."""
    if not standing.df:
        return ONE_POD
    found = _regular(standing, _sparse(standing, _plain(standing)))
    kind, beyond = _kind_of(found.cv_low, found.cv_high), found.p_uneven < STRICT_ALPHA
    return _with_needed(standing, replace(found, kind=kind, beyond_chance=beyond), partial(_deciding, standing))


def _kind_of(cv_low: float, cv_high: float) -> VerdictKind:
    if score_of(cv_high) >= THRESHOLD:
        return VerdictKind.EVEN
    return VerdictKind.UNEVEN if score_of(cv_low) < THRESHOLD else VerdictKind.UNDECIDED


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
    if found.p_regular >= STRICT_ALPHA:
        return found
    p = chance.exact_p(standing.t, standing.fair, standing.picks, upper=False, alpha=STRICT_ALPHA)
    if p is None:
        p = chance.chance_below(standing.t, standing.fair, standing.picks.effective)
    if p >= STRICT_ALPHA:
        return replace(found, p_regular=p)
    return replace(found, cv_low=0.0, cv_high=standing.regular_cv_high, p_regular=p, regular=True)


def _deciding(standing: Standing, cv: float, least: float) -> float | None:
    needed = chance.deciding_picks(cv, CV_THRESHOLD, standing.df, least)
    return needed and needed * _widening(standing, CV_THRESHOLD) ** 2
