"""The clusters that the operator configured: one per context, each opened by its first question."""

from __future__ import annotations

import asyncio

from scale_app.adapters.kubernetes.client import Cluster
from scale_app.domain.cluster import ServiceRef
from scale_app.domain.errors import ClusterUnavailable, TargetRefused


class Clusters:
    """kube_config: see Cluster. contexts: () for its current one. namespaces: () for the context's own, "*" for all."""

    def __init__(self, kube_config: str, contexts: tuple[str, ...] = (), namespaces: tuple[str, ...] = ()) -> None:
        self._clusters = {context: Cluster(kube_config, context) for context in contexts or ("",)}
        self._namespaces = namespaces

    def all(self) -> tuple[Cluster, ...]:
        """In the order of the configuration."""
        return tuple(self._clusters.values())

    def of(self, service: ServiceRef) -> Cluster:
        """The Service's cluster; the first one when it names no context. Raises ClusterUnavailable."""
        if not service.context:
            return next(iter(self._clusters.values()))
        if service.context not in self._clusters:
            raise ClusterUnavailable(
                f"The context {service.context!r} of the Service {service} is not among those that Scale may use: "
                f"{', '.join(filter(None, self._clusters)) or 'the current one'}. Name another one, or add it to "
                "SCALE_KUBE_CONTEXTS."
            )
        return self._clusters[service.context]

    async def namespaces(self, cluster: Cluster) -> tuple[str, ...]:
        """Those that are looked at; ("*",) for all. Raises ClusterUnavailable."""
        if "*" in self._namespaces:
            return ("*",)
        return self._namespaces or (await cluster.namespace(),)

    async def check(self, service: ServiceRef) -> Cluster:
        """The Service's cluster, if the Service is in a namespace that is looked at. Raises TargetRefused too."""
        cluster = self.of(service)
        namespaces = await self.namespaces(cluster)
        if "*" not in namespaces and service.namespace not in namespaces:
            raise TargetRefused(
                f"The Service {service} is outside the namespaces that Scale looks at: {', '.join(namespaces)}. "
                "Ask the operator to add its namespace to SCALE_KUBE_NAMESPACES."
            )
        return cluster

    async def close(self) -> None:
        """Let go of every connection."""
        await asyncio.gather(*(cluster.close() for cluster in self.all()))
