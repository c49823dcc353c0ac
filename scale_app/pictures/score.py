"""The score as a picture: a half ring, a place on a scale with its uncertainty, a line as small as a word."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scale_app.domain.balance import THRESHOLD, Balance
from scale_app.domain.snapshot import Point
from scale_app.domain.verdict import Verdict
from scale_app.pictures.axes import line, series

# The ring stands in a box 200 wide and 110 high.
CENTRE_X, CENTRE_Y, RADIUS = 100.0, 100.0, 88.0
RING = f"M{CENTRE_X - RADIUS:g} {CENTRE_Y:g}A{RADIUS:g} {RADIUS:g} 0 0 1 {CENTRE_X + RADIUS:g} {CENTRE_Y:g}"


def gauge(score: float | None) -> str:
    """The arc from 0 to the score (0..1), "" without one."""
    if score is None or not math.isfinite(score):
        return ""
    angle = math.pi * (1 - min(max(score, 0.004), 1.0))
    x, y = CENTRE_X + RADIUS * math.cos(angle), CENTRE_Y - RADIUS * math.sin(angle)
    return f"M{CENTRE_X - RADIUS:g} {CENTRE_Y:g}A{RADIUS:g} {RADIUS:g} 0 0 1 {x:.2f} {y:.2f}"


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


MOST_POINTS = 48


def sparkline(points: Sequence[Point]) -> str:
    """The score of the last seconds over the whole run, 0 to 1, as a path that fills the box; "" without a score.

    A long run is drawn by the lowest score of each stretch: a short imbalance must not vanish in a mean.
    """
    x = series([point.elapsed_s for point in points])
    y = series([point.recent_score for point in points])
    known = np.isfinite(y)
    if not known.any():
        return ""
    lowest = [part[y[part].argmin()] for part in np.array_split(np.flatnonzero(known), MOST_POINTS) if len(part)]
    return line(x[lowest], y[lowest], max(float(x[-1]), 1.0), 1.0)
