"""What is seen of one Service's pods, put together from several kinds of objects into the one sample that a run takes.

Who should share the work is decided by the EndpointSlices' ready conditions alone. The phase of a pod says something
else: a running pod may not be ready, and a pod that is asked to end still runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from scale_app.adapters.kubernetes.objects import Endpoint, Node, Pod, Service, Slice, Workload
from scale_app.domain.cluster import ServiceSettings
from scale_app.domain.samples import PodSeen, PodsSample, PodUsage


@dataclass(frozen=True, slots=True)
class ServiceObjects:
    """The objects as they are now; None for a kind that cannot be seen. client_node: where the load comes from."""

    slices: Sequence[Slice]
    service: Service | None = None
    pods: Sequence[Pod] | None = None
    nodes: Sequence[Node] | None = None
    workloads: Sequence[Workload] | None = None
    usage: Mapping[str, PodUsage] | None = None
    client_node: str = ""
    missing: str = ""
    endpoints: Mapping[str, Endpoint] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "endpoints", endpoints_of(self.slices))

    def sample(self, at_s: float) -> PodsSample:
        """The sample of this moment, the pods by name."""
        pods = self._pods()
        return PodsSample(
            at_s,
            pods,
            service=self._settings(pods),
            nodes=None if self.nodes is None else {node.name: node.ready for node in self.nodes},
            replicas=self._replicas(),
            usage=self.usage,
            missing=self.missing,
        )

    def _pods(self) -> tuple[PodSeen, ...]:
        objects = {pod.name: pod for pod in self.pods or () if self._belongs(pod)}
        zones = {node.name: node.zone for node in self.nodes or ()}
        names = sorted({*self.endpoints, *objects})
        return tuple(_seen(name, self.endpoints.get(name), objects.get(name), zones) for name in names)

    def _belongs(self, pod: Pod) -> bool:
        if pod.name in self.endpoints:
            return True
        selector = self.service.selector if self.service else {}
        return bool(selector) and not pod.over and selector.items() <= pod.labels.items()

    def _settings(self, pods: Iterable[PodSeen]) -> ServiceSettings | None:
        if self.service is None:
            return None
        here = self.client_node
        zones = {node.name: node.zone for node in self.nodes or ()}
        zone = zones.get(here) or next((pod.zone for pod in pods if here and pod.node == here), "")
        probed = [pod.probed for pod in self.pods or () if pod.name in self.endpoints]
        return replace(
            self.service.settings,
            client_node=here,
            client_zone=zone,
            readiness_probe=all(probed) if probed else None,
            topology_hints=self.service.settings.topology_hints or self._hinted(),
        )

    def _hinted(self) -> bool:
        """Hints are written whatever asked for them; what asked is told by trafficDistribution if it was that."""
        if self.service is None or self.service.settings.traffic_distribution:
            return False
        return any(endpoint.for_zones or endpoint.for_nodes for endpoint in self.endpoints.values())

    def _replicas(self) -> Mapping[str, int] | None:
        selector = self.service.selector if self.service else {}
        if self.workloads is None or not selector:
            return None
        return {
            f"{each.kind} {each.name}": each.wanted
            for each in self.workloads
            if selector.items() <= each.labels.items()
        }


def endpoints_of(slices: Iterable[Slice]) -> dict[str, Endpoint]:
    """Each pod once, whatever the number of slices it is in (one per address family, one per set of ports)."""
    found: dict[str, Endpoint] = {}
    for each in slices:
        for endpoint in each.endpoints:
            known = found.get(endpoint.pod)
            if known is None or (endpoint.ready and not known.ready):
                found[endpoint.pod] = endpoint
    return found


def _seen(name: str, endpoint: Endpoint | None, pod: Pod | None, zones: Mapping[str, str]) -> PodSeen:
    node = (endpoint.node if endpoint else "") or (pod.node if pod else "")
    return PodSeen(
        name=name,
        node=node,
        ready=bool(endpoint and endpoint.ready),
        zone=(endpoint.zone if endpoint else "") or zones.get(node, ""),
        uid=pod.uid if pod else endpoint.uid if endpoint else "",
        restarts=pod.restarts if pod else 0,
        terminating=bool((endpoint and endpoint.terminating) or (pod and pod.terminating)),
        owner=pod.owner if pod else "",
    )
