"""The score with its uncertainty on one scale from 0 to 1, as percentages from the left."""

from __future__ import annotations

from dataclasses import dataclass

from scale_app.domain.balance import THRESHOLD, Balance
from scale_app.domain.verdict import Verdict


@dataclass(frozen=True, slots=True)
class ScaleBar:
    """dot: the score; low..high: its 95 % interval; chance: what chance alone would give; None where unknown."""

    dot: float | None
    low: float | None
    high: float | None
    chance: float | None
    threshold: float = 100 * THRESHOLD


def scale_bar(balance: Balance, verdict: Verdict) -> ScaleBar:
    """Positions for a balance and its verdict."""
    return ScaleBar(_at(balance.score), _at(verdict.score_low), _at(verdict.score_high), _at(verdict.noise_score))


def _at(value: float | None) -> float | None:
    return None if value is None else 100 * min(max(value, 0.0), 1.0)
