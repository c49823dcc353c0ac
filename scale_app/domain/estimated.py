"""Verdicts on counts that are estimates: what the estimate's own error could have made is not said of the balancer."""

from __future__ import annotations

from dataclasses import replace

from scale_app.domain.balance import THRESHOLD
from scale_app.domain.verdict import Verdict, VerdictKind

SCORE_ERROR = 0.05
"""How far a score from estimated counts is off at pods that get nothing but this run's requests.

Other traffic of a pod, its probes included, cannot be told from it and moves the score further, mostly towards even.
"""

TOO_ROUGH = (
    "Undecided: the counts are estimates, which can move the score by 0.05 and more, and that is too much to tell "
    "even from uneven here. Count by an exact source."
)


def as_estimate(verdict: Verdict) -> Verdict:
    """The verdict with the estimate's error allowed for: EVEN cannot be shown, UNEVEN only by a clear margin."""
    clear = verdict.score_high is not None and verdict.score_high < THRESHOLD - SCORE_ERROR
    if verdict.kind is VerdictKind.EVEN or (verdict.kind is VerdictKind.UNEVEN and not clear):
        return replace(verdict, kind=VerdictKind.UNDECIDED, sentence=TOO_ROUGH, picks_to_decide=None)
    return verdict
