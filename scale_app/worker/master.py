"""Locust's master as this house needs it: never blocking, and quick to see that a worker is gone."""

from __future__ import annotations

import os
import sys
from typing import Any

import gevent  # type: ignore[import-untyped]
from gevent.lock import BoundedSemaphore  # type: ignore[import-untyped]
from locust import User, runners
from locust.env import Environment
from locust.runners import MasterRunner

HEARTBEAT_S = 0.25
BEATS_MISSED_AT_MOST = sys.maxsize
"""Locust would call a worker missing after three and give its users to others; when that is right is decided here."""


class Master(MasterRunner):
    """Use `of` to make one."""

    def __init__(self, environment: Environment, host: str, port: int) -> None:
        self._starting: gevent.Greenlet | None = None
        self._turn = BoundedSemaphore()
        self._halted = False
        super().__init__(environment, host, port)

    @classmethod
    def of(cls, environment: Environment, host: str, port: int) -> Master:
        """The environment's runner, listening. Raises zmq's ZMQError when the port is taken."""
        runners.HEARTBEAT_INTERVAL = HEARTBEAT_S  # type: ignore[assignment]
        runners.HEARTBEAT_LIVENESS = BEATS_MISSED_AT_MOST
        # Locust would wait a second for the users' number after each change, and read no messages meanwhile.
        os.environ["LOCUST_WAIT_FOR_WORKERS_REPORT_AFTER_RAMP_UP"] = "0"
        # Workers have options of their own. Those sent by a master cost them a second with every change of users.
        environment.parsed_options = None
        return environment._create_runner(cls, host, port)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server.port)

    def start(
        self, user_count: int, spawn_rate: float, wait: bool = False, user_classes: list[type[User]] | None = None
    ) -> None:
        """Begin to bring the number of users to this, in place of an earlier goal; not for callbacks of the loop.

        Locust calls it itself when workers come and go, from greenlets that must not wait for a ramp to end.
        """
        with self._turn:
            self._stop_starting()
            if not self._halted:
                self._starting = gevent.spawn(MasterRunner.start, self, user_count, spawn_rate, wait, user_classes)

    def halt(self) -> None:
        """Leave the number of users as it is from now on."""
        self._halted = True
        with self._turn:
            self._stop_starting()

    def _stop_starting(self) -> None:
        if self._starting is not None:
            self._starting.kill()

    def silent_s(self, name: str) -> float:
        """Seconds since a worker was heard, of those in which we could listen; infinite for one that has left."""
        worker: Any = self.clients.get(name)
        return float("inf") if worker is None else (BEATS_MISSED_AT_MOST - worker.heartbeat) * HEARTBEAT_S

    def names(self) -> list[str]:
        """All that Locust gives users to."""
        return [worker.id for worker in self.clients.all]

    def forget(self, name: str) -> None:
        """Send nothing to this worker any more; the next `start` moves its users to the others."""
        worker = self.clients.pop(name, None)
        if worker is not None and self._users_dispatcher is not None:
            self._users_dispatcher.remove_worker(worker)
