"""Who sends the load of a run: this process alone, or several that it leads."""

from __future__ import annotations

from typing import Protocol

from locust.runners import Runner

from scale_app.domain.samples import TrafficSample
from scale_app.domain.timetable import Leg
from scale_app.worker.engine import Engine
from scale_app.worker.turns import Share


class Force(Protocol):
    """The senders of one run."""

    def begin(self) -> None:
        """Wait until all senders are ready. Raises CannotBegin."""

    def start(self, user_count: int, spawn_rate: float) -> None:
        """Bring the number of users to this, so many a second; returns at once."""

    def follow(self, leg: Leg, began_s: float) -> None:
        """In the open model: the arrivals of all senders together, in a run that began then (monotonic clock)."""

    def sample(self) -> TrafficSample:
        """What all senders have counted by now."""

    def drain(self) -> None:
        """Send nothing new and wait for the requests in flight, at most until their deadline."""


class CannotBegin(Exception):
    """There is no load to be had. The message is a sentence for people."""


class Alone:
    """One process that does everything: Locust's local runner."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._runner: Runner = engine.environment.create_local_runner()

    def begin(self) -> None:
        self._engine.begin()

    def start(self, user_count: int, spawn_rate: float) -> None:
        self._runner.start(user_count, spawn_rate)

    def follow(self, leg: Leg, began_s: float) -> None:
        self._engine.follow(leg, Share(), began_s)

    def sample(self) -> TrafficSample:
        return self._engine.sample()

    def drain(self) -> None:
        self._engine.drain()
