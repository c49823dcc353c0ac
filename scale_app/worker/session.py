"""One run inside the worker: its load started, edited, drained and ended, and its samples told to the owner.

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
from typing import BinaryIO

# Locust comes first: it patches sockets and ssl, and whatever was imported before would keep the old ones.
from scale_app.worker.engines import engine_of  # isort: skip
import gevent  # type: ignore[import-untyped]
from gevent.event import AsyncResult, Event  # type: ignore[import-untyped]
from gevent.lock import BoundedSemaphore  # type: ignore[import-untyped]

from scale_app.codec import from_json
from scale_app.domain.errors import PlanError
from scale_app.domain.plan import LoadPlan, PlanEdit
from scale_app.domain.samples import LoadEnded, LoadReady
from scale_app.worker.crew import Crew
from scale_app.worker.faults import watch_for_faults
from scale_app.worker.force import Alone, CannotBegin, Force
from scale_app.worker.job import Job
from scale_app.worker.pipe import OwnerPipe
from scale_app.worker.steering import STEER_EVERY_S, Steering

SAMPLE_EVERY_S = 1.0
TOLD_TO_END = (
    "The load generator was told to end from outside (SIGTERM) after {passed_s:.0f} of {duration_s:g} s. "
    "Find out what ends processes on this machine, then start the run again."
)


class Session:
    """A run from its first user to the last sample."""

    def __init__(self, plan: LoadPlan, pipe: OwnerPipe) -> None:
        self._plan = plan
        self._pipe = pipe
        self._over = AsyncResult()
        self._drained = Event()
        self._sampling = BoundedSemaphore()
        self._turn = BoundedSemaphore()
        self._steering: Steering | None = None
        self._began_s = time.monotonic()

    def run(self, force: Force) -> None:
        """Send load until the time is over or a stop is asked for, then wait for the requests in flight.

        Raises CannotBegin.
        """
        gevent.signal_handler(signal.SIGTERM, self._told_to_end)
        force.begin()
        self._began_s = time.monotonic()
        self._steering = Steering(force, self._plan.pattern, self._began_s)
        self._pipe.say(LoadReady(self._began_s))
        gevent.spawn(self._steer)
        gevent.spawn(self._report, force)
        error = self._over.wait(timeout=self._plan.duration_s) or ""
        self.stop()
        force.drain()
        self._drained.set()
        with self._sampling:
            self._pipe.say(force.sample())
            self._pipe.say(LoadEnded(time.monotonic(), error))
        self._pipe.flush()

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
        self.give_up("")

    def give_up(self, why: str) -> None:
        """The same, with a sentence that says why the run could not go on."""
        if not self._over.ready():
            self._over.set(why)

    def _told_to_end(self) -> None:
        """The owner asks for the end by its pipe: whoever sends a signal cuts the run."""
        passed_s = time.monotonic() - self._began_s
        self.give_up(TOLD_TO_END.format(passed_s=passed_s, duration_s=self._plan.duration_s))

    def _steer(self) -> None:
        while not self._over.ready():
            self._steer_now()
            gevent.sleep(STEER_EVERY_S)

    def _steer_now(self) -> None:
        with self._turn:  # Locust may wait for an earlier goal's greenlet to end
            if self._steering is not None and not self._over.ready():
                self._steering.steer(self._plan, time.monotonic() - self._began_s)

    def _report(self, force: Force) -> None:
        """A sample every second until the load is drained, in step with the clock however long the writing takes.

        An owner that does not read for a while gets the newest counts when it does, not all that it missed.
        """
        due_s = time.monotonic()
        while True:
            due_s = max(due_s + SAMPLE_EVERY_S, time.monotonic())
            self._drained.wait(due_s - time.monotonic())
            self._pipe.flush()
            with self._sampling:
                if self._drained.is_set():
                    return
                self._pipe.say(force.sample())


def serve(output: BinaryIO) -> None:
    """Run the owner's one job and end the process; end it at once when the owner closes standard input."""
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr)
    allow_all_files()
    pipe = OwnerPipe(output)
    lines = pipe.lines()
    first = next(lines, None)
    if first is None:
        return
    try:
        job = from_json(Job, first)
        session = Session(job.plan, pipe)
        force = _force(job, session, pipe, output.fileno())
        gc.collect()
        gc.freeze()

        def listen() -> None:
            for line in lines:
                session.obey(line)
            os._exit(0)

        gevent.spawn(listen)
        session.run(force)
    except (PlanError, CannotBegin) as error:
        sys.exit(str(error))


def _force(job: Job, session: Session, pipe: OwnerPipe, output: int) -> Force:
    """Raises PlanError or CannotBegin for a job that cannot be done here."""
    engine = engine_of(job)
    many = job.plan.processes > 1 or job.plan.remote_workers > 0
    crew = Crew(job, engine.environment, output, pipe.say, session.give_up) if many else None
    watch_for_faults(engine.environment, session.give_up, ours=not job.plan.locustfile)
    return crew or Alone(engine)


def allow_all_files() -> None:
    """One connection a user: the soft limit of 1,024 open files would be the load's limit."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
