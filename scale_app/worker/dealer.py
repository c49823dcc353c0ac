"""Deals a run's arrivals out to the processes that are there, and anew when one comes or goes. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from scale_app.domain.pattern import Pattern
from scale_app.domain.timetable import Leg, Timetable
from scale_app.worker.turns import Share

AHEAD_S = 0.1
"""A new deal holds for arrivals from then on, so that all have heard of it before."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What one process is told.

    began_s: the run's begin on the leader's monotonic clock, which processes of the same machine share. at_s: seconds
    since then when this was said, for those that do not.
    """

    leg: Leg
    share: Share
    began_s: float
    at_s: float


class Dealer:
    """The leader's side of `turns`."""

    def __init__(self, pattern: Pattern) -> None:
        self._table = Timetable(pattern)
        self._began_s: float | None = None
        self._since = 0.0

    def follow(self, leg: Leg, began_s: float) -> None:
        """Another rate holds, in a run that began then."""
        self._table.follow(leg)
        self._began_s = began_s

    def deal_anew(self, now_s: float) -> None:
        """Other processes are there than before."""
        if self._began_s is not None:
            self._since = self._table.due(now_s - self._began_s + AHEAD_S)

    def pace(self, place: int, of: int, now_s: float) -> Pace | None:
        """What to tell the process at this place, from 0, of so many; None when there are no arrivals."""
        if self._began_s is None:
            return None
        return Pace(self._table.leg, Share(place, of, self._since), self._began_s, now_s - self._began_s)
