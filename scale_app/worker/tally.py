"""The worker's own counts: what every pod answered, what went wrong, and what each connection carried.

Pure and cheap: plain integers and dicts in the path of a request, frozen dataclasses once a second.
Bounded whatever the target answers: so many pod names and error causes, the rest is put together.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from scale_app.domain.histogram import Histogram, bucket_of
from scale_app.domain.samples import ConnectionLoads, GeneratorHealth, PodCount, TrafficSample

MAX_CAUSES = 50
MAX_PODS = 2_000
MAX_POD_NAME = 253
OTHER_CAUSE = "other"
FAILURE_STATUS = 400


class PodTally:
    """Counts of one pod, or of the answers that named none."""

    __slots__ = ("connections", "failures", "latency", "requests")

    def __init__(self) -> None:
        self.requests = 0
        self.failures = 0
        self.connections = 0
        self.latency: dict[int, int] = {}

    def frozen(self) -> PodCount:
        return PodCount(self.requests, self.failures, self.connections, Histogram(dict(self.latency)))


class Carried:
    """One connection. answers: requests that were answered on it; pod: the first pod that it was answered by."""

    __slots__ = ("answers", "born", "connection_id", "pod", "switched")

    def __init__(self, connection_id: int, born: int) -> None:
        self.connection_id = connection_id
        self.born = born
        self.answers = 0
        self.pod: PodTally | None = None
        self.switched = False


@dataclass(slots=True)
class Batch:
    """What ended since the last batch, for Locust's own statistics.

    buckets: {latency bucket: requests}, of answered and unanswered requests. total_s: the sum of their latencies.
    errors: {cause: requests}. body_bytes: of the answers' bodies.
    """

    buckets: dict[int, int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    total_s: float = 0.0
    body_bytes: int = 0

    @property
    def requests(self) -> int:
        return sum(self.buckets.values())

    @property
    def failures(self) -> int:
        return sum(self.errors.values())


class Tally:
    """All counts of one worker since its start."""

    def __init__(self) -> None:
        self.requests = 0
        self.connections = 0
        self._pods: dict[bytes, PodTally] = {}
        self._names: dict[str, PodTally] = {}
        self._unnamed = PodTally()
        self._errors: dict[str, int] = {}
        self._open: dict[int, Carried] = {}
        self._short: dict[int, int] = {}
        self._closed_long: dict[int, int] = {}
        self._switched = 0
        self._interval = 0
        self._batch = Batch()

    def opened(self) -> Carried:
        """A connection was established."""
        self.connections += 1
        connection = Carried(self.connections, self._interval)
        self._open[connection.connection_id] = connection
        return connection

    def closed(self, connection: Carried) -> None:
        """The connection is gone. Call once."""
        del self._open[connection.connection_id]
        if connection.born == self._interval:
            self._short[connection.answers] = self._short.get(connection.answers, 0) + 1
        else:
            self._closed_long[connection.connection_id] = connection.answers

    def answered(self, connection: Carried, pod_name: bytes, status: int, latency_s: float, body_bytes: int) -> None:
        """A complete answer. pod_name: the pod header's value, b"" without one. latency_s: from the request's begin."""
        self.requests += 1
        pod = self._pods.get(pod_name) or self._pod(pod_name)
        pod.requests += 1
        bucket = bucket_of(latency_s)
        pod.latency[bucket] = pod.latency.get(bucket, 0) + 1
        if not connection.answers:
            pod.connections += 1
        connection.answers += 1
        if connection.pod is not pod:
            self._met(connection, pod)
        self._log(bucket, latency_s, body_bytes)
        if status >= FAILURE_STATUS:
            pod.failures += 1
            self._error(f"HTTP {status}")

    def unanswered(self, cause: str, latency_s: float) -> None:
        """A request that ended without a complete answer."""
        self.requests += 1
        self._log(bucket_of(latency_s), latency_s, 0)
        self._error(cause)

    def sample(self, at_s: float, users: int, health: GeneratorHealth) -> TrafficSample:
        """Everything counted so far; begins the next interval of the connections' loads."""
        return TrafficSample(
            at_s=at_s,
            users=users,
            requests=self.requests,
            pods={name: pod.frozen() for name, pod in self._names.items()},
            unnamed=self._unnamed.frozen(),
            errors=dict(self._errors),
            connections=self.connections,
            loads=self._loads(),
            generator=health,
        )

    def take_batch(self) -> Batch:
        """What ended since the last call."""
        batch, self._batch = self._batch, Batch()
        return batch

    def _loads(self) -> ConnectionLoads:
        long = self._closed_long | {c.connection_id: c.answers for c in self._open.values()}
        self._closed_long = {}
        self._interval += 1
        return ConnectionLoads(dict(self._short), long, self._switched)

    def _log(self, bucket: int, latency_s: float, body_bytes: int) -> None:
        batch = self._batch
        batch.buckets[bucket] = batch.buckets.get(bucket, 0) + 1
        batch.total_s += latency_s
        batch.body_bytes += body_bytes

    def _error(self, cause: str) -> None:
        if cause not in self._errors and len(self._errors) >= MAX_CAUSES:
            cause = OTHER_CAUSE
        self._errors[cause] = self._errors.get(cause, 0) + 1
        self._batch.errors[cause] = self._batch.errors.get(cause, 0) + 1

    def _met(self, connection: Carried, pod: PodTally) -> None:
        # An answer that names no pod is no evidence of another pod.
        if pod is self._unnamed:
            return
        if connection.pod is None:
            connection.pod = pod
        elif not connection.switched:
            connection.switched = True
            self._switched += 1

    def _pod(self, pod_name: bytes) -> PodTally:
        """The tally for a header value that is not known by its bytes yet."""
        name = pod_name.decode("utf-8", "replace").strip()
        if not name or len(name) > MAX_POD_NAME or not name.isprintable():
            return self._unnamed
        pod = self._names.get(name)
        if pod is None:
            if len(self._names) >= MAX_PODS:
                return self._unnamed
            pod = self._names[name] = PodTally()
        if len(self._pods) < 2 * MAX_PODS:
            self._pods[pod_name] = pod
        return pod
