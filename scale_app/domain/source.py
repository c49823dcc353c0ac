"""The sources of a run's counts, and the one table of what each of them can do; what each right of a cluster enables.

A new source of counts is a member of Source, a row of TRAITS, an adapter in `adapters/kubernetes/counters/`, what the
documentation says of it, and for each of its rights a folder of `k8s/rights/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from scale_app.domain.cluster import Need, rules

AskedSource = Literal["auto", "header", "json", "prometheus", "access_log", "connection_map", "proxy", "network"]
"""What a plan may ask for: every source that has a choice in TRAITS, or the best that works."""


class Source(StrEnum):
    """Where the counts come from; TRAITS explains each."""

    DEMO = "demo"
    HEADER = "header"
    SIMULATED = "simulated"
    JSON = "json"
    PROMETHEUS = "prometheus"
    ACCESS_LOG = "access_log"
    CONNECTION_MAP = "connection_map"
    PROXY = "proxy"
    NETWORK = "network"

    @property
    def traits(self) -> SourceTraits:
        return TRAITS[self]


@dataclass(frozen=True, slots=True)
class SourceTraits:
    """What one source of counts can do.

    label, meaning: what people read where counts come from it, in two or three words and in a sentence.
    choice: the same where a plan may ask for it; () for a source that belongs to a built-in target.
    rank: among the sources that are read beside the load, the preferred first; None when each answer names its pod
        itself, so that requests of other clients cannot slip in.
    unit: what is read. Connections are joined with those that the load generator knows; bytes share out its requests.
    exact: False when its counts are always estimates.
    lossless: what it could not read now, or when a pod ended, can be read later.
    pick: what the balancer chooses a pod for, as far as the source tells; None where connections must tell.
    alone_tells_others: it can tell the requests of other clients, and is cheap enough to be read only for that.
    invented: no request is sent.
    plan_field, without_it: the field of a plan without which it cannot be used, and what then is said; "" for none.
    rights: what a cluster must allow, all the ways in which it can be read.
    """

    label: str
    meaning: str
    choice: tuple[str, str] | tuple[()] = ()
    rank: int | None = None
    unit: Literal["requests", "connections", "bytes"] = "requests"
    exact: bool = True
    lossless: bool = False
    pick: Literal["request"] | None = None
    alone_tells_others: bool = False
    invented: bool = False
    plan_field: Literal["", "json_field", "proxy_pods", "enter_pods"] = ""
    without_it: str = ""
    rights: tuple[Need, ...] = ()

    @property
    def in_answers(self) -> bool:
        """True when each answer names the pod that gave it."""
        return self.rank is None


TRAITS: Mapping[Source, SourceTraits] = {
    Source.DEMO: SourceTraits("Demo pods", "Measured on the built-in demo pods of this machine."),
    Source.SIMULATED: SourceTraits(
        "Simulated", "These counts are invented, to try out the page. No request was sent.", invented=True
    ),
    Source.HEADER: SourceTraits(
        "Measured by header",
        "Counted from the response header that names the pod.",
        ("Response header", "Each answer names its pod in a header."),
    ),
    Source.JSON: SourceTraits(
        "Measured by JSON field",
        "Counted from the field of each JSON answer that names the pod.",
        ("JSON field", "Each answer names its pod in its body; say which field."),
        plan_field="json_field",
        without_it="counting by a JSON field needs the field's name",
    ),
    Source.PROMETHEUS: SourceTraits(
        "Measured by Prometheus",
        "Counted from the Prometheus counter that each pod exports.",
        ("Prometheus metrics", "The pods' own request counters."),
        rank=1,
        alone_tells_others=True,
        rights=(Need("prometheus", "counts requests by the pods' Prometheus counters", rules("get", "pods/proxy")),),
    ),
    Source.ACCESS_LOG: SourceTraits(
        "Measured by access log",
        "Counted from the lines of each pod's own access log.",
        ("Access logs", "The pods' access logs, read through the cluster."),
        rank=2,
        lossless=True,
        rights=(Need("access_log", "counts requests by the pods' access logs", rules("get", "pods/log")),),
    ),
    Source.PROXY: SourceTraits(
        "Measured at the proxy",
        "Counted by the proxy that hands the requests to the pods.",
        ("Proxy's statistics", "What a layer-7 proxy reports about its upstreams."),
        rank=4,
        pick="request",
        plan_field="proxy_pods",
        without_it="counting at a proxy needs its pods: a namespace and a label selector",
        rights=(
            Need(
                "proxy",
                "counts requests at a layer-7 proxy by its pods' logs, granted where the proxy runs",
                (*rules("list", "pods"), *rules("get", "pods/log")),
            ),
            Need(
                "envoy",
                "counts requests at an Envoy by its admin page, granted where the Envoy runs",
                (*rules("list", "pods"), *rules("get", "pods/proxy")),
            ),
        ),
    ),
    Source.NETWORK: SourceTraits(
        "Estimated from network",
        "Estimated from the bytes that each pod received, whoever sent them.",
        ("Network counters", "Bytes that each pod received, from the nodes. Imprecise."),
        rank=5,
        unit="bytes",
        exact=False,
        rights=(
            Need(
                "kubelet",
                "estimates shares by the pods' network bytes, asks kube-proxy for its mode",
                rules("get", "nodes/proxy"),
                cluster_wide=True,
            ),
        ),
    ),
    Source.CONNECTION_MAP: SourceTraits(
        "Measured by connections",
        "Counted from each pod's connection table and the load generator's counts.",
        ("Connections in the pods", "Which connection reached which pod, read inside the pods."),
        rank=3,
        unit="connections",
        plan_field="enter_pods",
        without_it="the connection map runs a command inside the pods: allow exec or ephemeral",
        rights=(
            Need(
                "connections",
                "counts requests by each pod's connections, read by a command in the pod",
                rules("get create", "pods/exec"),
                enters=True,
            ),
            Need(
                "ephemeral",
                "the same for pods without a shell, by a container that is added to them",
                (*rules("patch", "pods/ephemeralcontainers"), *rules("get create", "pods/exec")),
                enters=True,
            ),
        ),
    ),
}

COUNTERS = tuple(sorted((each for each in Source if each.traits.rank), key=lambda each: each.traits.rank or 0))
"""What is read beside the load, the preferred first."""
JOINED = next(each for each in COUNTERS if each.traits.unit == "connections")
"""The source whose readings are ConnectionsSamples."""


DISCOVERY, GATEWAY = "discovery.k8s.io", "gateway.networking.k8s.io"
METRICS, NETWORKING = "metrics.k8s.io", "networking.k8s.io"

NEEDS: tuple[Need, ...] = (
    Need(
        "targets",
        "lists Services with their ready pods, and watches those of a run",
        (*rules("list watch", "services"), *rules("list watch", "endpointslices", DISCOVERY)),
        needed=True,
    ),
    Need("ingresses", "lists Ingresses as targets", rules("list", "ingresses", NETWORKING)),
    Need(
        "routes",
        "lists HTTPRoutes and their Gateways as targets",
        (*rules("list", "httproutes", GATEWAY), *rules("list", "gateways", GATEWAY)),
    ),
    Need(
        "pods",
        "reports pods that are created, terminated or restarted, and missing probes",
        rules("list watch", "pods"),
    ),
    Need(
        "workloads",
        "reports when a Deployment or StatefulSet is scaled",
        (*rules("list watch", "deployments", "apps"), *rules("list watch", "statefulsets", "apps")),
    ),
    Need(
        "nodes",
        "reports nodes that join, leave or fail, and recognizes node ports",
        rules("list watch", "nodes"),
        cluster_wide=True,
    ),
    Need("usage", "shows CPU and memory of the pods", rules("list", "pods", METRICS)),
    *(need for traits in TRAITS.values() for need in traits.rights),
)
"""All that Scale can do with a cluster, for self-check, manifests and documentation; counting by the rows of TRAITS."""
