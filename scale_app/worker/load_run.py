"""One run inside the worker: its load started, edited, drained and ended, and its samples told to the owner."""

from __future__ import annotations

import gc
import json
import logging
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

import gevent
from gevent.event import AsyncResult, Event
from gevent.lock import BoundedSemaphore
from gevent.os import make_nonblocking, nb_read, nb_write

from scale_app.child_process import allow_all_files
from scale_app.codec import from_json, to_json
from scale_app.domain.errors import PlanError
from scale_app.domain.plan import LoadPlan, PlanEdit
from scale_app.domain.samples import GeneratorNotice, LoadEnded, LoadReady, Sample
from scale_app.log_lines import write_log
from scale_app.worker.coordinator import Coordinator
from scale_app.worker.engine import engine_of
from scale_app.worker.health import watch_for_faults
from scale_app.worker.listener import listener_for
from scale_app.worker.redaction import redacted
from scale_app.worker.steering import STEER_EVERY_S, CannotBegin, Executor, Steering
from scale_app.worker.traffic import Assignment

SAMPLE_EVERY_S = 1.0
TOLD_TO_END = (
    "The load generator was stopped from outside (SIGTERM) after {passed_s:.0f} of {duration_s:g} s. "
    "Find out what stops processes on this machine, then start the run again."
)
READ_BYTES = 65_536


class LoadRun:
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

    def run(self, executor: Executor) -> None:
        """Send load until the time is over or a stop is asked for, then wait for the requests in flight.

        Raises CannotBegin.
        """
        gevent.signal_handler(signal.SIGTERM, self._told_to_end)
        executor.begin()
        self._began_s = time.monotonic()
        self._steering = Steering(executor, self._plan.pattern, self._began_s)
        self._pipe.say(LoadReady(self._began_s))
        gevent.spawn(self._steer)
        gevent.spawn(self._report, executor)
        error = self._over.wait(timeout=self._plan.duration_s) or ""
        self.end()
        executor.drain()
        self._drained.set()
        with self._sampling:
            self._pipe.say(executor.sample())
            self._pipe.say(LoadEnded(time.monotonic(), error))
        self._pipe.flush()

    def obey(self, line: bytes) -> None:
        """One later line of the owner: an edit or the stop. What cannot be applied is said on standard error."""
        try:
            document = json.loads(line)
            if isinstance(document, dict) and document.get("stop"):
                self.end()
            else:
                self._plan = self._plan.edited(from_json(PlanEdit, line))
                self._steer_now()
        except (PlanError, ValueError) as error:
            print(f"The worker ignored {line[:200]!r}: {error}", file=sys.stderr)  # noqa: T201

    def end(self, why: str = "") -> None:
        """Ask for the end. Idempotent. why: a sentence when the run could not go on."""
        if not self._over.ready():
            self._over.set(why)

    def _told_to_end(self) -> None:
        """The owner asks for the end by its pipe: whoever sends a signal cuts the run."""
        passed_s = time.monotonic() - self._began_s
        self.end(TOLD_TO_END.format(passed_s=passed_s, duration_s=self._plan.duration_s))

    def _steer(self) -> None:
        while not self._over.ready():
            self._steer_now()
            gevent.sleep(STEER_EVERY_S)

    def _steer_now(self) -> None:
        with self._turn:  # Locust may wait for an earlier goal's greenlet to end
            if self._steering is not None and not self._over.ready():
                self._steering.steer(self._plan, time.monotonic() - self._began_s)

    def _report(self, executor: Executor) -> None:
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
                self._pipe.say(executor.sample())


def serve(output: BinaryIO) -> None:
    """Do the owner's one assignment and end the process; end it at once when the owner closes standard input."""
    write_log(logging.ERROR)
    allow_all_files()
    pipe = OwnerPipe(output)
    lines = pipe.lines()
    first = next(lines, None)
    if first is None:
        return
    try:
        assignment = from_json(Assignment, first)
        load_run = LoadRun(assignment.plan, pipe)
        executor = _executor(assignment, load_run, pipe, output.fileno())
        gc.collect()
        gc.freeze()

        def listen() -> None:
            for line in lines:
                load_run.obey(line)
            os._exit(0)

        gevent.spawn(listen)
        load_run.run(executor)
    except (PlanError, CannotBegin) as error:
        sys.exit(str(error))


def _executor(assignment: Assignment, load_run: LoadRun, pipe: OwnerPipe, output: int) -> Executor:
    """Raises PlanError or CannotBegin for an assignment that cannot be done here."""
    listener, assignment = listener_for(assignment.workers), replace(assignment, workers=None)
    engine = engine_of(assignment)
    coordinator: Coordinator | None = None
    if assignment.plan.processes > 1 or assignment.plan.remote_workers > 0:
        coordinator = Coordinator(assignment, listener, engine.environment, output, pipe.say, load_run.end)
    watch_for_faults(engine.environment, load_run.end, ours=not assignment.plan.locustfile)
    if coordinator is None:
        engine.environment.create_local_runner()
    return coordinator or engine


class OwnerPipe:
    """Reading and writing lines never stops the load: one greenlet writes, so that a line is whole and in its turn.

    Lines from the owner on standard input, samples to it on the pipe that used to be standard output."""

    def __init__(self, output: BinaryIO) -> None:
        self._output = output
        self._unsaid: deque[bytes] = deque()
        self._writing: gevent.Greenlet | None = None
        make_nonblocking(0)
        make_nonblocking(output.fileno())

    def lines(self) -> Iterator[bytes]:
        """Each line from the owner; ends when the owner closes its side or is gone."""
        rest = b""
        while data := nb_read(0, READ_BYTES):
            *complete, rest = (rest + data).split(b"\n")
            yield from complete

    def say(self, sample: Sample) -> None:
        """Send one sample after those before it. Returns at once; also for callbacks of the event loop."""
        self._unsaid.append(to_json(_without_secrets(sample), Sample) + b"\n")
        if self._writing is None or self._writing.ready():
            self._writing = gevent.spawn(self._write)

    def flush(self) -> None:
        """Wait until the owner has taken everything that was said, however long that takes."""
        if self._writing is not None:
            self._writing.join()

    def _write(self) -> None:
        """Without an owner to read it there is nothing left to do: the process ends."""
        try:
            while self._unsaid:
                data = memoryview(self._unsaid.popleft())
                while data:
                    data = data[nb_write(self._output.fileno(), data) :]
        except OSError:
            os._exit(1)


def _without_secrets(sample: Sample) -> Sample:
    """Sentences may hold what a client or the target said; names and causes have passed before they were counted."""
    if isinstance(sample, GeneratorNotice):
        return replace(sample, message=redacted(sample.message))
    return replace(sample, error=redacted(sample.error)) if isinstance(sample, LoadEnded) else sample
