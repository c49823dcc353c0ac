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
from typing import BinaryIO

# Locust comes first: it patches sockets and ssl, and whatever was imported before would keep the old ones.
from locust.env import Environment  # isort: skip
import gevent  # type: ignore[import-untyped]
from gevent.event import AsyncResult  # type: ignore[import-untyped]

from scale_app.codec import from_json
from scale_app.domain.errors import PlanError
from scale_app.domain.plan import PlanEdit
from scale_app.domain.samples import LoadEnded, LoadReady
from scale_app.worker.arrivals import OpenPace
from scale_app.worker.job import Job, pace_of, traffic_of
from scale_app.worker.pipe import OwnerPipe
from scale_app.worker.report import Label, Reporter
from scale_app.worker.steering import STEER_EVERY_S, Steering
from scale_app.worker.users import user_class

DRAIN_SPARE_S = 1.0


class Session:
    """A run from its first user to the last sample."""

    def __init__(self, job: Job, pipe: OwnerPipe) -> None:
        self._plan = job.plan
        self._pipe = pipe
        self._over = AsyncResult()
        loop = gevent.get_hub().loop
        pace = pace_of(job.plan, loop)
        self._arrivals = pace if isinstance(pace, OpenPace) else None
        self._traffic = traffic_of(job, pace, loop)
        self._environment = Environment(
            user_classes=[user_class(self._traffic)], host=job.target.url, catch_exceptions=False
        )
        self._environment.events.user_error.add_listener(self._on_user_error)  # type: ignore[no-untyped-call]
        self._runner = self._environment.create_local_runner()
        label = Label(job.plan.method, job.target.url)
        self._reporter = Reporter(self._environment, self._traffic.network.tally, label, pipe, self._arrivals)
        self._steering = Steering(self._runner, self._arrivals)
        self._began_s = time.monotonic()

    def run(self) -> None:
        """Send load until the time is over or a stop is asked for, then wait for the requests in flight."""
        gevent.signal_handler(signal.SIGTERM, self.stop)
        gevent.get_hub().handle_error = self._on_callback_error
        self._traffic.watch_deadlines()
        self._began_s = time.monotonic()
        self._pipe.say(LoadReady(self._began_s))
        beside = [gevent.spawn(self._steer), gevent.spawn(self._reporter.run)]
        error = self._over.wait(timeout=self._plan.duration_s) or ""
        self._drain()
        gevent.killall(beside)
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
                self._steer_now()
        except (PlanError, ValueError) as error:
            print(f"The worker ignored {line[:200]!r}: {error}", file=sys.stderr)  # noqa: T201

    def stop(self) -> None:
        """Ask for the end. Idempotent."""
        if not self._over.ready():
            self._over.set("")

    def _steer(self) -> None:
        while not self._over.ready():
            self._steer_now()
            gevent.sleep(STEER_EVERY_S)

    def _steer_now(self) -> None:
        if not self._over.ready():
            self._steering.steer(self._plan, time.monotonic() - self._began_s)

    def _drain(self) -> None:
        self.stop()
        if self._arrivals is not None:
            self._arrivals.end()
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


def serve(output: BinaryIO) -> None:
    """Run the owner's one job and end the process; end it at once when the owner closes standard input."""
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr)
    _allow_all_files()
    pipe = OwnerPipe(output)
    lines = pipe.lines()
    first = next(lines, None)
    if first is None:
        return
    try:
        session = Session(from_json(Job, first), pipe)
    except PlanError as error:
        sys.exit(str(error))
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
