"""Locustfiles as they are: Locust's users with Locust's clients, counted per pod by a listener.

The counts are those of Locust's `request` event: what a file reports as one request is one. Which connection carried
which request Locust's clients do not say, so that the connections' loads are unknown; the verdict allows for it.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import gevent
from locust.env import Environment

from scale_app.domain.errors import PlanError
from scale_app.domain.samples import TrafficSample
from scale_app.domain.timetable import Leg
from scale_app.settings import load_settings
from scale_app.worker.arrival_shares import Share
from scale_app.worker.causes import cause_of_exception
from scale_app.worker.counters import FAILURE_STATUS, Counters
from scale_app.worker.destination import destination, start_egress_guard
from scale_app.worker.health import HealthMeter
from scale_app.worker.locust_compat import default_options, load_users
from scale_app.worker.traffic import Assignment


class FileEngine:
    """See engine.Engine. The file's own wait times hold; its users start and stop as the plan says."""

    def __init__(self, assignment: Assignment) -> None:
        """Executes the file. Raises PlanError when it cannot be used."""
        plan, where = assignment.plan, destination(assignment.target.url, assignment.target.networks)
        self._pod_header = plan.pod_header
        self._counters = Counters()
        self._health = HealthMeter()
        self.environment = _environment(path_of(plan.locustfile), assignment)
        self.environment.events.request.add_listener(self._count)
        self._permits = where.permits

    def begin(self) -> None:
        start_egress_guard(self._permits, self._opened)
        environment = self.environment
        environment.events.init.fire(environment=environment, runner=environment.runner, web_ui=None)
        gevent.spawn(self._health.probe)

    def follow(self, leg: Leg, share: Share, began_s: float) -> None:
        """There is no open model for a file: its users decide when they send."""

    def sample(self) -> TrafficSample:
        self._counters.take_batch()  # Locust's own statistics have counted already
        runner = self.environment.runner
        users = runner.user_count if runner is not None else 0
        return self._counters.sample(time.monotonic(), users, self._health.take(), loads_known=False)

    def drain(self) -> None:
        """Users finish their tasks, at most until the plan's timeout; then they are cut off."""
        assert self.environment.runner is not None
        self.environment.runner.stop()

    def _opened(self) -> None:
        self._counters.connections += 1

    def _count(
        self,
        response_time: float,
        response_length: int,
        exception: BaseException | None = None,
        response: Any = None,
        **_: object,
    ) -> None:
        """Locust's listener, called for each request that ended."""
        status = getattr(response, "status_code", 0) or 0
        latency_s, size = (response_time or 0.0) / 1_000, response_length or 0
        if status:
            cause = "" if exception is None or status >= FAILURE_STATUS else cause_of_exception(exception)
            self._counters.reported(self._pod(response), status, cause, latency_s, size)
        else:
            self._counters.unanswered("no answer" if exception is None else cause_of_exception(exception), latency_s)

    def _pod(self, response: Any) -> bytes:
        name = (response.headers or {}).get(self._pod_header) or ""
        return str(name).encode()


def path_of(name: str) -> Path:
    """The file in the operator's folder. Raises PlanError."""
    folder = load_settings(os.environ).locustfiles
    if not folder:
        raise PlanError("locustfile", name, "SCALE_LOCUSTFILES names no folder where the load generator runs")
    usable = {path.name: path for path in Path(folder).glob("*.py") if _inside(path, Path(folder))}
    if name not in usable:
        raise PlanError(
            "locustfile", name, f"one of the files in SCALE_LOCUSTFILES ({', '.join(sorted(usable)) or 'none'})"
        )
    return usable[name]


def _inside(path: Path, folder: Path) -> bool:
    """A link may lead out of the folder to anything; those of a mounted ConfigMap stay inside."""
    return path.is_file() and path.resolve().is_relative_to(folder.resolve())


def _environment(path: Path, assignment: Assignment) -> Environment:
    try:
        classes, events = load_users(path)
    except Exception as error:
        raise PlanError("locustfile", path.name, f"it cannot be loaded ({type(error).__name__}: {error})") from error
    if not classes:
        raise PlanError("locustfile", path.name, "there is no user class in it")
    return Environment(
        user_classes=classes,
        events=events,
        host=assignment.target.url.rstrip("/"),
        stop_timeout=assignment.plan.timeout_s,
        parsed_options=default_options(),
    )
