"""How even a run is as pictures: the score as a half ring, and on a scale with its uncertainty; each pod's share of the
requests as bars beside its fair share, where outliers are a path of their own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scale_app.domain.balance import THRESHOLD, Balance
from scale_app.domain.pod_history import fair_shares
from scale_app.domain.snapshot import PodShare
from scale_app.domain.verdict import Verdict
from scale_app.pictures.axes import SIDE, AxisMark, round_top

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


BAR_OF_SLOT = 0.64
CHANCE_95 = 1.96
MOST_APART = 60
LABEL_HEIGHT = 0.09
"""Of the box: what a figure above a bar takes at the page's chart height."""


@dataclass(frozen=True, slots=True)
class SharesPicture:
    """Paths in a box of SIDE x SIDE: bars within chance, over and under their fair share, the fair-share line, the band
    of chance ("" without).

    marks: of the share axis, values 0..1. labels_at: where each bar's figure stands, percent from the bottom: on the
    bar, or on the fair-share line where that would strike it through. centres: percent from the left.
    """

    even: str
    over: str
    under: str
    fair: str
    band: str
    marks: tuple[AxisMark, ...]
    labels_at: tuple[float, ...]
    centres: tuple[float, ...]

    @property
    def outliers(self) -> str:
        """The bars that chance does not explain, of either side."""
        return self.over + self.under


def shares_picture(pods: Sequence[PodShare], noise_cv: float | None = None) -> SharesPicture:
    """Bars in the given order. noise_cv: the coefficient of variation of a fair random balancer."""
    if not pods:
        return SharesPicture("", "", "", "", "", tuple(round_top(1.0)[1]), (), ())
    share = np.array([pod.share for pod in pods])
    fair = fair_shares(pods)
    spread = 0.0 if noise_cv is None else min(CHANCE_95 * noise_cv, 1.0)
    top, marks = round_top(1.12 * float(max(share.max(), fair.max() * (1 + spread))))
    heights, slot = share / top, SIDE / len(pods)
    outlier = np.array([pod.outlier for pod in pods])
    draw = _bars if len(pods) <= MOST_APART else _outlines
    return SharesPicture(
        even=draw(heights, slot, ~outlier),
        over=draw(heights, slot, outlier & (share > fair)),
        under=draw(heights, slot, outlier & (share <= fair)),
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


def _bars(heights: np.ndarray, slot: float, drawn: np.ndarray) -> str:
    """The bars to be drawn, each apart from its neighbours."""
    return "".join(_bar(i * slot, slot, height) for i, height in enumerate(heights.tolist()) if drawn[i])


def _bar(left: float, slot: float, height: float) -> str:
    """A bar with rounded upper corners; a pod without a request still leaves a hairline."""
    width, tall = slot * BAR_OF_SLOT, max(height * SIDE, 2.0)
    x0, y0 = left + (slot - width) / 2, SIDE - tall
    rx, ry = min(8.0, width / 3), min(16.0, tall)
    return (
        f"M{x0:.1f} {SIDE}V{y0 + ry:.1f}Q{x0:.1f} {y0:.1f} {x0 + rx:.1f} {y0:.1f}H{x0 + width - rx:.1f}"
        f"Q{x0 + width:.1f} {y0:.1f} {x0 + width:.1f} {y0 + ry:.1f}V{SIDE}Z"
    )


def _outlines(heights: np.ndarray, slot: float, drawn: np.ndarray) -> str:
    """So many bars that gaps between them would only flicker: neighbours have one outline.

    An outline of its own for each made two thirds of what a second of 500 pods sends to a viewer.
    """
    levels, at = _levels(heights), np.flatnonzero(drawn)
    groups = np.split(at, np.flatnonzero(np.diff(at) > 1) + 1) if at.size else []
    return "".join(
        f"M{g[0] * slot:.1f} {SIDE}V{levels[g[0]]:.1f}{_stairs(levels[g], g[0] * slot, slot)}V{SIDE}Z" for g in groups
    )


def _levels(heights: np.ndarray) -> np.ndarray:
    """Heights from the top of the box, as finely as they are drawn."""
    rounded: np.ndarray = np.round(SIDE * (1 - heights), 1)
    return rounded


def _stairs(levels: np.ndarray, start: float, slot: float) -> str:
    """From `start` over all levels, a slot wide each (leftwards when negative); equal neighbours are one tread."""
    turns = np.flatnonzero(np.diff(levels))
    edges, to = (start + (turns + 1) * slot).tolist(), levels[turns + 1].tolist()
    steps = "".join(f"H{x:.1f}V{y:.1f}" for x, y in zip(edges, to, strict=True))
    return f"{steps}H{start + len(levels) * slot:.1f}"


def _steps(heights: np.ndarray, slot: float) -> str:
    """A horizontal line that steps where fair shares differ."""
    levels = _levels(heights)
    return f"M0 {levels[0]:.1f}{_stairs(levels, 0, slot)}"


def _band(heights: np.ndarray, spread: float, slot: float) -> str:
    high = _levels(np.clip(heights * (1 + spread), 0, 1))
    low = _levels(np.clip(heights * (1 - spread), 0, 1))[::-1]
    return f"M0 {high[0]:.1f}{_stairs(high, 0, slot)}V{low[0]:.1f}{_stairs(low, SIDE, -slot)}Z"
