"""Facts for the tests of findings: made by a real run from samples, so that no figure is invented."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from scale_app.domain.cluster import ServiceSettings
from scale_app.domain.ejection import Ejection
from scale_app.domain.events import PodChanged
from scale_app.domain.findings.facts import Facts
from scale_app.domain.grace import Late
from scale_app.domain.histogram import Histogram, bucket_of
from scale_app.domain.plan import LoadPlan
from scale_app.domain.rise import Rise
from scale_app.domain.roster import Roster
from scale_app.domain.samples import ConnectionLoads, GeneratorHealth, PodCount, PodSeen, PodsSample, TrafficSample
from scale_app.domain.snapshot import Source
from scale_app.domain.view import pod_shares
from scale_app.domain.windows import Windows

NODES = ("node-a", "node-b", "node-c")


@dataclass(frozen=True, slots=True)
class PodFacts:
    """What one pod did. latency_ms: of each of its answers. connections: None for one each."""

    requests: int
    latency_ms: float = 2.0
    failures: int = 0
    connections: int | None = None
    node: str = ""
    zone: str = ""
    ready: bool = True

    def count(self, each: int) -> PodCount:
        opened = -(-self.requests // each) if self.connections is None else self.connections
        latency = Histogram({bucket_of(self.latency_ms / 1_000): self.requests} if self.requests else {})
        return PodCount(self.requests, self.failures, opened, latency)


@dataclass(frozen=True, slots=True)
class Scene:
    """Ten seconds of a run. each: requests per connection. switches_each: of its answers, from
    another pod than the one before. unnamed: answers without a pod's name; redirects: those of them that lead
    elsewhere; bad_gateway: errors that a proxy gave in a pod's place. errors: {cause: requests} that got no answer.
    earlier: {pod: requests} in as many seconds before, on the same connections, for what is looked at over time."""

    pods: Mapping[str, PodFacts]
    each: int = 5
    plan: LoadPlan = field(default_factory=LoadPlan)
    service: ServiceSettings | None = None
    changes: tuple[PodChanged, ...] = ()
    late: Mapping[str, Late] = field(default_factory=dict)
    health: tuple[GeneratorHealth, ...] = ()
    switches_each: int = 0
    unnamed: int = 0
    redirects: int = 0
    excess: Mapping[str, int] | None = None
    errors: Mapping[str, int] = field(default_factory=dict)
    bad_gateway: int = 0
    earlier: Mapping[str, int] = field(default_factory=dict)
    ejections: Mapping[str, Ejection] = field(default_factory=dict)
    rises: Mapping[str, Rise] = field(default_factory=dict)

    def facts(self) -> Facts:
        """What diagnosis gets to see."""
        roster = Roster()
        listed = tuple(PodSeen(name, pod.node, pod.ready, zone=pod.zone) for name, pod in self.pods.items())
        roster.observe(PodsSample(0.0, listed, self.service))
        windows = Windows(roster)
        windows.begin(0.0)
        if self.earlier:
            before = {name: replace(pod, requests=self.earlier[name]) for name, pod in self.pods.items()}
            windows.observe(replace(self, pods=before).sample())
            after = {name: replace(pod, requests=pod.requests + self.earlier[name]) for name, pod in self.pods.items()}
            doubled = replace(self, pods=after, each=2 * self.each, switches_each=2 * self.switches_each)
            windows.observe(replace(doubled.sample(), at_s=20.0))
        else:
            windows.observe(self.sample())
        figures = replace(windows.figures(), ejections=self.ejections, rises=self.rises)
        return Facts(
            plan=self.plan,
            source=Source.DEMO,
            figures=figures,
            rows=pod_shares(figures, roster),
            listed=roster.listed(),
            elapsed_s=10.0,
            changes=self.changes,
            late=self.late,
            service=roster.service,
            health=self.health,
            excess=self.excess,
            errors=self.errors,
        )

    def sample(self) -> TrafficSample:
        """The generator's counters at the end."""
        pods = {name: pod.count(self.each) for name, pod in self.pods.items() if pod.requests}
        connections = sum(count.connections for count in pods.values())
        requests = sum(count.requests for count in pods.values())
        carried = max(1, round(requests / max(connections, 1)))
        unnamed = self.unnamed + self.bad_gateway
        blank = Histogram({bucket_of(0.002): unnamed} if unnamed else {})
        return TrafficSample(
            at_s=10.0,
            users=20,
            requests=requests + unnamed + sum(self.errors.values()),
            pods=pods,
            unnamed=PodCount(unnamed, self.bad_gateway, latency=blank),
            redirects=self.redirects,
            errors={**self.errors, **({"HTTP 502": self.bad_gateway} if self.bad_gateway else {})},
            connections=connections,
            loads=self._loads(carried, connections),
        )

    def _loads(self, carried: int, connections: int) -> ConnectionLoads:
        if not self.switches_each:
            return ConnectionLoads({carried: connections}, switches={})
        alike = {carried: {self.switches_each: connections}}
        return ConnectionLoads({carried: connections}, {}, connections, switches={}, short_switches=alike)


def pods(requests: Sequence[int], **changes: Any) -> dict[str, PodFacts]:
    """Pods a, b, c ... on the nodes in turn, with so many requests; `a=dict(...)` changes pod a."""
    made = {chr(97 + i): PodFacts(n, node=NODES[i % len(NODES)]) for i, n in enumerate(requests)}
    return made | {name: replace(made[name], **change) for name, change in changes.items()}


HEALTHY: dict[str, Scene] = {
    "random": Scene(pods([4_030, 3_950, 4_011, 3_989, 4_020])),
    "random, new connections": Scene(pods([4_030, 3_950, 4_011, 3_989, 4_020]), each=1),
    "round robin": Scene(pods([4_000] * 5)),
    "round robin, keep-alive": Scene(pods([4_000] * 5), each=400, plan=LoadPlan(requests_per_connection=None)),
    "noisy latencies": Scene(pods([4_000] * 5, a={"latency_ms": 3.4}, b={"latency_ms": 1.4}, c={"latency_ms": 2.9})),
    "a few failures": Scene(pods([4_000] * 5, a={"failures": 9}, b={"failures": 3}, d={"failures": 6})),
    "one failing alike": Scene(pods([4_000] * 3, a={"failures": 800}, b={"failures": 830}, c={"failures": 790})),
    "a Service with nothing set": Scene(pods([4_000] * 5), service=ServiceSettings(client_node="node-a")),
    "ClientIP with many clients": Scene(pods([4_000] * 5), service=ServiceSettings(session_affinity="ClientIP")),
    "Local with clients everywhere": Scene(
        pods([4_000] * 5), service=ServiceSettings(internal_traffic_policy="Local", client_node="node-a")
    ),
    "hints that do no harm": Scene(pods([4_000] * 5), service=ServiceSettings(topology_hints=True)),
    "one pod": Scene(pods([4_000])),
    "one busy second": Scene(pods([4_000] * 5), health=(GeneratorHealth(), GeneratorHealth(1.0, 300.0))),
    "health probes of the kubelet": Scene(pods([4_000] * 5), excess={"a": 5, "b": 5}),
    "a new pod with its share": Scene(pods([4_000] * 5), changes=(PodChanged(3.0, "e", "joined"),)),
    "nothing yet": Scene(pods([0, 0, 0])),
    "no pods": Scene({}),
}


def on_fifty_nodes(counts: Sequence[int]) -> Scene:
    """A pod for each count, in turn on fifty nodes, on one of which the load is."""
    pods = {f"pod-{i:05d}": PodFacts(n, node=f"node-{i % 50}") for i, n in enumerate(counts)}
    return Scene(pods, service=ServiceSettings(client_node="node-1"))
