"""The axes of the score, which page and report draw alike."""

from __future__ import annotations

from scale_app.domain.balance import THRESHOLD
from scale_app.pictures.axes import SIDE
from scale_app.views.view import Tick


def _tick(score: float) -> Tick:
    return Tick(f"{100 * score:g}%", f"{score:g}")


SCORE_TICKS = [_tick(score) for score in (0, 0.25, 0.5, 0.75, 1)]
SCALE_TICKS = [*SCORE_TICKS[:-1], _tick(THRESHOLD), SCORE_TICKS[-1]]
"""Of the scale, which names the threshold as well."""
THRESHOLD_AT = _tick(THRESHOLD).at
THRESHOLD_PATH = f"M0 {SIDE * (1 - THRESHOLD):g}H{SIDE}"
"""The threshold across a chart of the score over time."""
EVEN_FROM = f"even from {THRESHOLD:g}"
