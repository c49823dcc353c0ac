"""How several processes share one run's arrivals without talking to each other. Pure.

Evenly spaced arrivals go to the processes in turn: of three processes the second sends the 2nd, 5th, 8th, so that all
together are as evenly spaced as one process's would be. Random arrivals need no turns: of n processes each has a
Poisson process of its own at an n-th of the rate, and together these are one at the whole rate.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Literal

from scale_app.domain.pattern import Pattern
from scale_app.domain.timetable import Leg, Timetable

AHEAD_S = 0.1
"""A new split holds for arrivals from then on, so that all have heard of it before."""


@dataclass(frozen=True, slots=True)
class Share:
    """One process's part: it is the `place`-th, from 0, of `of` processes, for the arrivals after number `since`."""

    place: int = 0
    of: int = 1
    since: float = 0.0


class OwnArrivals:
    """One process's arrivals, by their numbers in the run."""

    def __init__(self, spacing: Literal["constant", "poisson"], share: Share) -> None:
        self._step = _at_random if spacing == "poisson" else _in_turn
        self._share = share
        self._next_share: Share | None = None

    def change(self, share: Share) -> None:
        """Another share, from its `since` on; until then the old one holds."""
        self._next_share = share

    def after(self, number: float) -> float:
        """The first of our arrivals after this point of the run's numbering. Asked again, random ones differ."""
        ours, coming = self._step(self._share, number), self._next_share
        if coming is None or ours <= coming.since:
            return ours
        self._share, self._next_share = coming, None
        return self._step(coming, max(number, coming.since))


def _in_turn(share: Share, number: float) -> float:
    first = share.place + 1
    return first + share.of * max(0, math.floor((number - first) / share.of) + 1)


def _at_random(share: Share, number: float) -> float:
    # What has passed without an arrival says nothing of the next one, so that beginning anew at any point is right.
    return number + share.of * random.expovariate(1.0)


@dataclass(frozen=True, slots=True)
class ArrivalOrder:
    """What one process is told.

    began_s: the run's begin on the coordinator's monotonic clock, which processes of the same machine share. at_s:
    seconds since then when this was said, for those that do not.
    """

    leg: Leg
    share: Share
    began_s: float
    at_s: float


class ArrivalSplitter:
    """Splits a run's arrivals among the processes that are there, and anew when one comes or goes."""

    def __init__(self, pattern: Pattern) -> None:
        self._table = Timetable(pattern)
        self._began_s: float | None = None
        self._since = 0.0

    def follow(self, leg: Leg, began_s: float) -> None:
        """Another rate holds, in a run that began then."""
        self._table.follow(leg)
        self._began_s = began_s

    def split_anew(self, now_s: float) -> None:
        """Other processes are there than before."""
        if self._began_s is not None:
            self._since = self._table.due(now_s - self._began_s + AHEAD_S)

    def order_for(self, place: int, of: int, now_s: float) -> ArrivalOrder | None:
        """What to tell the process at this place, from 0, of so many; None when there are no arrivals."""
        if self._began_s is None:
            return None
        return ArrivalOrder(self._table.leg, Share(place, of, self._since), self._began_s, now_s - self._began_s)
