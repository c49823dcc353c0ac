"""How a load changes over time, as data: a share of the plan's users or arrivals at each moment. Pure.

The plan's own figures are the top of every pattern, so that editing them while running scales what is left of it.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from scale_app.domain.errors import PlanError
from scale_app.domain.numerics import is_number

PatternKind = Literal["constant", "ramp", "steps", "spike", "wave", "replayed"]
MOST_POINTS = 10_000


@dataclass(frozen=True, slots=True)
class Pattern:
    """The shape of a load: at each moment a share of the plan's users or arrivals, 1 for all of them.

    kind: "constant" is full load all the time; "ramp" rises evenly from `low` to full load; "steps" rises in equal
        steps; "spike" is `low` with full load once; "wave" goes up and down between `low` and full load, starting low;
        "replayed" follows `points`.
    low: the lowest share, 0..1. In the closed model at least one user is left.
    period_s: seconds of the ramp, of each step, of the spike, or of one wave up and down.
    begins_s: second at which the spike begins.
    steps: number of steps.
    points: (second, share) of a replayed load; each holds until the next one, and `low` before the first.

    Raises PlanError for the first field that cannot be used.
    """

    kind: PatternKind = "constant"
    low: float = 0.1
    period_s: float = 30.0
    begins_s: float = 15.0
    steps: int = 5
    points: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in SHAPES:
            raise PlanError("pattern.kind", self.kind, f"one of {', '.join(SHAPES)}")
        _check("low", self.low, 0.0, 1.0)
        _check("period_s", self.period_s, 0.1, 86_400.0)
        _check("begins_s", self.begins_s, 0.0, 86_400.0)
        if isinstance(self.steps, bool) or not isinstance(self.steps, int) or not 1 <= self.steps <= 1_000:
            raise PlanError("pattern.steps", self.steps, "a whole number from 1 to 1,000")
        self._check_points()

    def share(self, at_s: float) -> float:
        """Share of the plan's users or arrivals, 0..1, so many seconds after the run's begin."""
        return SHAPES[self.kind].share(self, max(at_s, 0.0))

    def users(self, most: int, at_s: float) -> int:
        """Users of the closed model at this moment, of at most so many; never fewer than one."""
        return max(1, round(most * self.share(at_s)))

    def _check_points(self) -> None:
        least = 1 if self.kind == "replayed" else 0
        if not least <= len(self.points) <= MOST_POINTS:
            accepted = f"a replayed pattern has 1 to {MOST_POINTS:,} points"
            raise PlanError("pattern.points", f"{len(self.points):,} points", accepted)
        before_s = -1.0
        for at_s, share in self.points:
            _check("points", at_s, 0.0, 86_400.0)
            _check("points", share, 0.0, 1.0)
            if at_s <= before_s:
                raise PlanError("pattern.points", at_s, "each point is later than the one before it")
            before_s = at_s


def _ramp(pattern: Pattern, at_s: float) -> float:
    return pattern.low + (1 - pattern.low) * min(at_s / pattern.period_s, 1.0)


def _steps(pattern: Pattern, at_s: float) -> float:
    if pattern.steps == 1:
        return 1.0
    step = min(int(at_s / pattern.period_s), pattern.steps - 1)
    return pattern.low + (1 - pattern.low) * step / (pattern.steps - 1)


def _spike(pattern: Pattern, at_s: float) -> float:
    inside = pattern.begins_s <= at_s < pattern.begins_s + pattern.period_s
    return 1.0 if inside else pattern.low


def _wave(pattern: Pattern, at_s: float) -> float:
    return pattern.low + (1 - pattern.low) * (1 - math.cos(2 * math.pi * at_s / pattern.period_s)) / 2


def _replayed(pattern: Pattern, at_s: float) -> float:
    index = bisect_right(pattern.points, at_s, key=lambda point: point[0])
    return pattern.points[index - 1][1] if index else pattern.low


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of pattern. share: of the load, 0..1, at a second. needs: the fields of Pattern that it goes by."""

    share: Callable[[Pattern, float], float]
    needs: tuple[str, ...] = ()


SHAPES: dict[PatternKind, Shape] = {
    "constant": Shape(lambda pattern, at_s: 1.0),
    "ramp": Shape(_ramp, ("low", "period_s")),
    "steps": Shape(_steps, ("low", "period_s", "steps")),
    "spike": Shape(_spike, ("low", "period_s", "begins_s")),
    "wave": Shape(_wave, ("low", "period_s")),
    "replayed": Shape(_replayed, ("low", "points")),
}
"""Every kind. What people read of each: PATTERNS in views/words.py."""


def _check(field: str, value: object, least: float, most: float) -> None:
    if not is_number(value) or not least <= value <= most:
        raise PlanError(f"pattern.{field}", value, f"a number from {least:g} to {most:,g}")
