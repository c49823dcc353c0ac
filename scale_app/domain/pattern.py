"""How a load changes over time, as data: a share of the plan's users or arrivals at each moment. Pure.

The plan's own figures are the top of every pattern, so that editing them while running scales what is left of it.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Literal

from scale_app.domain.errors import PlanError
from scale_app.domain.numerics import is_number

PatternKind = Literal["constant", "ramp", "steps", "spike", "wave", "replayed"]
MOST_POINTS = 10_000
NEVER_S = math.inf
PRECISION_S = 1e-9
MOST_STEPS = 200


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

    def passed(self) -> Passed:
        """The share, integrated from the run's begin on."""
        return SHAPES[self.kind].passed(self)

    @property
    def first_s(self) -> float:
        """The second from which on the load is another one than at the lowest share."""
        return {"spike": self.begins_s, "replayed": self.points[0][0] if self.points else 0.0}.get(self.kind, 0.0)

    def check_within(self, duration_s: float) -> None:
        """Raise PlanError for a pattern that would begin when the run has ended."""
        if self.first_s >= duration_s:
            field = "pattern.begins_s" if self.kind == "spike" else "pattern.points"
            raise PlanError(field, self.first_s, f"the pattern begins after the run's end, at {duration_s:,.10g} s")

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


class _Ramp:
    """share = low + (1 - low) t / period until the period is over, so a quadratic; then 1."""

    def __init__(self, pattern: Pattern) -> None:
        self._low, self._period_s = pattern.low, pattern.period_s
        self._growth = (1 - pattern.low) / pattern.period_s
        self._ramp = (1 + pattern.low) / 2 * pattern.period_s

    def until(self, at_s: float) -> float:
        if at_s >= self._period_s:
            return self._ramp + at_s - self._period_s
        at_s = max(at_s, 0.0)
        return self._low * at_s + self._growth * at_s**2 / 2

    def time_of(self, passed_s: float) -> float:
        if passed_s >= self._ramp:
            return self._period_s + passed_s - self._ramp
        if passed_s <= 0:
            return 0.0
        # The root in the form that loses no digits when one of the two terms is small.
        slope = self._low + math.sqrt(self._low**2 + 2 * self._growth * passed_s)
        return 2 * passed_s / slope if slope else 0.0  # next to no time, whose square is none


class _Stairs:
    """Each share holds from its time until the next one; the first time is 0."""

    def __init__(self, times_s: Sequence[float], shares: Sequence[float]) -> None:
        self._times_s, self._shares = times_s, shares
        steps = ((after - before) * share for (before, after), share in zip(pairwise(times_s), shares, strict=False))
        self._passed = list(accumulate(steps, initial=0.0))

    def until(self, at_s: float) -> float:
        if at_s <= 0:
            return 0.0
        stair = bisect_right(self._times_s, at_s) - 1
        return self._passed[stair] + (at_s - self._times_s[stair]) * self._shares[stair]

    def time_of(self, passed_s: float) -> float:
        if passed_s <= 0:
            return 0.0
        stair = bisect_left(self._passed, passed_s) - 1
        share = self._shares[stair]
        return self._times_s[stair] + (passed_s - self._passed[stair]) / share if share else NEVER_S


class _Wave:
    """share = low + (1 - low) (1 - cos(2 pi t / period)) / 2."""

    def __init__(self, pattern: Pattern) -> None:
        self._period_s = pattern.period_s
        self._mean = (1 + pattern.low) / 2
        self._swing = (1 - pattern.low) / 2
        self._turns = 2 * math.pi / pattern.period_s

    def until(self, at_s: float) -> float:
        at_s = max(at_s, 0.0)
        return self._mean * at_s - self._swing / self._turns * math.sin(self._turns * at_s)

    def time_of(self, passed_s: float) -> float:
        if passed_s <= 0:
            return 0.0
        waves = math.floor(passed_s / (self._mean * self._period_s))
        return waves * self._period_s + self._inside(passed_s - waves * self._mean * self._period_s)

    def _inside(self, passed_s: float) -> float:
        """Within the first wave: Newton's steps, halved where they lead out of what is known."""
        least, most, at_s = 0.0, self._period_s, passed_s / self._mean
        for _ in range(MOST_STEPS):
            error = self.until(at_s) - passed_s
            least, most = (least, at_s) if error > 0 else (at_s, most)
            share = self._mean - self._swing * math.cos(self._turns * at_s)
            next_s = at_s - error / share if share > 0 else math.inf
            next_s = next_s if least <= next_s <= most else (least + most) / 2
            if abs(next_s - at_s) < PRECISION_S:
                return next_s
            at_s = next_s
        return at_s


Passed = _Ramp | _Stairs | _Wave
"""A pattern's share, integrated from 0 on.

until(at_s): seconds of the whole load that the time until then is worth; rises from 0 and never falls.
time_of(passed_s): the first moment at which so much has passed, at least 0; infinite for never.
"""


def _steps_passed(pattern: Pattern) -> _Stairs:
    last = max(pattern.steps - 1, 1)
    stairs = range(pattern.steps)
    shares = [1 - (1 - pattern.low) * (pattern.steps - 1 - stair) / last for stair in stairs]
    return _Stairs([stair * pattern.period_s for stair in stairs], shares)


def _spike_passed(pattern: Pattern) -> _Stairs:
    ends_s = pattern.begins_s + pattern.period_s
    return _Stairs([0.0, pattern.begins_s, ends_s], [pattern.low, 1.0, pattern.low])


def _replayed_passed(pattern: Pattern) -> _Stairs:
    times_s, shares = zip(*pattern.points, strict=True)
    return _Stairs([0.0, *times_s], [pattern.low, *shares])


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of pattern. share: of the load, 0..1, at a second. passed: the same, integrated. needs: the fields of
    Pattern that it goes by."""

    share: Callable[[Pattern, float], float]
    passed: Callable[[Pattern], Passed]
    needs: tuple[str, ...] = ()


SHAPES: dict[PatternKind, Shape] = {
    "constant": Shape(lambda pattern, at_s: 1.0, lambda pattern: _Stairs([0.0], [1.0])),
    "ramp": Shape(_ramp, _Ramp, ("low", "period_s")),
    "steps": Shape(_steps, _steps_passed, ("low", "period_s", "steps")),
    "spike": Shape(_spike, _spike_passed, ("low", "period_s", "begins_s")),
    "wave": Shape(_wave, _Wave, ("low", "period_s")),
    "replayed": Shape(_replayed, _replayed_passed, ("low", "points")),
}
"""Every kind. What people read of each: PATTERNS in views/words.py."""


def _check(field: str, value: object, least: float, most: float) -> None:
    if not is_number(value) or not least <= value <= most:
        within = f"a number from {least:g} to {most:,.10g}"
        raise PlanError(f"pattern.{field}", value, f"{within} (100 %)" if most == 1 else within)
