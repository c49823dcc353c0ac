"""What the objects around a Service say together at one moment: the sample of its pods and settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from scale_app.adapters.kubernetes.entry import entry_of
from scale_app.adapters.kubernetes.objects import Endpoint, Node, Pod, Service, Workload
from scale_app.domain.cluster import ServiceSettings
from scale_app.domain.samples import PodSeen, PodsSample, PodUsage


@dataclass(frozen=True, slots=True)
class ServiceObjects:
    """The objects as they are now; None for a kind that cannot be seen. client_node: where the load comes from.
    url, networks: of the target, and what its host was resolved to."""

    endpoints: Mapping[str, Endpoint]
    service: Service | None = None
    pods: Sequence[Pod] | None = None
    nodes: Sequence[Node] | None = None
    workloads: Sequence[Workload] | None = None
    usage: Mapping[str, PodUsage] | None = None
    client_node: str = ""
    missing: str = ""
    url: str = ""
    networks: Sequence[str] = ()
    leading: tuple[str, ...] = ()
    proxy_mode: str = ""

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
        known = {pod.name: pod for pod in self.pods or () if self._belongs(pod)}
        zones, names = self._zones(), sorted({*self.endpoints, *known})
        return tuple(_seen(name, self.endpoints.get(name), known.get(name), zones) for name in names)

    def _zones(self) -> dict[str, str]:
        return {node.name: node.zone for node in self.nodes or ()}

    def _belongs(self, pod: Pod) -> bool:
        if pod.name in self.endpoints:
            return True
        selector = self.service.selector if self.service else {}
        return bool(selector) and not pod.over and selector.items() <= pod.labels.items()

    def _settings(self, pods: Iterable[PodSeen]) -> ServiceSettings | None:
        if self.service is None:
            return None
        here = self.client_node
        zone = self._zones().get(here) or next((pod.zone for pod in pods if here and pod.node == here), "")
        probed = [pod.probed for pod in self.pods or () if pod.name in self.endpoints]
        entry, entry_node = entry_of(self.service, self.nodes or (), self.url, self.networks)
        return replace(
            self.service.settings,
            client_node=here,
            client_zone=zone,
            readiness_probe=all(probed) if probed else None,
            entry=entry,
            entry_node=entry_node,
            leading=self.leading,
            proxy_mode=self.proxy_mode,
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
        mine = (each for each in self.workloads if selector.items() <= each.labels.items())
        return {f"{each.kind} {each.name}": each.wanted for each in mine}


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
