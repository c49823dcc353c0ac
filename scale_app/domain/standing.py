"""A window's counts as the verdict needs them, and the judgement that they give."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from scale_app.domain.balance import CV_THRESHOLD, THRESHOLD, cv_squared, score_of
from scale_app.domain.numerics import Array, np
from scale_app.domain.picks import Picks


class VerdictKind(StrEnum):
    EVEN = "EVEN"
    UNEVEN = "UNEVEN"
    UNDECIDED = "UNDECIDED"
    NO_DATA = "NO_DATA"


PICKS_PER_POD = 5
STRICT_ALPHA = 0.001


@dataclass(frozen=True, slots=True)
class Standing:
    """Two pods or more that answered something.

    parts, fair: observed and fair share per pod, shape (k,). cv: of the counts. t: Pearson's chi-square in effective
    picks, df its degrees of freedom.
    """

    parts: Array
    fair: Array
    picks: Picks
    df: int
    cv: float
    t: float

    @property
    def long_run_cv(self) -> float:
        """What t has beyond chance, as a CV."""
        return math.sqrt(max(0.0, self.t - self.df) / self.picks.effective)

    @property
    def noise_cv(self) -> float:
        """The CV that chance alone gives."""
        return math.sqrt(self.df / self.picks.effective)

    @property
    def worst(self) -> int:
        """The pod that is furthest from its fair share, by its z up to a common factor."""
        gap = (self.parts - self.fair) / np.sqrt(self.fair * (1 - self.fair))
        return int(gap.argmax() if gap.max() >= -gap.min() * (1 - 1e-9) else gap.argmin())


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


def standing_of(parts: Array, fair: Array, picks: Picks) -> Standing:
    """parts, fair: shape (k,), sums 1."""
    squared = cv_squared(parts, fair)
    return Standing(parts, fair, picks, fair.size - 1, math.sqrt(squared), picks.effective * squared)


def kind_of(cv_low: float, cv_high: float) -> VerdictKind:
    """What an interval says."""
    if score_of(cv_high) >= THRESHOLD:
        return VerdictKind.EVEN
    return VerdictKind.UNEVEN if score_of(cv_low) < THRESHOLD else VerdictKind.UNDECIDED


def needed_of_regular(standing: Standing, cv_high: float) -> float:
    """Picks at which a balancer that is more even than chance is decided: the gap between pods stays the same number of
    picks while the picks grow."""
    return standing.picks.effective * cv_high / CV_THRESHOLD
