"""How evenly requests were shared: the headline figures, total for every input.

Score and threshold are the specification's: score = max(0, 1 - CV / 0.5), balanced from 0.95 on.
No pods or no requests give no score (None), never 0 or 1; one pod is 1.0 with a note.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scale_app.domain.numerics import Array, np

CV_AT_ZERO_SCORE = 0.5
THRESHOLD = 0.95
CV_DIGITS = 12  # so that 41 and 39 requests, CV 0.025 exactly, are not unbalanced by the last bit
CV_THRESHOLD = round((1 - THRESHOLD) * CV_AT_ZERO_SCORE, CV_DIGITS)
SMALLEST_SHARE = 1e-9
GRADES = ((0.95, "A"), (0.85, "B"), (0.70, "C"), (0.50, "D"), (0.0, "F"))


@dataclass(frozen=True, slots=True)
class Balance:
    """The figures of one window.

    pods: eligible pods, those without a request included. requests: requests assigned to them.
    cv: population standard deviation over mean of the pods' requests. With unequal expected shares w it is
        sqrt(sum(w * (x/(n*w) - 1)^2)), so that n * cv^2 stays Pearson's chi-square (docs/decisions/0003).
    hottest_share: the busiest pod's requests divided by its fair share (1.0 = fair).
    capacity_lost: 1 - mean/max, the part of the capacity that imbalance wastes (0..1).
    jain: Jain's fairness index 1 / (1 + CV^2) (Jain, Chiu, Hawe 1984).
    score, grade and the rest are None when there is nothing to judge.
    """

    pods: int
    requests: int
    cv: float | None = None
    score: float | None = None
    grade: str | None = None
    hottest_share: float | None = None
    capacity_lost: float | None = None
    jain: float | None = None
    note: str = ""

    @property
    def balanced(self) -> bool:
        """True from the threshold on; False without a score."""
        return self.score is not None and self.score >= THRESHOLD


def balance(requests: Sequence[int], expected: Sequence[float] | None = None) -> Balance:
    """Figures for requests per eligible pod.

    requests: shape (k,), zeros included. expected: shape (k,), shares > 0 in any unit (seconds ready, weights);
    equal shares when None or when one of them is not a finite number above 0. Raises nothing.
    """
    counts = counted(requests)
    pods, total = counts.size, int(counts.sum())
    if pods == 0 or total == 0:
        return Balance(pods, total, note="no data yet")
    parts, fair = counts / counts.sum(), shares(pods, expected)
    relative = parts / fair
    cv = round(math.sqrt(cv_squared(parts, fair)), CV_DIGITS)
    score = score_of(cv)
    return Balance(
        pods,
        total,
        cv=cv,
        score=score,
        grade=grade_of(score),
        hottest_share=float(relative.max()),
        capacity_lost=max(0.0, float(1 - 1 / relative.max())),
        jain=1 / (1 + cv * cv),
        note="one pod" if pods == 1 else "",
    )


def cv_squared(parts: Array, fair: Array) -> float:
    """Squared CV of observed against expected shares, both shape (k,) with sum 1: sum(fair * (part/fair - 1)^2)."""
    return float(((parts - fair) ** 2 / fair).sum())


def counted(requests: Sequence[float]) -> Array:
    """Requests as floats, shape (k,). There is no negative count; a counter that says so has answered nothing."""
    return np.asarray(np.maximum(np.asarray(requests, dtype=float), 0.0))


def shares(pods: int, expected: Sequence[float] | None) -> Array:
    """Expected shares, shape (pods,), all above 0 and summing to 1; equal when nothing usable is expected."""
    equal = np.full(pods, 1 / max(pods, 1))
    if expected is None:
        return equal
    weights = np.asarray(expected, dtype=float)
    if weights.shape != (pods,) or not np.isfinite(weights).all() or (weights <= 0).any() or not pods:
        return equal
    # Divided by the largest first and kept off 0, so that no extreme weight can overflow what is computed from it.
    relative = np.maximum(weights / weights.max(), SMALLEST_SHARE)
    return np.asarray(relative / relative.sum())


def score_of(cv: float) -> float:
    """The specification's score for a coefficient of variation: 1 at 0, 0 from 0.5 on."""
    return round(max(0.0, 1 - cv / CV_AT_ZERO_SCORE), CV_DIGITS)


def grade_of(score: float) -> str:
    return next(letter for least, letter in GRADES if score >= least)
