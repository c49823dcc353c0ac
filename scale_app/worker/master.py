"""Locust's master as this house needs it: never blocking, and quick to see that a worker is gone."""

from __future__ import annotations

import os
from typing import Any

import gevent  # type: ignore[import-untyped]
from locust import User, runners
from locust.env import Environment
from locust.runners import STATE_MISSING, MasterRunner

HEARTBEAT_S = 0.25
"""After three that are missed a worker counts as gone: 1.25 s at the latest."""


class Master(MasterRunner):
    """Use `of` to make one."""

    _starting: gevent.Greenlet | None = None

    @classmethod
    def of(cls, environment: Environment, host: str, port: int) -> Master:
        """The environment's runner, listening. Raises zmq's ZMQError when the port is taken."""
        runners.HEARTBEAT_INTERVAL = HEARTBEAT_S  # type: ignore[assignment]
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
        """Begin to bring the number of users to this, in place of an earlier goal; returns at once.

        Locust calls it itself when workers come and go, from greenlets that must not wait for a ramp to end.
        """
        self.halt()
        self._starting = gevent.spawn(MasterRunner.start, self, user_count, spawn_rate, wait, user_classes)

    def halt(self) -> None:
        """Leave the number of users as it is."""
        if self._starting is not None and self._starting is not gevent.getcurrent():
            self._starting.kill()

    def misses(self, name: str) -> bool:
        """True when a worker has missed its heartbeats, or left."""
        worker: Any = self.clients.get(name)
        return worker is None or worker.state == STATE_MISSING

    def silent(self) -> list[str]:
        """Names of all that have missed their heartbeats."""
        return [worker.id for worker in self.clients.missing]

    def forget(self, name: str) -> None:
        """Send nothing to this worker any more; the next `start` moves its users to the others."""
        worker = self.clients.pop(name, None)
        if worker is not None and self._users_dispatcher is not None:
            self._users_dispatcher.remove_worker(worker)
