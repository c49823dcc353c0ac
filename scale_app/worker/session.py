"""One run inside the worker: Locust's runner started, edited, drained and ended.

Importing this module imports Locust, which patches the process: only the worker's own process may do it.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import resource
import signal
import sys
import time
from dataclasses import dataclass
from typing import BinaryIO

# Locust comes first: it patches sockets and ssl, and whatever was imported before would keep the old ones.
from locust.env import Environment  # isort: skip
import gevent  # type: ignore[import-untyped]
from gevent.event import AsyncResult  # type: ignore[import-untyped]
from gevent.pool import Group  # type: ignore[import-untyped]

from scale_app.codec import from_json
from scale_app.domain.errors import PlanError
from scale_app.domain.plan import LoadPlan, PlanEdit
from scale_app.domain.samples import LoadEnded, LoadReady
from scale_app.worker.connection import Connector
from scale_app.worker.destination import destination
from scale_app.worker.pipe import OwnerPipe
from scale_app.worker.report import Reporter
from scale_app.worker.tally import Tally
from scale_app.worker.users import Traffic, user_class

DRAIN_SPARE_S = 1.0


@dataclass(frozen=True, slots=True)
class Target:
    """Where to send requests, and the only networks (CIDR) to connect to."""

    url: str
    networks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Job:
    """The owner's first line."""

    plan: LoadPlan
    target: Target


class Session:
    """A run from its first user to the last sample."""

    def __init__(self, job: Job, pipe: OwnerPipe) -> None:
        self._plan = job.plan
        self._pipe = pipe
        self._over = AsyncResult()
        tally, where = Tally(), destination(job.target.url, job.target.networks)
        self._traffic = Traffic(job.plan, where, Connector(where, job.plan.pod_header, tally), tally, Group())
        self._environment = Environment(
            user_classes=[user_class(self._traffic)], host=job.target.url, catch_exceptions=False
        )
        self._environment.events.user_error.add_listener(self._on_user_error)  # type: ignore[no-untyped-call]
        self._runner = self._environment.create_local_runner()
        self._reporter = Reporter(self._environment, tally, job.target.url, pipe)

    def run(self) -> None:
        """Send load until the time is over or a stop is asked for, then wait for the requests in flight."""
        gevent.signal_handler(signal.SIGTERM, self.stop)
        self._pipe.say(LoadReady(time.monotonic()))
        self._apply()
        reporting = gevent.spawn(self._reporter.run)
        error = self._over.wait(timeout=self._plan.duration_s) or ""
        self._drain()
        reporting.kill()
        self._pipe.say(self._reporter.sample())
        self._pipe.say(LoadEnded(time.monotonic(), error))

    def obey(self, line: bytes) -> None:
        """One later line of the owner: an edit or the stop. What cannot be applied is said on standard error."""
        try:
            document = json.loads(line)
            if isinstance(document, dict) and document.get("stop"):
                self.stop()
            else:
                self._plan = self._plan.edited(from_json(PlanEdit, line))
                self._apply()
        except (PlanError, ValueError) as error:
            print(f"The worker ignored {line[:200]!r}: {error}", file=sys.stderr)  # noqa: T201

    def stop(self) -> None:
        """Ask for the end. Idempotent."""
        if not self._over.ready():
            self._over.set("")

    def _apply(self) -> None:
        # The plan's constructor has checked both figures: at rate 0 Locust would stay in "spawning" for ever.
        if not self._over.ready():
            self._runner.start(self._plan.users, float(self._plan.spawn_rate))

    def _drain(self) -> None:
        self.stop()
        self._runner.stop()
        draining = self._traffic.draining
        draining.join(timeout=self._plan.timeout_s + DRAIN_SPARE_S)
        draining.kill()

    def _on_user_error(self, exception: BaseException, **_: object) -> None:
        """A fault of ours, not of the target: the counts can no longer be trusted, so the run ends."""
        if not self._over.ready():
            self._over.set(f"The load generator had to stop: {type(exception).__name__}: {exception}.")


def serve(output: BinaryIO) -> None:
    """Run the owner's one job and end the process; end it at once when the owner closes standard input."""
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr)
    _allow_all_files()
    pipe = OwnerPipe(output)
    lines = pipe.lines()
    first = next(lines, None)
    if first is None:
        return
    session = Session(from_json(Job, first), pipe)
    gc.collect()
    gc.freeze()

    def listen() -> None:
        for line in lines:
            session.obey(line)
        os._exit(0)

    gevent.spawn(listen)
    session.run()


def _allow_all_files() -> None:
    """One connection a user: the soft limit of 1,024 open files would be the load's limit."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
