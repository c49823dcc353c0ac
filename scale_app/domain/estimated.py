"""Verdicts on counts that are estimates: what the estimate's own error could have made is not said of the balancer."""

from __future__ import annotations

from dataclasses import replace

from scale_app.domain.balance import THRESHOLD
from scale_app.domain.verdict import Verdict, VerdictKind

SCORE_ERROR = 0.05
"""How far a score from estimated counts was off at most, measured against exact counts: docs/counting-sources.md."""

TOO_ROUGH = (
    "Undecided: the counts are estimates, which can move the score by about 0.05, and that is more than what would "
    "tell even from uneven here. Count by an exact source."
)


def as_estimate(verdict: Verdict) -> Verdict:
    """The verdict with the estimate's error allowed for: EVEN cannot be shown, UNEVEN only by a clear margin."""
    clear = verdict.score_high is not None and verdict.score_high < THRESHOLD - SCORE_ERROR
    if verdict.kind is VerdictKind.EVEN or (verdict.kind is VerdictKind.UNEVEN and not clear):
        return replace(verdict, kind=VerdictKind.UNDECIDED, sentence=TOO_ROUGH, picks_to_decide=None)
    return verdict
