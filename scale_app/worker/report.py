"""What was counted as a batch for Locust's own statistics."""

from __future__ import annotations

import time
from typing import NamedTuple

from locust.stats import RequestStats, StatsEntry, StatsError, bucket_response_time

from scale_app.domain.histogram import bucket_ms
from scale_app.worker.tally import Batch


class Label(NamedTuple):
    """What Locust's statistics call the requests."""

    method: str
    name: str


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
