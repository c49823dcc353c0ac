"""Each pod's share of the requests as bars beside its fair share; outliers are a path of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scale_app.domain.pod_history import fair_shares
from scale_app.domain.snapshot import PodShare
from scale_app.pictures.axes import SIDE, Mark, round_top

BAR_OF_SLOT = 0.64
CHANCE_95 = 1.96
MOST_APART = 60
LABEL_HEIGHT = 0.09
"""Of the box: what a figure above a bar takes at the page's chart height."""


@dataclass(frozen=True, slots=True)
class SharesPicture:
    """Paths in a box of SIDE x SIDE: even and outlying bars, the fair-share line, the band of chance ("" without).

    marks: of the share axis, values 0..1. labels_at: where each bar's figure stands, percent from the bottom: on the
    bar, or on the fair-share line where that would strike it through. centres: percent from the left.
    """

    even: str
    outliers: str
    fair: str
    band: str
    marks: tuple[Mark, ...]
    labels_at: tuple[float, ...]
    centres: tuple[float, ...]


def shares_picture(pods: Sequence[PodShare], noise_cv: float | None = None) -> SharesPicture:
    """Bars in the given order. noise_cv: the coefficient of variation that chance alone gives."""
    if not pods:
        return SharesPicture("", "", "", "", tuple(round_top(1.0)[1]), (), ())
    share = np.array([pod.share for pod in pods])
    fair = fair_shares(pods)
    spread = 0.0 if noise_cv is None else min(CHANCE_95 * noise_cv, 1.0)
    top, marks = round_top(1.12 * float(max(share.max(), fair.max() * (1 + spread))))
    heights, slot = share / top, SIDE / len(pods)
    draw = _bar if len(pods) <= MOST_APART else _slice
    bars = [draw(i * slot, slot, height) for i, height in enumerate(heights)]
    return SharesPicture(
        even="".join(bar for bar, pod in zip(bars, pods, strict=True) if not pod.outlier),
        outliers="".join(bar for bar, pod in zip(bars, pods, strict=True) if pod.outlier),
        fair=_steps(fair / top, slot),
        band=_band(fair / top, spread, slot) if spread else "",
        marks=tuple(marks),
        labels_at=tuple((100 * _clear_of(heights, fair / top)).tolist()),
        centres=tuple(((np.arange(len(pods)) + 0.5) * 100 / len(pods)).tolist()),
    )


def _clear_of(heights: np.ndarray, fair: np.ndarray) -> np.ndarray:
    """Heights for figures, lifted onto the fair-share line where it passes through the figure."""
    struck = (heights <= fair) & (heights > fair - LABEL_HEIGHT)
    return np.where(struck, fair, heights)


def _bar(left: float, slot: float, height: float) -> str:
    """A bar with rounded upper corners; a pod without a request still leaves a hairline."""
    width, tall = slot * BAR_OF_SLOT, max(height * SIDE, 2.0)
    x0, y0 = left + (slot - width) / 2, SIDE - tall
    rx, ry = min(8.0, width / 3), min(16.0, tall)
    return (
        f"M{x0:.1f} {SIDE}V{y0 + ry:.1f}Q{x0:.1f} {y0:.1f} {x0 + rx:.1f} {y0:.1f}H{x0 + width - rx:.1f}"
        f"Q{x0 + width:.1f} {y0:.1f} {x0 + width:.1f} {y0 + ry:.1f}V{SIDE}Z"
    )


def _slice(left: float, slot: float, height: float) -> str:
    """One of so many bars that gaps between them would only flicker."""
    return f"M{left:.1f} {SIDE}V{SIDE * (1 - height):.1f}H{left + slot:.1f}V{SIDE}Z"


def _steps(heights: np.ndarray, slot: float) -> str:
    """A horizontal line that steps where fair shares differ."""
    if np.ptp(heights) < 1e-6:
        return f"M0 {SIDE * (1 - heights[0]):.1f}H{SIDE}"
    return "".join(
        f"{'L' if i else 'M'}{i * slot:.1f} {SIDE * (1 - h):.1f}H{(i + 1) * slot:.1f}" for i, h in enumerate(heights)
    )


def _band(heights: np.ndarray, spread: float, slot: float) -> str:
    high, low = np.clip(heights * (1 + spread), 0, 1), np.clip(heights * (1 - spread), 0, 1)
    back = "".join(
        f"L{(i + 1) * slot:.1f} {SIDE * (1 - low[i]):.1f}H{i * slot:.1f}" for i in reversed(range(len(heights)))
    )
    forth = "".join(
        f"{'L' if i else 'M'}{i * slot:.1f} {SIDE * (1 - h):.1f}H{(i + 1) * slot:.1f}" for i, h in enumerate(high)
    )
    return forth + back + "Z"
