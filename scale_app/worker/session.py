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
import traceback
from dataclasses import dataclass
from typing import BinaryIO

# Locust comes first: it patches sockets and ssl, and whatever was imported before would keep the old ones.
from locust.env import Environment  # isort: skip
import gevent  # type: ignore[import-untyped]
from gevent.event import AsyncResult  # type: ignore[import-untyped]

from scale_app.codec import from_json
from scale_app.domain.errors import PlanError
from scale_app.domain.plan import LoadPlan, PlanEdit
from scale_app.domain.samples import LoadEnded, LoadReady
from scale_app.worker.alarms import Alarms
from scale_app.worker.answer import AnswerBook
from scale_app.worker.connection import Network
from scale_app.worker.destination import destination
from scale_app.worker.pace import ClosedPace
from scale_app.worker.pipe import OwnerPipe
from scale_app.worker.report import Reporter
from scale_app.worker.resolver import Resolver
from scale_app.worker.slot import Habits
from scale_app.worker.tally import Tally
from scale_app.worker.tls import tls_context
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
        tally = Tally()
        self._traffic = traffic(job, tally)
        self._environment = Environment(
            user_classes=[user_class(self._traffic)], host=job.target.url, catch_exceptions=False
        )
        self._environment.events.user_error.add_listener(self._on_user_error)  # type: ignore[no-untyped-call]
        self._runner = self._environment.create_local_runner()
        self._reporter = Reporter(self._environment, tally, job.target.url, pipe)

    def run(self) -> None:
        """Send load until the time is over or a stop is asked for, then wait for the requests in flight."""
        gevent.signal_handler(signal.SIGTERM, self.stop)
        gevent.get_hub().handle_error = self._on_callback_error
        self._traffic.watch_deadlines()
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
        self._give_up(exception)

    def _on_callback_error(self, context: object, kind: object, exception: BaseException, trace: object) -> None:
        """The same, in a callback of the event loop or in a greenlet."""
        if not isinstance(exception, gevent.get_hub().NOT_ERROR):
            traceback.print_exception(exception)
            self._give_up(exception)

    def _give_up(self, exception: BaseException) -> None:
        if not self._over.ready():
            self._over.set(f"The load generator had to stop: {type(exception).__name__}: {exception}.")


def traffic(job: Job, tally: Tally) -> Traffic:
    """What the job's users share. Raises ValueError for a target that cannot be used."""
    plan = job.plan
    where = destination(job.target.url, job.target.networks)
    loop = gevent.get_hub().loop
    network = Network(
        loop=loop,
        resolver=Resolver(where),
        tls=tls_context() if where.tls else None,
        host=where.host,
        book=AnswerBook(tally, plan.pod_header),
        tally=tally,
    )
    habits = Habits(where.request, where.last_request, plan.requests_per_connection, repeatable=True)
    return Traffic(habits, network, ClosedPace(Alarms(loop), plan.think_time_s), plan.timeout_s)


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
