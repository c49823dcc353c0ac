"""Once a second: the tally as a sample to the owner, and as a batch into Locust's own statistics."""

from __future__ import annotations

import time
from typing import NamedTuple

import gevent  # type: ignore[import-untyped]
from locust.env import Environment
from locust.stats import RequestStats, StatsEntry, StatsError, bucket_response_time

from scale_app.domain.histogram import bucket_ms
from scale_app.domain.samples import TrafficSample
from scale_app.worker.arrivals import OpenPace
from scale_app.worker.health import HealthMeter
from scale_app.worker.pipe import OwnerPipe
from scale_app.worker.tally import Batch, Tally

SAMPLE_EVERY_S = 1.0


class Label(NamedTuple):
    """What Locust's statistics call the requests."""

    method: str
    name: str


class Reporter:
    """Says what was counted. `run` in a greenlet of its own; `sample` once all requests have ended.

    label: method and URL, as Locust's statistics name the requests. arrivals: None in the closed model.
    """

    def __init__(
        self,
        environment: Environment,
        tally: Tally,
        label: Label,
        pipe: OwnerPipe,
        arrivals: OpenPace | None = None,
    ) -> None:
        self._environment = environment
        self._tally = tally
        self._label = label
        self._pipe = pipe
        self._arrivals = arrivals
        self._health = HealthMeter()
        gevent.spawn(self._health.probe)

    def run(self) -> None:
        """A sample every second, in step with the clock however long the writing takes."""
        due_s = time.monotonic()
        while True:
            due_s = max(due_s + SAMPLE_EVERY_S, time.monotonic())
            gevent.sleep(due_s - time.monotonic())
            self._pipe.say(self.sample())

    def sample(self) -> TrafficSample:
        """The counts now; Locust's statistics are brought to the same."""
        log_batch(self._environment.stats, self._label, self._tally.take_batch())
        runner = self._environment.runner
        users = runner.user_count if runner is not None else 0
        health = self._health.take()
        if self._arrivals is not None:
            health = self._arrivals.take(health)
        return self._tally.sample(time.monotonic(), users, health)


def log_batch(stats: RequestStats, label: Label, batch: Batch) -> None:
    """Add a batch to Locust's statistics, the way its master adds what a worker reports. Latencies within 1 %."""
    if not batch.requests:
        return
    entry = _entry(stats, label, batch)
    stats.total.extend(entry)
    stats.entries[(label.name, label.method)].extend(entry)
    for cause, times in batch.errors.items():
        key = StatsError.create_key(label.method, label.name, cause)
        error = stats.errors.setdefault(key, StatsError(label.method, label.name, cause))
        error.occurrences += times


def _entry(stats: RequestStats, label: Label, batch: Batch) -> StatsEntry:
    now_s = time.time()
    entry = StatsEntry(stats, label.name, label.method)
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
