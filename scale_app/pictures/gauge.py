"""A score as a half ring, in a box 200 wide and 110 high."""

from __future__ import annotations

import math

CENTRE_X, CENTRE_Y, RADIUS = 100.0, 100.0, 88.0
RING = f"M{CENTRE_X - RADIUS:g} {CENTRE_Y:g}A{RADIUS:g} {RADIUS:g} 0 0 1 {CENTRE_X + RADIUS:g} {CENTRE_Y:g}"


def gauge(score: float | None) -> str:
    """The arc from 0 to the score (0..1), "" without one."""
    if score is None or not math.isfinite(score):
        return ""
    angle = math.pi * (1 - min(max(score, 0.004), 1.0))
    x, y = CENTRE_X + RADIUS * math.cos(angle), CENTRE_Y - RADIUS * math.sin(angle)
    return f"M{CENTRE_X - RADIUS:g} {CENTRE_Y:g}A{RADIUS:g} {RADIUS:g} 0 0 1 {x:.2f} {y:.2f}"
