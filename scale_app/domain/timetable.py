"""When each arrival of the open model is due, also while the rate changes and after it was edited. Pure.

Arrivals have numbers: the n-th is due when the rate's integral since the run's begin reaches n. At an edit, what has
passed of the wait for the next one stays passed. Evenly spaced arrivals come at the whole numbers of the integral,
random ones at the points of a Poisson process of rate 1 (the time change of a non-stationary Poisson process;
E. Cinlar, Introduction to Stochastic Processes, 1975).
"""

from __future__ import annotations

from dataclasses import dataclass

from scale_app.domain.pattern import NEVER_S, Pattern


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
        self._passed = pattern.passed()
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
