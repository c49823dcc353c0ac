"""What a Kubernetes cluster offers to a load test: Services that can be loaded, and what this account may read."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from scale_app.domain.errors import PlanError

SessionAffinity = Literal["None", "ClientIP"]
InternalTrafficPolicy = Literal["Cluster", "Local"]
ExternalTrafficPolicy = Literal["", "Cluster", "Local"]
TrafficDistribution = Literal["", "PreferClose", "PreferSameZone", "PreferSameNode"]
Entry = Literal["", "cluster address", "node port", "load balancer"]


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """The current settings, in Kubernetes' words.

    traffic_distribution: "" when it is not set. topology_hints: the annotation topology-mode is Auto.
    client_node, client_zone: where the load generator runs, "" when unknown.
    external_traffic_policy: how traffic from outside the cluster is spread, "" for a Service without such traffic.
    headless: it has no address of its own; its name leads to those of its pods.
    entry: by which of its addresses the run reaches the Service, "" when by another way, such as an Ingress.
    entry_node: whose port that is, "" when it is none or unknown.
    leading: what Ingresses and HTTPRoutes that lead to it say that chooses a pod or a part of the traffic, such as
        "Ingress front: upstream-hash-by: $http_x_user".
    proxy_mode: of kube-proxy on the client's node, "" where it cannot be known.
    readiness_probe: whether every pod has one, None when unknown. Without it a pod takes traffic before it can answer.
    weights: {pod name: weight} that the balancer uses, empty when it has none. These are what the balancer does; the
        share that a pod should get is PodSeen.weight.
    split: {Service: weight} by which the Ingress or HTTPRoute that split_by names shares requests among several
        Services; empty for one.
    """

    session_affinity: SessionAffinity = "None"
    internal_traffic_policy: InternalTrafficPolicy = "Cluster"
    traffic_distribution: TrafficDistribution = ""
    topology_hints: bool = False
    client_node: str = ""
    client_zone: str = ""
    weights: Mapping[str, float] = field(default_factory=dict)
    external_traffic_policy: ExternalTrafficPolicy = ""
    readiness_probe: bool | None = None
    entry: Entry = ""
    entry_node: str = ""
    leading: tuple[str, ...] = ()
    proxy_mode: str = ""
    split: Mapping[str, float] = field(default_factory=dict)
    split_by: str = ""
    headless: bool = False

    @property
    def is_external(self) -> bool:
        """True when the run comes in as clients from outside the cluster do."""
        return self.entry in ("node port", "load balancer")

    @property
    def local(self) -> bool:
        """True when a traffic policy keeps the run to the pods of one node."""
        policy = self.external_traffic_policy if self.is_external else self.internal_traffic_policy
        return policy == "Local"

    @property
    def narrows(self) -> bool:
        """True when a setting keeps a client from some of the pods."""
        apart = self.session_affinity != "None" or self.local
        return apart or bool(self.traffic_distribution) or self.topology_hints


TargetKind = Literal["Service", "Ingress", "HTTPRoute"]

NO_CLUSTER = (
    "No Kubernetes cluster is configured. Set SCALE_KUBE_CONFIG to a kubeconfig file, or to in-cluster if "
    "Scale runs in a pod. Then restart Scale."
)
ADMITTED_PREFIX = "kubernetes:"
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class ServiceRef:
    """One Service. context: of the kubeconfig, "" for the first one configured. port: of the Service, 0 = any."""

    namespace: str
    name: str
    context: str = ""
    port: int = 0

    def __str__(self) -> str:
        return "/".join(part for part in (self.context, self.namespace, self.name) if part)


@dataclass(frozen=True, slots=True)
class Split:
    """How a route shares requests among several Services. by: such as "HTTPRoute cart". weights: all above 0."""

    by: str
    weights: Mapping[ServiceRef, float]


@dataclass(frozen=True, slots=True)
class Place:
    """The pods of a Service on one node. node, zone: "" when unknown. ready: of `pods`, how many take traffic."""

    node: str
    zone: str
    ready: int
    pods: int


@dataclass(frozen=True, slots=True)
class ClusterTarget:
    """A Service, or an Ingress or HTTPRoute that leads to one, as the target picker lists it.

    name: of the object itself. service: whose pods answer; what the plan's `service` wants is str(service).
    url: to load from where Scale runs, "" when there is none. places: by node, the names sorted.
    settings: of the Service, None when it cannot be read. notable: settings that affect sharing, in Kubernetes' words,
    such as "sessionAffinity: ClientIP". problem: a sentence when it cannot be loaded, else "".
    """

    kind: TargetKind
    name: str
    service: ServiceRef
    url: str = ""
    ready: int = 0
    pods: int = 0
    places: tuple[Place, ...] = ()
    settings: ServiceSettings | None = None
    notable: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class TargetList:
    """The targets in the configured clusters. contexts, namespaces: that were looked at; a namespace "*" is all of
    them.

    problem: sentences on what could not be read, "" for nothing; the rest is listed.
    """

    targets: tuple[ClusterTarget, ...] = ()
    contexts: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """A permission, as a rule of Kubernetes' RBAC. api_group: "" for the core group. resource: with its subresource,
    "pods/log"."""

    verb: str
    resource: str
    api_group: str = ""

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}" + (f".{self.api_group}" if self.api_group else "")


def rules(verbs: str, resource: str, api_group: str = "") -> tuple[Rule, ...]:
    """A rule for each verb. verbs: as in "list watch"."""
    return tuple(Rule(verb, resource, api_group) for verb in verbs.split())


@dataclass(frozen=True, slots=True)
class Need:
    """A thing that Scale can do with a cluster. source: its short name. used_for: what it enables.

    rules: all that it needs, none of them more. needed: without it no Kubernetes target can be watched.
    cluster_wide: its rules are about nodes, which are in no namespace. enters: it starts something inside pods.
    """

    source: str
    used_for: str
    rules: tuple[Rule, ...]
    needed: bool = False
    cluster_wide: bool = False
    enters: bool = False


@dataclass(frozen=True, slots=True)
class SourcePermission:
    """One row of the self-check: something that Scale can do in the cluster, and whether its account may.

    source: its name in NEEDS. used_for: what it enables. rules: the permissions that it needs. missing: those that the
    account lacks. allowed: None when the cluster did not say. sentence: what works or what to grant.
    """

    source: str
    used_for: str
    rules: tuple[Rule, ...]
    allowed: bool | None = None
    missing: tuple[Rule, ...] = ()
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class PermissionList:
    """The self-check of one namespace. problem: why it could not be made, "" when it was."""

    rows: tuple[SourcePermission, ...] = ()
    context: str = ""
    namespace: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ServiceFound:
    """A Service as the gate needs it. service: with its context. addresses, ports: its own, virtual and of its load
    balancer. problem: why it cannot be loaded, "" when it can. idle: it could be, if a pod were ready.
    dropped: {(address, port): why packets to there from where Scale runs are dropped, though pods are ready}.
    headless: by its name, its pods can be loaded all the same. behind: addresses and ports of its ready pods."""

    service: ServiceRef
    addresses: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    problem: str = ""
    idle: bool = False
    dropped: Mapping[tuple[str, int], str] = field(default_factory=dict)
    headless: bool = False
    behind: tuple[tuple[str, int], ...] = ()


def service_ref(text: str) -> ServiceRef:
    """The Service that a plan names: "namespace/name" or "context/namespace/name". Raises PlanError.

    A context's name may hold slashes itself, so the last two parts are namespace and name.
    """
    parts = text.rsplit("/", 2) if isinstance(text, str) else []
    named = len(parts) >= 2 and all(LABEL.fullmatch(part) for part in parts[-2:])
    if not named or len(text) > 500 or not text.isprintable() or not parts[0]:
        raise PlanError("service", text, "namespace/name of a Kubernetes Service, or context/namespace/name")
    return ServiceRef(parts[-2], parts[-1], parts[0] if len(parts) == 3 else "")


def service_of_url(url: str) -> ServiceRef | None:
    """The Service that the URL's host names, "name.namespace.svc" with or without the cluster's domain; else None."""
    labels = (urlsplit(url).hostname or "").rstrip(".").split(".")
    if len(labels) < 3 or labels[2] != "svc" or not all(LABEL.fullmatch(label) for label in labels[:2]):
        return None
    return ServiceRef(labels[1], labels[0], port=port_of_url(url))


def port_of_url(url: str) -> int:
    """The port that an http(s) URL leads to."""
    parts = urlsplit(url)
    return parts.port or (443 if parts.scheme == "https" else 80)


def check_admitted_entry(entry: str) -> None:
    """Raise ValueError unless the entry is "kubernetes:" and namespace/name, either of them "*" perhaps."""
    parts = entry.removeprefix(ADMITTED_PREFIX).rsplit("/", 2)
    if len(parts) < 2 or not all(part == "*" or LABEL.fullmatch(part) for part in parts[-2:]) or not parts[0]:
        raise ValueError(entry)


def service_admitted(service: ServiceRef, allowed: Collection[str]) -> bool:
    """True when an entry of the operator's list, "kubernetes:shop/cart" or "kubernetes:shop/*", names the Service.

    "*" stands for any name, or as "*/*" for any namespace too. An entry without a context is for all contexts.
    """
    entries = (entry.removeprefix(ADMITTED_PREFIX) for entry in allowed if entry.startswith(ADMITTED_PREFIX))
    asked = (service.context, service.namespace, service.name)
    return any(_matches(entry.rsplit("/", 2), asked) for entry in entries)


def _matches(parts: Sequence[str], asked: Sequence[str]) -> bool:
    """From the end on: the context, which comes first, may be missing."""
    return all(part in ("*", value) for part, value in zip(parts[::-1], asked[::-1], strict=False))
