"""What a run's load is to be as the plan's pattern goes on, who sends it, and how several processes share the arrivals.

Evenly spaced arrivals go to the processes in turn: of three processes the second sends the 2nd, 5th, 8th, so that all
together are as evenly spaced as one process's would be. Random arrivals need no turns: of n processes each has a
Poisson process of its own at an n-th of the rate, and together these are one at the whole rate. No process talks to
another for that.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Literal, Protocol

from scale_app.domain.pattern import Pattern
from scale_app.domain.plan import LoadPlan
from scale_app.domain.samples import TrafficSample
from scale_app.domain.timetable import Leg, Timetable

STEER_EVERY_S = 0.25
AHEAD_S = 0.1
"""A new split applies to arrivals after this time, so that all processes know it before."""


class Executor(Protocol):
    """What sends the load of one run."""

    def begin(self) -> None:
        """Wait until all worker processes are ready. Raises CannotBegin."""

    def start(self, user_count: int, spawn_rate: float) -> None:
        """Change the number of users to this, at this rate per second; returns at once."""

    def follow(self, leg: Leg, began_s: float) -> None:
        """In the open model: the arrivals of all processes together, in a run that began then (monotonic clock)."""

    def sample(self) -> TrafficSample:
        """What all processes have counted by now."""

    def drain(self) -> None:
        """Send nothing new and wait for the requests in flight, at most until their deadline."""


class CannotBegin(Exception):
    """The load cannot be started. The message is a sentence for people."""


class Steering:
    """Keeps Locust's users at what the plan's pattern says for each moment.

    Arrivals of the open model follow the pattern by themselves (domain.timetable); they are told of the plan's rate.
    Call `steer` every quarter of a second and after each edit."""

    def __init__(self, executor: Executor, pattern: Pattern, began_s: float) -> None:
        """began_s: monotonic_s at the run's begin."""
        self._executor = executor
        self._table = Timetable(pattern)
        self._began_s = began_s
        self._asked: tuple[int, float] | None = None
        self._users = 0.0

    def steer(self, plan: LoadPlan, at_s: float) -> None:
        """Set the load of the plan at this many seconds after the run's start."""
        if plan.arrivals_per_s is not None:
            if plan.arrivals_per_s != self._table.leg.per_s:
                self._executor.follow(self._table.change(at_s, plan.arrivals_per_s), self._began_s)
            # Users are mere places to send from: all of them are needed from the first arrival on.
            self._ask(plan.users, float(plan.users))
        elif plan.pattern.kind == "constant":
            self._ask(plan.users, float(plan.spawn_rate))
        else:
            self._follow(plan.pattern.users(plan.users, at_s), plan.spawn_rate)

    def _follow(self, goal: int, spawn_rate: float) -> None:
        """Towards a moving goal. Locust begins its own ramp anew at each call, so the spawn rate is kept here."""
        most = spawn_rate * STEER_EVERY_S
        self._users += max(-most, min(goal - self._users, most))
        users = max(1, int(self._users))
        self._ask(users, float(users))

    def _ask(self, users: int, spawn_rate: float) -> None:
        # At rate 0 Locust would stay in "spawning" for ever: the plan's constructor has checked both figures.
        if self._asked != (users, spawn_rate):
            self._asked = (users, spawn_rate)
            self._executor.start(users, spawn_rate)


@dataclass(frozen=True, slots=True)
class Share:
    """One process's part: it is the `place`-th, from 0, of `of` processes, for the arrivals after number `since`."""

    place: int = 0
    of: int = 1
    since: float = 0.0


ALL_ARRIVALS = Share()


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
        """What to tell the process at this place, from 0, of this number of processes; None when there are no
        arrivals."""
        if self._began_s is None:
            return None
        return ArrivalOrder(self._table.leg, Share(place, of, self._since), self._began_s, now_s - self._began_s)
