"""What sends the load inside one process: its users, their connections, and what they counted."""

from __future__ import annotations

import time
from time import perf_counter
from typing import Protocol

# Locust comes first: it patches sockets and ssl, and whatever was imported before would keep the old ones.
from locust.env import Environment  # isort: skip
import gevent  # type: ignore[import-untyped]

from scale_app.child_process.lookout import Lookout
from scale_app.domain.samples import TrafficSample
from scale_app.domain.timetable import Leg
from scale_app.worker.arrivals import OpenPace
from scale_app.worker.health import HealthMeter
from scale_app.worker.job import Job, pace_of, traffic_of
from scale_app.worker.report import Label, log_batch
from scale_app.worker.turns import Share
from scale_app.worker.users import user_class

DRAIN_SPARE_S = 1.0
LOOK_EVERY_S = 0.25


class Engine(Protocol):
    """The senders of one process. environment: Locust's, to which the caller gives a runner before `begin`."""

    environment: Environment

    def begin(self) -> None:
        """From now on deadlines are kept and the process's health is measured."""

    def follow(self, leg: Leg, share: Share, began_s: float) -> None:
        """In the open model: this process's share of the arrivals of a run that began then (monotonic clock)."""

    def sample(self) -> TrafficSample:
        """The counts now; Locust's statistics are brought to the same."""

    def drain(self) -> None:
        """Send nothing new and wait for the requests in flight, at most until their deadline."""


class OwnEngine:
    """Connections driven from the event loop, each under a parked user of Locust's. See Engine."""

    def __init__(self, job: Job) -> None:
        """Raises PlanError or ValueError for a job that cannot be done."""
        loop = gevent.get_hub().loop
        pace = pace_of(job.plan, loop)
        self._arrivals = pace if isinstance(pace, OpenPace) else None
        self._traffic = traffic_of(job, pace, loop)
        self._label = Label(job.plan.method, job.target.url)
        self._health = HealthMeter()
        self.environment = Environment(
            user_classes=[user_class(self._traffic)], host=job.target.url, catch_exceptions=False
        )

    def begin(self) -> None:
        self._traffic.watch_deadlines()
        gevent.spawn(self._health.probe)

    def follow(self, leg: Leg, share: Share, began_s: float) -> None:
        if self._arrivals is not None:
            self._arrivals.follow(leg, share, perf_counter() - (time.monotonic() - began_s))

    def sample(self) -> TrafficSample:
        tally = self._traffic.network.tally
        log_batch(self.environment.stats, self._label, tally.take_batch())
        runner = self.environment.runner
        health = self._health.take()
        if self._arrivals is not None:
            health = self._arrivals.take(health)
        return tally.sample(time.monotonic(), runner.user_count if runner is not None else 0, health)

    def drain(self) -> None:
        if self._arrivals is not None:
            self._arrivals.end()
        assert self.environment.runner is not None
        # Of a worker's runner this is the same method: its users stop, and its master is told nothing.
        self.environment.runner.stop()
        self._await_answers(self._traffic.timeout_s + DRAIN_SPARE_S)
        self._traffic.draining.kill()

    def _await_answers(self, within_s: float) -> None:
        """Time in which this process stood still does not count: the answers may be there and wait to be read."""
        draining, lookout = self._traffic.draining, Lookout(LOOK_EVERY_S, time.monotonic())
        while len(draining) and within_s > 0:
            draining.join(timeout=min(within_s, LOOK_EVERY_S))
            within_s -= lookout.passed_s(time.monotonic())
