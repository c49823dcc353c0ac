"""Once a second: the tally as a sample to the owner, and as a batch into Locust's own statistics."""

from __future__ import annotations

import time

import gevent  # type: ignore[import-untyped]
from locust.env import Environment
from locust.stats import RequestStats, StatsEntry, StatsError, bucket_response_time

from scale_app.domain.histogram import bucket_ms
from scale_app.domain.samples import GeneratorHealth, TrafficSample
from scale_app.worker.pipe import OwnerPipe
from scale_app.worker.tally import Batch, Tally

SAMPLE_EVERY_S = 1.0
LAG_PROBE_S = 0.05
METHOD = "GET"


class HealthMeter:
    """Is this process itself the limit? Run `probe` in a greenlet of its own."""

    def __init__(self) -> None:
        self._worst_lag_s = 0.0
        self._cpu_s = time.process_time()
        self._at_s = time.monotonic()

    def probe(self) -> None:
        """Sleep and look how late we wake, for ever."""
        while True:
            due_s = time.monotonic() + LAG_PROBE_S
            gevent.sleep(LAG_PROBE_S)
            self._worst_lag_s = max(self._worst_lag_s, time.monotonic() - due_s)

    def take(self) -> GeneratorHealth:
        """Share of a core and worst lag since the last call."""
        cpu_s, at_s = time.process_time(), time.monotonic()
        share = (cpu_s - self._cpu_s) / max(at_s - self._at_s, 1e-3)
        health = GeneratorHealth(min(share, 1.0), self._worst_lag_s * 1_000)
        self._cpu_s, self._at_s, self._worst_lag_s = cpu_s, at_s, 0.0
        return health


class Reporter:
    """Says what was counted. `run` in a greenlet of its own; `last` once all requests have ended."""

    def __init__(self, environment: Environment, tally: Tally, name: str, pipe: OwnerPipe) -> None:
        self._environment = environment
        self._tally = tally
        self._name = name
        self._pipe = pipe
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
        log_batch(self._environment.stats, self._name, self._tally.take_batch())
        runner = self._environment.runner
        users = runner.user_count if runner is not None else 0
        return self._tally.sample(time.monotonic(), users, self._health.take())


def log_batch(stats: RequestStats, name: str, batch: Batch) -> None:
    """Add a batch to Locust's statistics, the way its master adds what a worker reports. Latencies within 1 %."""
    if not batch.requests:
        return
    entry = _entry(stats, name, batch)
    stats.total.extend(entry)
    stats.entries[(name, METHOD)].extend(entry)
    for cause, times in batch.errors.items():
        key = StatsError.create_key(METHOD, name, cause)
        error = stats.errors.setdefault(key, StatsError(METHOD, name, cause))
        error.occurrences += times


def _entry(stats: RequestStats, name: str, batch: Batch) -> StatsEntry:
    now_s = time.time()
    entry = StatsEntry(stats, name, METHOD)
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
