"""A run's score in a picture as small as a word: one row of a list."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scale_app.domain.snapshot import Point
from scale_app.pictures.lines import line, series

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
