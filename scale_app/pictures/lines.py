"""Series over time as SVG path strings, at most POINTS points long however long the run was."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scale_app.pictures.axes import SIDE

POINTS = 240


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
