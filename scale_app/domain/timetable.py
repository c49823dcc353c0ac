"""When each arrival of the open model is due, also while the rate changes and after it was edited. Pure.

Arrivals have numbers: the n-th is due when the rate's integral since the run's begin reaches n. At an edit, what has
passed of the wait for the next one stays passed. Evenly spaced arrivals come at the whole numbers of the integral,
random ones at the points of a Poisson process of rate 1 (the time change of a non-stationary Poisson process;
E. Cinlar, Introduction to Stochastic Processes, 1975).
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from scale_app.domain.pattern import Pattern, PatternKind

NEVER_S = math.inf
PRECISION_S = 1e-9
MOST_STEPS = 200


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


def _steps(pattern: Pattern) -> _Stairs:
    last = max(pattern.steps - 1, 1)
    stairs = range(pattern.steps)
    shares = [1 - (1 - pattern.low) * (pattern.steps - 1 - stair) / last for stair in stairs]
    return _Stairs([stair * pattern.period_s for stair in stairs], shares)


def _spike(pattern: Pattern) -> _Stairs:
    ends_s = pattern.begins_s + pattern.period_s
    return _Stairs([0.0, pattern.begins_s, ends_s], [pattern.low, 1.0, pattern.low])


def _replayed(pattern: Pattern) -> _Stairs:
    times_s, shares = zip(*pattern.points, strict=True)
    return _Stairs([0.0, *times_s], [pattern.low, *shares])


_KINDS: dict[PatternKind, Callable[[Pattern], Passed]] = {
    "constant": lambda pattern: _Stairs([0.0], [1.0]),
    "ramp": _Ramp,
    "steps": _steps,
    "spike": _spike,
    "wave": _Wave,
    "replayed": _replayed,
}


def passed_of(pattern: Pattern) -> Passed:
    return _KINDS[pattern.kind](pattern)


@dataclass(frozen=True, slots=True)
class Leg:
    """What holds from a moment of the run on. at_s: that moment, in seconds since the run's begin.

    before: arrivals that were due until then, fractions included. per_s: arrivals a second at the pattern's top.
    """

    at_s: float = 0.0
    before: float = 0.0
    per_s: float = 0.0


class Timetable:
    """leg: the one that holds now; none has arrivals. Times are seconds since the run's begin."""

    def __init__(self, pattern: Pattern) -> None:
        self._passed = passed_of(pattern)
        self.follow(Leg())

    def follow(self, leg: Leg) -> None:
        """From now on this leg holds."""
        self.leg = leg
        self._offset = self._passed.until(leg.at_s)

    def change(self, at_s: float, per_s: float) -> Leg:
        """From this moment on there are so many arrivals a second at the pattern's top. Gives the new leg."""
        self.follow(Leg(at_s, self.due(at_s), per_s))
        return self.leg

    def due(self, at_s: float) -> float:
        """How many arrivals are due until this moment of the leg, fractions included."""
        leg = self.leg
        return leg.before + leg.per_s * (self._passed.until(at_s) - self._offset)

    def time_of(self, number: float) -> float:
        """When the arrival is due: infinite for never, the leg's begin for one that was due before it."""
        leg = self.leg
        if number <= leg.before:
            return leg.at_s
        if leg.per_s == 0:
            return NEVER_S
        return self._passed.time_of(self._offset + (number - leg.before) / leg.per_s)
