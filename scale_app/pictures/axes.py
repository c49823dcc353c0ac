"""Round axis marks, and series as lines. All pictures live in a box of SIDE x SIDE that the page stretches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SIDE = 1_000
TIME_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400)
TIME_SPANS_S = (30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 14_400)


@dataclass(frozen=True, slots=True)
class AxisMark:
    """One axis mark. at_percent: from the left or from the bottom; value: in the axis' own unit."""

    at_percent: float
    value: float


def round_top(highest: float, steps: int = 4) -> tuple[float, list[AxisMark]]:
    """A round axis end at or above `highest` (> 0) and its marks, 0 included; about `steps` intervals."""
    if not math.isfinite(highest) or highest <= 0:
        highest = 1.0
    step = round_step(highest / steps)
    intervals = max(1, math.ceil(highest / step - 1e-9))
    top = intervals * step
    return top, [AxisMark(100 * i / intervals, i * step) for i in range(intervals + 1)]


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


def time_marks(span_s: float, most: int = 6) -> list[AxisMark]:
    """Round marks of a time axis from 0 to span_s."""
    step = next((s for s in TIME_STEPS_S if span_s / s <= most), span_s)
    return [AxisMark(100 * float(at) / span_s, float(at)) for at in np.arange(0, span_s * (1 + 1e-9), step)]


POINTS = 240
"""The most points of a line, however long the run was."""


def series(values: Sequence[float | None]) -> np.ndarray:
    """Values as floats, shape (n,); None and infinities become NaN, which is drawn as a gap."""
    array = np.array([np.nan if value is None else value for value in values], dtype=float)
    array[~np.isfinite(array)] = np.nan
    return array


def line(x: np.ndarray, y: np.ndarray, x_end: float, y_end: float) -> str:
    """A line through (x, y), both of shape (n,); 0..x_end by 0..y_end fills the box. Gaps where y is NaN."""
    x, y = thinned(x, y)
    return "".join(_stretch(part_x, part_y) for part_x, part_y in _parts(*_scaled(x, y, x_end, y_end)))


def area(x: np.ndarray, y: np.ndarray, x_end: float, y_end: float) -> str:
    """The surface between the line and the bottom of the box."""
    x, y = thinned(x, y)
    return "".join(
        f"M{px[0]} {SIDE}L{_stretch(px, py)[1:]}L{px[-1]} {SIDE}Z"
        for px, py in _parts(*_scaled(x, y, x_end, y_end))
        if len(px) > 1
    )


def thinned(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most about POINTS points that keep the lowest and the highest of every stretch, and the newest point.

    Spikes are what people look for, so means would be wrong here.
    """
    if len(x) <= POINTS:
        return x, y
    keep = {len(x) - 1}
    for part in np.array_split(np.arange(len(x)), POINTS // 2):
        shown = part[np.isfinite(y[part])]
        keep.update((part[0],) if not len(shown) else (shown[y[shown].argmin()], shown[y[shown].argmax()]))
    index = np.array(sorted(keep))
    return x[index], y[index]


def _scaled(x: np.ndarray, y: np.ndarray, x_end: float, y_end: float) -> tuple[np.ndarray, np.ndarray]:
    return np.clip(x / x_end, 0, 1) * SIDE, (1 - np.clip(y / y_end, 0, 1)) * SIDE


def _parts(x: np.ndarray, y: np.ndarray) -> list[tuple[list[int], list[int]]]:
    """The runs of points between gaps, as whole units."""
    known = np.flatnonzero(np.isfinite(y))
    groups = np.split(known, np.flatnonzero(np.diff(known) > 1) + 1)
    return [(np.rint(x[g]).astype(int).tolist(), np.rint(y[g]).astype(int).tolist()) for g in groups if len(g)]


def _stretch(x: list[int], y: list[int]) -> str:
    """One run of points; a lonely point becomes a dot (the page draws round line ends)."""
    head, *rest = zip(x, y, strict=True)
    return f"M{head[0]} {head[1]}" + "".join(f"L{px} {py}" for px, py in rest or [head])
