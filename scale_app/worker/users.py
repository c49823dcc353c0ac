"""Locust's users: each is a parked greenlet around a slot. Locust starts, counts and stops them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from gevent.event import Event  # type: ignore[import-untyped]
from gevent.pool import Group  # type: ignore[import-untyped]
from locust import User, task
from locust.exception import StopUser

from scale_app.worker.connection import Network
from scale_app.worker.deadlines import Sweep
from scale_app.worker.slot import Habits, Pace, Slot


class UsersPace(Pace, Protocol):
    """When users send, from their first request on."""

    def begin(self, slot: Slot) -> None:
        """A user has started."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """What all users share. draining: greenlets of stopped users whose last request is still in flight.

    timeout_s: the deadline of each request, connecting and sending again included.
    """

    habits: Habits
    network: Network
    pace: UsersPace
    timeout_s: float
    slots: set[Slot] = field(default_factory=set)
    draining: Group = field(default_factory=Group)

    def watch_deadlines(self) -> None:
        """From now on requests end at their deadline, late by at most a tenth of a second."""
        sweep = Sweep(self.slots, self.timeout_s)
        self.network.loop.timer(sweep.every_s, sweep.every_s).start(sweep.sweep)


class ParkedUser(User):
    """`user_class` makes a concrete one."""

    abstract = True
    traffic: Traffic

    def __init__(self, environment: object) -> None:
        super().__init__(environment)
        over = self._over = Event()
        self._slot = Slot(self.traffic.habits, self.traffic.network, self.traffic.pace, over.set)

    @task
    def send_load(self) -> None:
        """The user's whole life."""
        traffic, slot = self.traffic, self._slot
        traffic.slots.add(slot)
        try:
            traffic.pace.begin(slot)
            self._over.wait()
        finally:
            traffic.slots.discard(slot)
            slot.close()
        raise StopUser

    def stop(self, force: bool = False) -> bool:
        """Start no new request. A request in flight goes on outside of Locust's group, so that Locust does not wait.

        Locust would otherwise block a ramp-down, and count users that are leaving as if they were still there.
        """
        if self._slot.stop():
            return bool(super().stop(force=True))
        self._group.discard(self._greenlet)
        self.traffic.draining.add(self._greenlet)
        return True


def user_class(shared: Traffic) -> type[ParkedUser]:
    """The class for Locust to make users of; Locust gives them nothing but their environment."""

    class PlannedUser(ParkedUser):
        abstract = False
        traffic = shared

    return PlannedUser
