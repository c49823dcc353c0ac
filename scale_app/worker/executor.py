"""Who sends the load of a run, and what it is told as the plan's pattern goes on."""

from __future__ import annotations

from typing import Protocol

from scale_app.domain.pattern import Pattern
from scale_app.domain.plan import LoadPlan
from scale_app.domain.samples import TrafficSample
from scale_app.domain.timetable import Leg, Timetable

STEER_EVERY_S = 0.25


class Executor(Protocol):
    """What sends the load of one run."""

    def begin(self) -> None:
        """Wait until all worker processes are ready. Raises CannotBegin."""

    def start(self, user_count: int, spawn_rate: float) -> None:
        """Bring the number of users to this, so many a second; returns at once."""

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
        """Bring the load to what the plan says, so many seconds after the run's begin."""
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
