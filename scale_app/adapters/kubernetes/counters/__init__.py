"""Counts at pods and proxies, read from the cluster beside the load: every source that a cluster gives, by name."""

from __future__ import annotations

from collections.abc import Mapping

from scale_app.adapters.kubernetes.counters.access_log import AccessLogCounter
from scale_app.adapters.kubernetes.counters.network import ConnectionMap, NetworkShare
from scale_app.adapters.kubernetes.counters.prometheus import PrometheusCounter
from scale_app.adapters.kubernetes.counters.proxy import ProxyCounter
from scale_app.adapters.kubernetes.directory import ClusterOf
from scale_app.domain.source import Source
from scale_app.ports import Clock, RequestCounter


def counters_of_cluster(cluster_of: ClusterOf, clock: Clock, debug_image: str) -> Mapping[Source, RequestCounter]:
    """debug_image: has sleep and cat; for pods without them, where a plan allows a container to be added."""
    return {
        Source.PROMETHEUS: PrometheusCounter(cluster_of, clock),
        Source.ACCESS_LOG: AccessLogCounter(cluster_of, clock),
        Source.CONNECTION_MAP: ConnectionMap(cluster_of, clock, image=debug_image),
        Source.PROXY: ProxyCounter(cluster_of, clock),
        Source.NETWORK: NetworkShare(cluster_of, clock),
    }
