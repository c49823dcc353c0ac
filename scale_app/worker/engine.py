"""What sends the load inside one process: Scale's own connections, or the users of a locustfile, and what they counted.

A locustfile is run as it is: Locust's users with Locust's clients. Its counts are those of Locust's `request` event:
what a file reports as one request is one. Which connection carried which request Locust's clients do not say, so that
the connections' loads are unknown; the verdict allows for it.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from time import perf_counter
from typing import Any

import gevent
from locust.env import Environment
from locust.runners import Runner

from scale_app.child_process import WaitClock
from scale_app.domain.errors import PlanError
from scale_app.domain.samples import TrafficSample
from scale_app.domain.secret import SECRET_PREFIX
from scale_app.domain.timetable import Leg
from scale_app.settings import load_settings
from scale_app.worker.counters import FAILURE_STATUS, Counters
from scale_app.worker.destination import destination, start_egress_guard
from scale_app.worker.health import HealthMeter, cause_of_exception
from scale_app.worker.locust_compat import default_options, load_users
from scale_app.worker.redaction import redacted
from scale_app.worker.schedule import OpenModel
from scale_app.worker.steering import ALL_ARRIVALS, Executor, Share
from scale_app.worker.traffic import Assignment, schedule_of, traffic_of, user_class

WORKER_SECRET = "SCALE_WORKER_SECRET"
DRAIN_SPARE_S = 1.0
LOOK_EVERY_S = 0.25


class Engine(Executor):
    """What sends in one process. environment: Locust's, to which the caller gives a runner before `begin`."""

    def __init__(self, environment: Environment, counters: Counters) -> None:
        self.environment = environment
        self._counters = counters
        self._health = HealthMeter()

    def begin(self) -> None:
        """From now on deadlines are kept and the process's health is measured."""
        gevent.spawn(self._health.probe)

    def start(self, user_count: int, spawn_rate: float) -> None:
        self._runner.start(user_count, spawn_rate)

    def follow(self, leg: Leg, began_s: float, share: Share = ALL_ARRIVALS) -> None:
        """share: this process's of the arrivals."""

    def drain(self) -> None:
        # Of a worker's runner this is the same method: its users stop, and its master is told nothing.
        self._runner.stop()

    @property
    def _runner(self) -> Runner:
        assert self.environment.runner is not None
        return self.environment.runner


class OwnEngine(Engine):
    """Connections driven from the event loop, each under a parked user of Locust's."""

    def __init__(self, assignment: Assignment) -> None:
        """Raises PlanError or ValueError for an assignment that cannot be done."""
        loop = gevent.get_hub().loop
        schedule = schedule_of(assignment.plan, loop)
        self._arrivals = schedule if isinstance(schedule, OpenModel) else None
        self._traffic = traffic_of(assignment, schedule, loop)
        environment = Environment(
            user_classes=[user_class(self._traffic)], host=assignment.target.url, catch_exceptions=False
        )
        super().__init__(environment, self._traffic.network.counters)

    def begin(self) -> None:
        self._traffic.watch_deadlines()
        super().begin()

    def follow(self, leg: Leg, began_s: float, share: Share = ALL_ARRIVALS) -> None:
        if self._arrivals is not None:
            self._arrivals.follow(leg, share, perf_counter() - (time.monotonic() - began_s))

    def sample(self) -> TrafficSample:
        """The counts now."""
        health = self._health.take()
        if self._arrivals is not None:
            health = self._arrivals.take(health)
        return self._counters.sample(time.monotonic(), self._runner.user_count, health)

    def drain(self) -> None:
        if self._arrivals is not None:
            self._arrivals.end()
        super().drain()
        self._await_answers(self._traffic.timeout_s + DRAIN_SPARE_S)
        self._traffic.draining.kill()

    def _await_answers(self, within_s: float) -> None:
        """Time in which this process stood still does not count: the answers may be there and wait to be read."""
        draining, waited = self._traffic.draining, WaitClock(LOOK_EVERY_S, time.monotonic())
        while len(draining) and within_s > 0:
            draining.join(timeout=min(within_s, LOOK_EVERY_S))
            within_s -= waited.passed_s(time.monotonic())


class FileEngine(Engine):
    """A locustfile: its own wait times hold, its users start and stop as the plan says.

    Drained, users finish their tasks, at most until the plan's timeout; then they are cut off.
    """

    def __init__(self, assignment: Assignment) -> None:
        """Executes the file, which finds its secrets in the environment. Raises PlanError when it cannot be used."""
        plan, target = assignment.plan, assignment.target
        where = destination(target.url, target.networks, one_port=target.one_port)
        os.environ.update(assignment.secrets)
        super().__init__(_environment(_path_of(plan.locustfile), assignment), Counters(redacted))
        self._pod_header = plan.pod_header
        self._permits = where.permits
        self.environment.events.request.add_listener(self._count)

    def begin(self) -> None:
        start_egress_guard(self._permits, self._opened)
        environment = self.environment
        environment.events.init.fire(environment=environment, runner=environment.runner, web_ui=None)
        super().begin()

    def sample(self) -> TrafficSample:
        users = self._runner.user_count
        return self._counters.sample(time.monotonic(), users, self._health.take(), loads_known=False)

    def _opened(self) -> None:
        self._counters.connections += 1

    def _count(
        self,
        response_time: float,
        exception: BaseException | None = None,
        response: Any = None,
        **_: object,
    ) -> None:
        """Locust's listener, called for each request that ended."""
        status = getattr(response, "status_code", 0) or 0
        latency_s = (response_time or 0.0) / 1_000
        if status:
            cause = "" if exception is None or status >= FAILURE_STATUS else cause_of_exception(exception)
            self._counters.reported(self._pod(response), status, cause, latency_s)
        else:
            self._counters.unanswered("no answer" if exception is None else cause_of_exception(exception), latency_s)

    def _pod(self, response: Any) -> bytes:
        name = (response.headers or {}).get(self._pod_header) or ""
        return str(name).encode()


def engine_of(assignment: Assignment) -> Engine:
    """Raises PlanError or ValueError for an assignment that cannot be done here.

    From now on the process does not say the assignment's secrets, and knows none of its own or of an earlier one.
    """
    redacted.keep_out(assignment.secrets.values())
    for name in [name for name in os.environ if name.startswith((SECRET_PREFIX, WORKER_SECRET))]:
        del os.environ[name]
    return FileEngine(assignment) if assignment.plan.locustfile else OwnEngine(assignment)


def _path_of(name: str) -> Path:
    """The file in the operator's folder. Raises PlanError."""
    folder = load_settings(os.environ).locustfiles
    if not folder:
        raise PlanError("locustfile", name, "SCALE_LOCUSTFILES is not set where the load generator runs")
    root, files = Path(folder).resolve(), [path for path in Path(folder).glob("*.py") if path.is_file()]
    # A link may lead out of the folder to anything; those of a mounted ConfigMap stay inside.
    usable = {path.name: path for path in files if path.resolve().is_relative_to(root)}
    if name not in usable:
        raise PlanError(
            "locustfile", name, f"one of the files in SCALE_LOCUSTFILES ({', '.join(sorted(usable)) or 'none'})"
        )
    return usable[name]


def _environment(path: Path, assignment: Assignment) -> Environment:
    try:
        classes, events = load_users(path)
    except Exception as error:
        raise PlanError("locustfile", path.name, f"it cannot be loaded ({type(error).__name__}: {error})") from error
    if not classes:
        raise PlanError("locustfile", path.name, "it has no user class")
    return Environment(
        user_classes=classes,
        events=events,
        host=assignment.target.url.rstrip("/"),
        stop_timeout=assignment.plan.timeout_s,
        parsed_options=default_options(),
    )
