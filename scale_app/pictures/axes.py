"""Round axis marks. All pictures live in a box of SIDE x SIDE units that the page stretches to any size."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

SIDE = 1_000
TIME_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400)
TIME_SPANS_S = (30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 14_400)


@dataclass(frozen=True, slots=True)
class Mark:
    """One axis mark. at_percent: from the left or from the bottom; value: in the axis' own unit."""

    at_percent: float
    value: float


def round_top(highest: float, steps: int = 4) -> tuple[float, list[Mark]]:
    """A round axis end at or above `highest` (> 0) and its marks, 0 included; about `steps` intervals."""
    if not math.isfinite(highest) or highest <= 0:
        highest = 1.0
    step = round_step(highest / steps)
    intervals = max(1, math.ceil(highest / step - 1e-9))
    top = intervals * step
    return top, [Mark(100 * i / intervals, i * step) for i in range(intervals + 1)]


def round_step(least: float) -> float:
    """The smallest of 1, 2, 2.5, 5 times a power of ten that is at least `least` (> 0)."""
    power = 10.0 ** math.floor(math.log10(least))
    return float(next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= least * (1 - 1e-9)))


def time_span(elapsed_s: float, duration_s: float, active: bool) -> float:
    """Seconds that the time axis covers: steady while a run goes on, exact once it has ended."""
    if not active:
        return max(elapsed_s, 1.0)
    span = next((s for s in TIME_SPANS_S if s >= elapsed_s), elapsed_s)
    return max(min(span, max(duration_s, elapsed_s)), 1.0)


def time_marks(span_s: float, most: int = 6) -> list[Mark]:
    """Round marks of a time axis from 0 to span_s."""
    step = next((s for s in TIME_STEPS_S if span_s / s <= most), span_s)
    return [Mark(100 * float(at) / span_s, float(at)) for at in np.arange(0, span_s * (1 + 1e-9), step)]
