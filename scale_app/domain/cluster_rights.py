"""What each right of a cluster enables: one table for the self-check, the manifests and the documentation."""

from __future__ import annotations

from scale_app.domain.cluster import Need, rules
from scale_app.domain.source import TRAITS

DISCOVERY, GATEWAY, METRICS, NETWORKING = (
    "discovery.k8s.io",
    "gateway.networking.k8s.io",
    "metrics.k8s.io",
    "networking.k8s.io",
)

SOURCES: tuple[Need, ...] = (
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
    Need("pods", "tells of pods created, ending, restarted, and of missing probes", rules("list watch", "pods")),
    Need(
        "workloads",
        "tells when a Deployment or StatefulSet is scaled",
        (*rules("list watch", "deployments", "apps"), *rules("list watch", "statefulsets", "apps")),
    ),
    Need("nodes", "tells of nodes that come, go or fail", rules("list watch", "nodes"), cluster_wide=True),
    Need("usage", "shows CPU and memory of the pods", rules("list", "pods", METRICS)),
    *(need for traits in TRAITS.values() for need in traits.rights),
)
"""What the counting sources need is in their own table."""
