"""The shape of a load over its duration, as a small picture for the form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scale_app.domain.pattern import Pattern
from scale_app.pictures.axes import SIDE
from scale_app.pictures.lines import POINTS


@dataclass(frozen=True, slots=True)
class PatternPicture:
    """Paths in a box of SIDE x SIDE. lowest, highest, mean: of the load, as shares of the plan's figures."""

    line: str
    area: str
    lowest: float
    highest: float
    mean: float


def pattern_picture(pattern: Pattern, duration_s: float) -> PatternPicture:
    """The pattern from the start to the end of the run. Edges stay upright: each point holds until the next."""
    shares = np.array([pattern.share(float(at_s)) for at_s in np.linspace(0, duration_s, POINTS, endpoint=False)])
    y = np.rint(SIDE * (1 - shares)).astype(int).tolist()
    x = np.rint(np.linspace(0, SIDE, POINTS + 1)).astype(int).tolist()
    steps = "".join(f"V{level}H{end}" for level, end in zip(y, x[1:], strict=True))
    line = f"M0 {y[0]}{steps}"
    return PatternPicture(line, f"{line}V{SIDE}H0Z", float(shares.min()), float(shares.max()), float(shares.mean()))
