"""What the outside tells a run: cumulative counters, each with the monotonic time at which it was read, and the time.

Adapters report counts as they are, since the start; only the domain forms differences, rates and scores.
Times (`at_s`) are seconds of the hub's monotonic clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from scale_app.domain.cluster import ServiceSettings
from scale_app.domain.histogram import Histogram
from scale_app.domain.source import Source

TIMED_OUT = "timeout"
NO_FREE_PORT = "no free local port"
"""The cause, among a sample's errors, of a request that waited for an answer as long as the plan lets it."""


@dataclass(frozen=True, slots=True)
class PodCount:
    """What one pod answered since the run's start, failures included.

    requests: answers of this pod (any status). failures: those of them with status >= 400.
    connections: connections whose first answer came from this pod. latency: of all its answers.
    unanswered: requests without an answer on connections that only this pod had answered before; not in requests.
    """

    requests: int = 0
    failures: int = 0
    connections: int = 0
    latency: Histogram = field(default_factory=Histogram)
    unanswered: int = 0


@dataclass(frozen=True, slots=True)
class ConnectionLoads:
    """What each connection carried, exact over any window between two samples.

    A switch is an answer from another pod than the answer before it on the same connection.
    short: {requests carried: connections}, cumulative, of connections opened and closed between two samples.
    long: {connection id: requests carried since it was opened} of every other connection that is open now
        or was closed since the previous sample.
    switched: connections, since the start, that were answered by more than one pod.
    endpoints: {connection id: our "address:port"} of the connections in long, only when the run asked for it.
    switches: {connection id: switches since it was opened} of the connections in long that have any. None in samples of
        earlier versions, which tell only how many connections switched.
    short_switches: {requests carried: {switches: connections}}, cumulative, of the short ones that have any.
    """

    short: Mapping[int, int] = field(default_factory=dict)
    long: Mapping[int, int] = field(default_factory=dict)
    switched: int = 0
    endpoints: Mapping[int, str] = field(default_factory=dict)
    switches: Mapping[int, int] | None = None
    short_switches: Mapping[int, Mapping[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GeneratorHealth:
    """Is the generator itself the limit?

    cpu_share: of one core, 0..1; loop_lag_ms: worst since the last sample.
    ports_left: ephemeral ports that no socket of the machine holds or waits in, so the least that are free for
        connections to the target; None when unknown.
    arrivals: requests that were due since the start in the open model; 0 in the closed one.
    late_arrivals: those that waited for a free user. dropped_arrivals: those that were dropped because too many waited
        or the run ended.
    schedule_lag_p99_ms, schedule_lag_max_ms: delay of arrivals since the last sample.
    processes: that send the load now. Of several, each figure is the worst one's, and arrivals are all of theirs.
    lost_processes: that ended before the run did.
    """

    cpu_share: float = 0.0
    loop_lag_ms: float = 0.0
    ports_left: int | None = None
    arrivals: int = 0
    late_arrivals: int = 0
    dropped_arrivals: int = 0
    schedule_lag_p99_ms: float = 0.0
    schedule_lag_max_ms: float = 0.0
    processes: int = 1
    lost_processes: int = 0


@dataclass(frozen=True, slots=True)
class TrafficSample:
    """The load generator's counters since the run's start.

    users: users active now. requests: requests that ended, answered or not (those in flight are not in it).
    pods: by pod name, requests whose answer named a pod. unnamed: answers that named no pod. redirects: those of them
        that lead elsewhere.
    errors: {cause: requests} that ended badly: "connection refused", "timeout", "HTTP 503", ...
    connections: connections opened.
    """

    at_s: float
    users: int
    requests: int
    pods: Mapping[str, PodCount] = field(default_factory=dict)
    unnamed: PodCount = field(default_factory=PodCount)
    errors: Mapping[str, int] = field(default_factory=dict)
    connections: int = 0
    loads: ConnectionLoads | None = None
    generator: GeneratorHealth = field(default_factory=GeneratorHealth)
    redirects: int = 0
    kind: Literal["traffic"] = "traffic"

    @property
    def answered(self) -> int:
        """Requests that were answered, whoever did."""
        return self.unnamed.requests + sum(count.requests for count in self.pods.values())

    @property
    def unanswered(self) -> int:
        """Requests that ended without an answer."""
        return max(0, self.requests - self.answered)


@dataclass(frozen=True, slots=True)
class PodSeen:
    """One pod as its cluster lists it. weight: the share that it should get, relative to others.

    uid: unique, "" when unknown; the same name with another uid is another pod.
    restarts: of its containers since its creation. terminating: asked to end. owner: what made it, "" when unknown.
    """

    name: str
    node: str = ""
    ready: bool = True
    weight: float = 1.0
    zone: str = ""
    uid: str = ""
    restarts: int = 0
    terminating: bool = False
    owner: str = ""


@dataclass(frozen=True, slots=True)
class PodUsage:
    """What a pod used, from the cluster's metrics, 15 to 30 s old. Shown, not scored."""

    cpu_cores: float
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class PodsSample:
    """Every pod that the directory lists now; a pod that is missing from it is gone.

    service: the settings that decide which pod gets a connection, None when unknown.
    answered: {pod name: requests}, the pods' own cumulative counts, whoever asked; None when they are unknown.
    nodes: {node: ready} of the cluster. replicas: {workload: pods wanted}. usage: {pod name: what it used}. Each is
    None when it is unknown.
    missing: sentences on what is not visible, such as without a permission, "" for nothing.
    """

    at_s: float
    pods: tuple[PodSeen, ...]
    service: ServiceSettings | None = None
    answered: Mapping[str, int] | None = None
    nodes: Mapping[str, bool] | None = None
    replicas: Mapping[str, int] | None = None
    usage: Mapping[str, PodUsage] | None = None
    missing: str = ""
    kind: Literal["pods"] = "pods"


@dataclass(frozen=True, slots=True)
class PodsLost:
    """The cluster cannot be asked now, so the pods may be old until the next PodsSample. problem: a sentence."""

    at_s: float
    problem: str
    kind: Literal["pods_lost"] = "pods_lost"


@dataclass(frozen=True, slots=True)
class CountsSample:
    """One reading of a source that counts beside the load: the source's own cumulative counts.

    at_s: when the reading began; took_s: how long it took for all pods. lag_s: how old the source's own counts are.
    requests: {pod name: count}, zeros included; bytes instead of requests where approximate.
    unread: pods of the target that could not be read this time. since: {pod name: text that changes when the pod's
        counter restarts}, where known.
    others: requests that the source assigns to other clients, not in `requests`; since the first reading.
    cut_off: pods whose counter restarted or ended with the pod, so that its counts after the last reading are lost.
    problem: a complete sentence on what could not be read and why, "" when everything was.
    weights: {pod name: weight} that the source gives pods, where it is a balancer that says so.
    """

    at_s: float
    source: Source
    requests: Mapping[str, int] = field(default_factory=dict)
    unread: tuple[str, ...] = ()
    since: Mapping[str, str] = field(default_factory=dict)
    others: int = 0
    cut_off: tuple[str, ...] = ()
    took_s: float = 0.0
    lag_s: float = 0.0
    approximate: bool = False
    problem: str = ""
    weights: Mapping[str, float] = field(default_factory=dict)
    kind: Literal["counts"] = "counts"


@dataclass(frozen=True, slots=True)
class ConnectionsSample:
    """Who is connected to each pod: one reading of the pods' own connection tables.

    clients: {pod name: clients' "address:port"}. opened: {pod name: connections accepted since the pod began}.
    The rest as in CountsSample.
    """

    at_s: float
    clients: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    opened: Mapping[str, int] = field(default_factory=dict)
    unread: tuple[str, ...] = ()
    took_s: float = 0.0
    problem: str = ""
    kind: Literal["connections"] = "connections"


@dataclass(frozen=True, slots=True)
class Tick:
    """Another second of the run's own clock: what was read up to then is looked at now, a moment later."""

    at_s: float
    kind: Literal["tick"] = "tick"


@dataclass(frozen=True, slots=True)
class LoadReady:
    """The generator's process is up and begins to start users."""

    at_s: float
    kind: Literal["ready"] = "ready"


@dataclass(frozen=True, slots=True)
class StopAsked:
    """A person or the server stopped the run; requests in flight are still answered."""

    at_s: float
    kind: Literal["stop"] = "stop"


@dataclass(frozen=True, slots=True)
class PlanChanged:
    """Users, spawn rate or arrivals were edited while running."""

    at_s: float
    users: int
    spawn_rate: float
    arrivals_per_s: float | None = None
    kind: Literal["edit"] = "edit"


@dataclass(frozen=True, slots=True)
class GeneratorNotice:
    """A problem of the load generator; the load continues. message: a sentence or two."""

    at_s: float
    message: str
    kind: Literal["notice"] = "notice"


@dataclass(frozen=True, slots=True)
class LoadEnded:
    """The generator is gone. error: "" when it ended as planned, else a complete sentence."""

    at_s: float
    error: str = ""
    kind: Literal["ended"] = "ended"


Sample = (
    TrafficSample
    | PodsSample
    | PodsLost
    | CountsSample
    | ConnectionsSample
    | Tick
    | LoadReady
    | StopAsked
    | PlanChanged
    | GeneratorNotice
    | LoadEnded
)
