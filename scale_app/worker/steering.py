"""Keeps Locust's users, and the arrivals of the open model, at what the plan's pattern says for each moment."""

from __future__ import annotations

from typing import Protocol

from scale_app.domain.plan import LoadPlan

STEER_EVERY_S = 0.25


class Adjustable(Protocol):
    """The part of a force that is needed here."""

    def start(self, user_count: int, spawn_rate: float) -> None:
        """Bring the number of users to this, so many a second."""

    def set_rate(self, rate_per_s: float) -> None:
        """Arrivals per second of the open model."""


class Steering:
    """Call `steer` every quarter of a second and after each edit."""

    def __init__(self, force: Adjustable) -> None:
        self._force = force
        self._asked: tuple[int, float] | None = None
        self._users = 0.0

    def steer(self, plan: LoadPlan, at_s: float) -> None:
        """Bring the load to what the plan says, so many seconds after the run's begin."""
        if plan.arrivals_per_s is not None:
            self._force.set_rate(plan.pattern.rate(plan.arrivals_per_s, at_s))
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
            self._force.start(users, spawn_rate)
