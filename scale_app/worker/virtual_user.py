"""One virtual user: when it sends, on which connection, what becomes of each request, and its deadline.

It lives in callbacks of the event loop. The greenlet that Locust gives the user is parked meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol

from scale_app.worker.answer import Answer
from scale_app.worker.connection import Connection, Network
from scale_app.worker.health import CLOSED_EARLY, TIMEOUT

SWEEPS_PER_TIMEOUT = 10
SHORTEST_SWEEP_S = 0.02
LONGEST_SWEEP_S = 0.1
STOOD_STILL_S = 1.0
"""A sweep that is so late shows that this process was stopped, or that the machine slept."""


@dataclass(frozen=True, slots=True)
class UserBehaviour:
    """What every user does alike.

    request, last_request: bytes to send; the latter on a connection's last. most: requests a connection, or None.
    repeatable: the request may be sent again when a connection turns out to be closed.
    """

    request: bytes
    last_request: bytes
    most: int | None
    repeatable: bool


class Schedule(Protocol):
    """When users send."""

    def begin(self, user: VirtualUser) -> None:
        """A user has started."""

    def ready(self, user: VirtualUser, now_s: float) -> None:
        """The user was answered: let it fire now, or later."""

    def failed(self, user: VirtualUser) -> None:
        """The user's request failed: let it fire again after a while."""


class VirtualUser:
    """A user between its schedule's `begin` and `over`.

    in_flight: a request is being sent or answered; its deadline counts from `sent_s`. stopping: it sends nothing more.
    failures: requests that failed since the last answer.
    """

    def __init__(
        self, behaviour: UserBehaviour, network: Network, schedule: Schedule, over: Callable[[], None]
    ) -> None:
        self._behaviour = behaviour
        self._network = network
        self._schedule = schedule
        self._over = over
        self._connection: Connection | None = None
        self._intended_s = 0.0
        self.stopping = False
        self.sent_s = 0.0
        self.in_flight = False
        self.failures = 0

    def wake(self) -> None:
        """A wait is over: send, unless the user was stopped meanwhile."""
        if not self.stopping:
            now_s = perf_counter()
            self.fire(now_s, now_s)

    def fire(self, now_s: float, intended_s: float) -> None:
        """Send a request that was meant to be sent at `intended_s`; its latency counts from there."""
        self.in_flight = True
        self.sent_s = now_s
        self._intended_s = intended_s
        connection, behaviour = self._connection, self._behaviour
        if connection is None:
            self._open()
        else:
            last = connection.counts.answers + 1 == behaviour.most
            connection.send(behaviour.last_request if last else behaviour.request)

    def stop(self) -> bool:
        """Send nothing more. True when nothing is in flight; else `over` is called once it is answered."""
        self.stopping = True
        return not self.in_flight

    def time_out(self, sent_before_s: float) -> None:
        """End a request that was sent before this time."""
        if self.in_flight and self.sent_s < sent_before_s:
            self.failed(TIMEOUT)

    def excuse(self, seconds: float) -> None:
        """So long nobody could read an answer, through no fault of the target's: the deadline moves."""
        self.sent_s += seconds

    def close(self) -> None:
        """Leave nothing behind. Idempotent."""
        self.stopping = True
        self.in_flight = False
        self._disconnect()

    # -- what the connection tells

    def answered(self, answer: Answer) -> None:
        now_s = perf_counter()
        connection = self._connection
        assert connection is not None
        counts = connection.counts
        self._network.counters.answered(counts, answer.cell, now_s - self._intended_s)
        self.in_flight = False
        self.failures = 0
        if not answer.reusable or counts.answers == self._behaviour.most:
            self._disconnect()
        if self.stopping:
            self._over()
        else:
            self._schedule.ready(self, now_s)

    def failed(self, cause: str) -> None:
        counts = None if self._connection is None else self._connection.opened
        self._network.counters.unanswered(cause, perf_counter() - self._intended_s, counts)
        self.in_flight = False
        self.failures += 1
        self._disconnect()
        if self.stopping:
            self._over()
        else:
            self._schedule.failed(self)

    def went_stale(self) -> None:
        self._disconnect()
        if self._behaviour.repeatable:
            self._open()
        else:
            self.failed(CLOSED_EARLY)

    def lost(self) -> None:
        self._disconnect()

    def _open(self) -> None:
        connection = self._connection = Connection(self._network, self)
        behaviour = self._behaviour
        connection.open(behaviour.last_request if behaviour.most == 1 else behaviour.request)

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


class DeadlineSweep:
    """Ends requests at their deadline; time in which this process stood still is not counted against the target.

    every_s: how often to call `sweep`. users: of all users, also of those to come. timeout_s: of a request."""

    def __init__(self, users: set[VirtualUser], timeout_s: float) -> None:
        self.every_s = max(SHORTEST_SWEEP_S, min(timeout_s / SWEEPS_PER_TIMEOUT, LONGEST_SWEEP_S))
        self._users = users
        self._timeout_s = timeout_s
        self._swept_s = perf_counter()

    def sweep(self) -> None:
        """End what is over its deadline now."""
        now_s, users = perf_counter(), tuple(self._users)
        late_s, self._swept_s = now_s - self._swept_s, now_s
        if late_s > STOOD_STILL_S:
            for user in users:
                user.excuse(late_s)
        for user in users:
            user.time_out(now_s - self._timeout_s)
