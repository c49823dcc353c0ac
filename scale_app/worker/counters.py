"""The worker's own counts: what every pod answered, what went wrong, and what each connection carried.

Pure and cheap: plain integers and dicts in the path of a request, frozen dataclasses once a second.
Bounded whatever the target answers: a limited number of pod names and error causes; the rest is counted together.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from scale_app.domain.histogram import Histogram, bucket_of
from scale_app.domain.samples import ConnectionLoads, GeneratorHealth, PodCount, TrafficSample

MAX_CAUSES = 50
MAX_PODS = 2_000
MAX_POD_NAME = 253
OTHER_CAUSE = "other"
FAILURE_STATUS = 400
REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(slots=True, eq=False)
class PodCounters:
    """Counts of one pod, or of the answers that named none, as of the last fold."""

    requests: int = 0
    failures: int = 0
    connections: int = 0
    latency: Counter[int] = field(default_factory=Counter)
    unanswered: int = 0

    def frozen(self) -> PodCount:
        latency = Histogram(dict(self.latency))
        return PodCount(self.requests, self.failures, self.connections, latency, self.unanswered)


class OutcomeCounter:
    """Requests that ended in the same way since the last fold: all that is touched for each request.

    pod: who answered, None without an answer. cause: "" for a good answer. buckets: {latency bucket: requests}.
    """

    __slots__ = ("buckets", "cause", "pod")

    def __init__(self, pod: PodCounters | None, cause: str) -> None:
        self.pod = pod
        self.cause = cause
        self.clear()

    def clear(self) -> None:
        self.buckets: dict[int, int] = {}

    def add(self, latency_s: float) -> None:
        bucket, buckets = bucket_of(latency_s), self.buckets
        buckets[bucket] = buckets.get(bucket, 0) + 1


@dataclass(slots=True, eq=False)
class CountedConnection:
    """One connection. answers: requests that were answered on it; cell: of its last answer; pod: the last named.

    switches: answers that named another pod than the one before. endpoint: our address and port, "" when nobody asks.
    """

    connection_id: int
    born: int
    endpoint: str
    answers: int = 0
    cell: OutcomeCounter | None = None
    pod: PodCounters | None = None
    switches: int = 0


class Counters:
    """All counts of one worker since its start."""

    def __init__(self, redact: Callable[[str], str] = str) -> None:
        """redact: keeps secrets out of a name or a cause; asked when one is new."""
        self._redact = redact
        self.connections = 0
        self._requests = 0
        self._pods: dict[bytes, PodCounters] = {}
        self._names: dict[str, PodCounters] = {}
        self._unnamed = PodCounters()
        self._redirected = OutcomeCounter(self._unnamed, "")
        self._redirects = 0
        self._cells: dict[tuple[PodCounters | None, str], OutcomeCounter] = {}
        self._errors: dict[str, int] = {}
        self._open: dict[int, CountedConnection] = {}
        self._short: Counter[int] = Counter()
        self._short_switches: defaultdict[int, Counter[int]] = defaultdict(Counter)
        self._closed_long: list[CountedConnection] = []
        self._switched = 0
        self._interval = 0

    def opened(self, endpoint: str = "") -> CountedConnection:
        """A connection was established. endpoint: its own address and port, "" when nobody asks."""
        self.connections += 1
        connection = CountedConnection(self.connections, self._interval, endpoint)
        self._open[connection.connection_id] = connection
        return connection

    def closed(self, connection: CountedConnection) -> None:
        """The connection is gone. Call once."""
        del self._open[connection.connection_id]
        if connection.born != self._interval:
            self._closed_long.append(connection)
            return
        self._short[connection.answers] += 1
        if connection.switches:
            self._short_switches[connection.answers][connection.switches] += 1

    def cell(self, pod_name: bytes, status: int) -> OutcomeCounter:
        """Where answers of this pod and status are counted. pod_name: the header's value, b"" without one."""
        pod = self._pods.get(pod_name) or self._pod(pod_name)
        if pod is self._unnamed and status in REDIRECTS:
            return self._redirected
        return self._cell(pod, f"HTTP {status}" if status >= FAILURE_STATUS else "")

    def answered(self, connection: CountedConnection, cell: OutcomeCounter, latency_s: float) -> None:
        """A complete answer. latency_s: from the request's begin."""
        # OutcomeCounter.add, in place: this is the path of every answer.
        bucket, buckets = bucket_of(latency_s), cell.buckets
        buckets[bucket] = buckets.get(bucket, 0) + 1
        connection.answers += 1
        if connection.cell is not cell:
            self._met(connection, cell)

    def reported(self, pod_name: bytes, status: int, cause: str, latency_s: float) -> None:
        """An answer on a connection that nobody knows. cause: why it counts as failed, "" if its status says it."""
        cell = self.cell(pod_name, status)
        if cause:
            cell = self._cell(cell.pod, cause)
        cell.add(latency_s)

    def unanswered(self, cause: str, latency_s: float, connection: CountedConnection | None = None) -> None:
        """A request that ended without a complete answer. connection: on which it was sent, None when none was open."""
        self._cell(None, cause).add(latency_s)
        if connection is not None and connection.pod is not None and not connection.switches:
            connection.pod.unanswered += 1

    def sample(self, at_s: float, users: int, health: GeneratorHealth, loads_known: bool = True) -> TrafficSample:
        """Everything counted so far; begins the next interval of the connections' loads."""
        self._fold()
        return TrafficSample(
            at_s=at_s,
            users=users,
            requests=self._requests,
            pods={name: pod.frozen() for name, pod in self._names.items()},
            unnamed=self._unnamed.frozen(),
            redirects=self._redirects,
            errors={cause: times for cause, times in self._errors.items() if times},
            connections=self.connections,
            loads=self._loads() if loads_known else None,
            generator=health,
        )

    def _fold(self) -> None:
        """Add what the cells hold to the pods and the causes."""
        for cell in (*self._cells.values(), self._redirected):
            if cell.buckets:
                self._fold_cell(cell, sum(cell.buckets.values()))
                cell.clear()

    def _fold_cell(self, cell: OutcomeCounter, requests: int) -> None:
        pod = cell.pod
        self._requests += requests
        self._redirects += requests if cell is self._redirected else 0
        if pod is not None:
            pod.requests += requests
            pod.latency.update(cell.buckets)
        if cell.cause:
            self._errors[cell.cause] += requests
            if pod is not None:
                pod.failures += requests

    def _loads(self) -> ConnectionLoads:
        named = [*self._closed_long, *self._open.values()]
        long = {connection.connection_id: connection.answers for connection in named}
        endpoints = {connection.connection_id: connection.endpoint for connection in named if connection.endpoint}
        switches = {connection.connection_id: connection.switches for connection in named if connection.switches}
        self._closed_long = []
        self._interval += 1
        short_switches = {answers: dict(alike) for answers, alike in self._short_switches.items()}
        return ConnectionLoads(dict(self._short), long, self._switched, endpoints, switches, short_switches)

    def _cell(self, pod: PodCounters | None, cause: str) -> OutcomeCounter:
        cell = self._cells.get((pod, cause))
        if cell is None:
            if cause and cause not in self._errors:
                cause = self._new_cause(self._redact(cause))
            cell = self._cells.setdefault((pod, cause), OutcomeCounter(pod, cause))
        return cell

    def _new_cause(self, cause: str) -> str:
        if cause not in self._errors and len(self._errors) >= MAX_CAUSES:
            cause = OTHER_CAUSE
        self._errors.setdefault(cause, 0)
        return cause

    def _met(self, connection: CountedConnection, cell: OutcomeCounter) -> None:
        """The connection's first answer, or one that differs from the last in pod or status."""
        pod = cell.pod
        assert pod is not None
        if connection.cell is None:
            pod.connections += 1
        connection.cell = cell
        # An answer that names no pod is no evidence of another pod.
        if pod is self._unnamed:
            return
        if connection.pod is not None and connection.pod is not pod:
            self._switched += connection.switches == 0
            connection.switches += 1
        connection.pod = pod

    def _pod(self, pod_name: bytes) -> PodCounters:
        """The counters for a header value that is not known by its bytes yet."""
        name = pod_name.decode("utf-8", "replace").strip()
        if not name or len(name) > MAX_POD_NAME or not name.isprintable():
            return self._unnamed
        name = self._redact(name)
        pod = self._names.get(name)
        if pod is None:
            if len(self._names) >= MAX_PODS:
                return self._unnamed
            pod = self._names[name] = PodCounters()
        if len(self._pods) < 2 * MAX_PODS:
            self._pods[pod_name] = pod
        return pod
