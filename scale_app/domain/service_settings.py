"""What a target's Service, or the balancer before it, is set to: the settings that decide who gets a connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

SessionAffinity = Literal["None", "ClientIP"]
InternalTrafficPolicy = Literal["Cluster", "Local"]
ExternalTrafficPolicy = Literal["", "Cluster", "Local"]
TrafficDistribution = Literal["", "PreferClose", "PreferSameZone", "PreferSameNode"]


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """The settings as they are now, in Kubernetes' own words.

    traffic_distribution: "" when it is not set. topology_hints: the annotation topology-mode is Auto.
    client_node, client_zone: where the load generator runs, "" when unknown.
    external_traffic_policy: how traffic from outside the cluster is spread, "" for a Service that takes none.
    readiness_probe: whether every pod has one, None when unknown. Without it a pod takes traffic before it can answer.
    weights: {pod name: weight} that the balancer uses, empty when it has none. They are what the balancer does;
        the share that a pod is meant to get is PodSeen.weight.
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

    @property
    def narrows(self) -> bool:
        """True when a setting keeps a client from some of the pods."""
        apart = self.session_affinity != "None" or self.internal_traffic_policy == "Local"
        return apart or bool(self.traffic_distribution) or self.topology_hints
