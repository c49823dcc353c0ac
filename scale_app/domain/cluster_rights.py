"""Which right of a cluster buys what: the one table that the self-check, the manifests and the documentation share."""

from __future__ import annotations

from dataclasses import dataclass

from scale_app.domain.cluster import Rule

DISCOVERY, GATEWAY, METRICS, NETWORKING = (
    "discovery.k8s.io",
    "gateway.networking.k8s.io",
    "metrics.k8s.io",
    "networking.k8s.io",
)


@dataclass(frozen=True, slots=True)
class Need:
    """A thing that Scale can do with a cluster. source: its short name. used_for: what a person gets from it.

    rules: all that it needs, none of them more. needed: without it no Kubernetes target can be watched.
    cluster_wide: its rules are about nodes, which are in no namespace. enters: it starts something inside pods.
    """

    source: str
    used_for: str
    rules: tuple[Rule, ...]
    needed: bool = False
    cluster_wide: bool = False
    enters: bool = False


def _rules(verbs: str, resource: str, api_group: str = "") -> tuple[Rule, ...]:
    return tuple(Rule(verb, resource, api_group) for verb in verbs.split())


SOURCES: tuple[Need, ...] = (
    Need(
        "targets",
        "lists Services with their ready pods, and watches those of a run",
        (*_rules("list watch", "services"), *_rules("list watch", "endpointslices", DISCOVERY)),
        needed=True,
    ),
    Need("ingresses", "lists Ingresses as targets", _rules("list", "ingresses", NETWORKING)),
    Need(
        "routes",
        "lists HTTPRoutes and their Gateways as targets",
        (*_rules("list", "httproutes", GATEWAY), *_rules("list", "gateways", GATEWAY)),
    ),
    Need("pods", "tells of pods created, ending, restarted, and of missing probes", _rules("list watch", "pods")),
    Need(
        "workloads",
        "tells when a Deployment or StatefulSet is scaled",
        (*_rules("list watch", "deployments", "apps"), *_rules("list watch", "statefulsets", "apps")),
    ),
    Need("nodes", "tells of nodes that come, go or fail", _rules("list watch", "nodes"), cluster_wide=True),
    Need("usage", "shows CPU and memory of the pods", _rules("list", "pods", METRICS)),
    Need("prometheus", "counts requests by the pods' Prometheus counters", _rules("get", "pods/proxy")),
    Need("access_log", "counts requests by the pods' access logs", _rules("get", "pods/log")),
    Need(
        "proxy",
        "counts requests at a layer-7 proxy by its pods' logs, granted where the proxy runs",
        (*_rules("list", "pods"), *_rules("get", "pods/log")),
    ),
    Need(
        "envoy",
        "counts requests at an Envoy by its admin page, granted where the Envoy runs",
        (*_rules("list", "pods"), *_rules("get", "pods/proxy")),
    ),
    Need("kubelet", "estimates shares by the pods' network bytes", _rules("get", "nodes/proxy"), cluster_wide=True),
    Need(
        "connections",
        "counts requests by each pod's connections, read by a command in the pod",
        _rules("get create", "pods/exec"),
        enters=True,
    ),
    Need(
        "ephemeral",
        "the same for pods without a shell, by a container that is added to them",
        (*_rules("patch", "pods/ephemeralcontainers"), *_rules("get create", "pods/exec")),
        enters=True,
    ),
)
