"""How evenly requests were shared: the headline figures, total for every input.

Score and threshold are the specification's: score = max(0, 1 - CV / 0.5), balanced from 0.95 on.
No pods or no requests give no score (None), never 0 or 1; one pod is 1.0 with a note.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CV_AT_ZERO_SCORE = 0.5
THRESHOLD = 0.95
GRADES = ((0.95, "A"), (0.85, "B"), (0.70, "C"), (0.50, "D"), (0.0, "F"))


@dataclass(frozen=True, slots=True)
class Balance:
    """The figures of one window.

    pods: eligible pods, those without a request included. requests: requests ascribed to them.
    cv: population standard deviation over mean of requests per expected share.
    hottest_share: the busiest pod's requests over its fair share (1.0 = fair).
    capacity_lost: 1 - mean/max, the part of the replicas that imbalance wastes (0..1).
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

    requests: shape (k,), zeros included. expected: shape (k,), shares > 0 in any unit, equal when None.
    """
    counts = np.asarray(requests, dtype=float)
    pods, total = counts.size, int(counts.sum())
    if pods == 0 or total == 0:
        return Balance(pods, total, note="no data yet")
    relative = counts / (total * shares(pods, expected))
    cv = float(relative.std() / relative.mean())
    score = score_of(cv)
    return Balance(
        pods,
        total,
        cv=cv,
        score=score,
        grade=grade_of(score),
        hottest_share=float(relative.max()),
        capacity_lost=float(1 - relative.mean() / relative.max()),
        jain=1 / (1 + cv * cv),
        note="one pod" if pods == 1 else "",
    )


def shares(pods: int, expected: Sequence[float] | None) -> np.ndarray:
    """Expected shares, shape (pods,), summing to 1; equal when nothing usable is expected."""
    if expected is None:
        return np.full(pods, 1 / pods)
    weights = np.asarray(expected, dtype=float)
    if weights.size != pods or not np.isfinite(weights).all() or (weights <= 0).any():
        return np.full(pods, 1 / pods)
    return np.asarray(weights / weights.sum())


def score_of(cv: float) -> float:
    """The specification's score for a coefficient of variation: 1 at 0, 0 from 0.5 on."""
    return max(0.0, 1 - cv / CV_AT_ZERO_SCORE)


def grade_of(score: float) -> str:
    """The letter for a score."""
    return next(letter for least, letter in GRADES if score >= least)
