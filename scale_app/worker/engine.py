"""What sends the load inside one process: its users, their connections, and what they counted."""

from __future__ import annotations

import time
from time import perf_counter
from typing import Protocol

import gevent
from locust.env import Environment
from locust.stats import RequestStats, StatsEntry, StatsError, bucket_response_time

from scale_app.child_process import WaitClock
from scale_app.domain.histogram import bucket_ms
from scale_app.domain.samples import TrafficSample
from scale_app.domain.timetable import Leg
from scale_app.worker.arrival_shares import Share
from scale_app.worker.counters import Batch
from scale_app.worker.health import HealthMeter
from scale_app.worker.locustfile import FileEngine
from scale_app.worker.schedule import OpenModel
from scale_app.worker.traffic import Assignment, schedule_of, traffic_of, user_class

DRAIN_SPARE_S = 1.0
LOOK_EVERY_S = 0.25


class Engine(Protocol):
    """What sends in one process. environment: Locust's, to which the caller gives a runner before `begin`."""

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

    def __init__(self, assignment: Assignment) -> None:
        """Raises PlanError or ValueError for an assignment that cannot be done."""
        loop = gevent.get_hub().loop
        schedule = schedule_of(assignment.plan, loop)
        self._arrivals = schedule if isinstance(schedule, OpenModel) else None
        self._traffic = traffic_of(assignment, schedule, loop)
        self._method, self._url = assignment.plan.method, assignment.target.url
        self._health = HealthMeter()
        self.environment = Environment(
            user_classes=[user_class(self._traffic)], host=assignment.target.url, catch_exceptions=False
        )

    def begin(self) -> None:
        self._traffic.watch_deadlines()
        gevent.spawn(self._health.probe)

    def follow(self, leg: Leg, share: Share, began_s: float) -> None:
        if self._arrivals is not None:
            self._arrivals.follow(leg, share, perf_counter() - (time.monotonic() - began_s))

    def sample(self) -> TrafficSample:
        counters = self._traffic.network.counters
        log_batch(self.environment.stats, self._method, self._url, counters.take_batch())
        runner = self.environment.runner
        health = self._health.take()
        if self._arrivals is not None:
            health = self._arrivals.take(health)
        return counters.sample(time.monotonic(), runner.user_count if runner is not None else 0, health)

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
        draining, waited = self._traffic.draining, WaitClock(LOOK_EVERY_S, time.monotonic())
        while len(draining) and within_s > 0:
            draining.join(timeout=min(within_s, LOOK_EVERY_S))
            within_s -= waited.passed_s(time.monotonic())


class LocalExecutor:
    """One process that does everything: Locust's local runner."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._runner = engine.environment.create_local_runner()

    def begin(self) -> None:
        self._engine.begin()

    def start(self, user_count: int, spawn_rate: float) -> None:
        self._runner.start(user_count, spawn_rate)

    def follow(self, leg: Leg, began_s: float) -> None:
        self._engine.follow(leg, Share(), began_s)

    def sample(self) -> TrafficSample:
        return self._engine.sample()

    def drain(self) -> None:
        self._engine.drain()


def log_batch(stats: RequestStats, method: str, url: str, batch: Batch) -> None:
    """Add a batch to Locust's statistics, the way its master adds what a worker reports. Latencies within 1 %."""
    if not batch.requests:
        return
    entry = _entry(StatsEntry(stats, url, method), batch)
    stats.total.extend(entry)
    stats.entries[url, method].extend(entry)
    for cause, times in batch.errors.items():
        error = stats.errors.setdefault(StatsError.create_key(method, url, cause), StatsError(method, url, cause))
        error.occurrences += times


def _entry(entry: StatsEntry, batch: Batch) -> StatsEntry:
    now_s = time.time()
    entry.last_request_timestamp = now_s
    entry.num_requests = batch.requests
    entry.num_failures = batch.failures
    entry.total_response_time = round(batch.total_s * 1_000)
    entry.min_response_time = round(bucket_ms(min(batch.buckets)))
    entry.max_response_time = round(bucket_ms(max(batch.buckets)))
    entry.total_content_length = batch.body_bytes
    entry.num_reqs_per_sec[int(now_s)] = batch.requests
    entry.num_fail_per_sec[int(now_s)] = batch.failures
    for bucket, times in batch.buckets.items():
        entry.response_times[bucket_response_time(bucket_ms(bucket))] += times
    return entry


def engine_of(assignment: Assignment) -> Engine:
    """Raises PlanError or ValueError for an assignment that cannot be done here."""
    return FileEngine(assignment) if assignment.plan.locustfile else OwnEngine(assignment)
