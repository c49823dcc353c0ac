"""Everything of Locust's that we touch though Locust does not promise it, each with its reason. Seen in Locust 2.47.0.

`tests/unit/worker/test_locust_compat.py` fails when Locust changes one of them, and when another module touches one.
"""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gevent
import locust
from gevent.lock import BoundedSemaphore
from locust import User, runners
from locust.argument_parser import parse_options
from locust.env import Environment
from locust.event import Events
from locust.runners import DistributedRunner, MasterRunner, WorkerRunner
from locust.util.load_locustfile import load_locustfile

HEARTBEAT_S = 0.25
BEATS_MISSED_AT_MOST = sys.maxsize
"""Locust would call a worker missing after three and give its users to others; when that is right is decided here."""
NEVER_S = 1e12


def use_sockets(server: object, client: object) -> None:
    """`runners.rpc`: runners make their sockets by its `Server` and `Client`; there is no hook for other sockets."""
    vars(runners).update(rpc=SimpleNamespace(Server=server, Client=client))


def outlive_master() -> None:
    """`runners.MASTER_HEARTBEAT_TIMEOUT`: Locust would end a worker after a minute of a clock that may be set."""
    vars(runners).update(MASTER_HEARTBEAT_TIMEOUT=NEVER_S)


def accept_next_spawn(runner: WorkerRunner) -> None:
    """`last_received_spawn_timestamp`: Locust ignores an order to spawn that is older than the last one.

    It compares by the master's wall clock, which may be set back, to find orders that came late. None does on one
    connection.
    """
    runner.last_received_spawn_timestamp = 0


def load_users(path: Path) -> tuple[list[type[User]], Events]:
    """`locust.events` and `load_locustfile`: the user classes of a locustfile and the listeners that it registers.

    A forked process has executed the file once already: its listeners must not be called twice. Raises what it raises.
    """
    events = locust.events = Events()
    classes, _ = load_locustfile(str(path))
    return list(classes.values()), events


def default_options() -> Namespace:
    """`parse_options`: what locustfiles find as `environment.parsed_options`."""
    options: Namespace = parse_options(args=[])
    return options


def hear(runner: DistributedRunner, **by_kind: Callable[..., None]) -> None:
    """Have messages of these kinds handled, each in a greenlet of its own.

    So what goes wrong in it reaches `health.watch_for_faults`, and not a log of Locust's.
    """
    for kind, handle in by_kind.items():
        runner.register_message(kind, handle, concurrent=True)


class Master(MasterRunner):
    """Locust's master as it is needed here: never blocking, and quick to see that a worker is gone.

    `_users_dispatcher`: Locust has no call to take one worker's users away. `clients` and their `heartbeat`: nor one
    that tells since when a worker is silent.
    """

    def __init__(self, environment: Environment, host: str, port: int) -> None:
        """Listens, and is the environment's runner. Raises zmq's ZMQError when the port is taken."""
        # Both are read anew at each beat.
        vars(runners).update(HEARTBEAT_INTERVAL=HEARTBEAT_S, HEARTBEAT_LIVENESS=BEATS_MISSED_AT_MOST)
        # Locust would wait a second for the users' number after each change, and read no messages meanwhile.
        os.environ["LOCUST_WAIT_FOR_WORKERS_REPORT_AFTER_RAMP_UP"] = "0"
        # Workers have options of their own. Those sent by a master cost them a second with every change of users.
        environment.parsed_options = None
        self._starting: gevent.Greenlet | None = None
        self._turn = BoundedSemaphore()
        self._halted = False
        super().__init__(environment, host, port)
        environment.runner = self

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
