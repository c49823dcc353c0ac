"""By which of its addresses a run reaches a Service, and at which of them a traffic policy drops what comes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import urlsplit

from scale_app.adapters.kubernetes.objects import Endpoint, Node, Service
from scale_app.domain.cluster import Entry, port_of_url

Dropped = Mapping[tuple[str, int], str]


def entry_of(service: Service, nodes: Iterable[Node], url: str, networks: Iterable[str]) -> tuple[Entry, str]:
    """The way into the Service, and the node whose port it is; "" for what is not known.

    networks: what the URL's host was resolved to, a network for each address.
    """
    port = port_of_url(url)
    addresses = {network.partition("/")[0] for network in networks} | {urlsplit(url).hostname or ""}
    if addresses & {*service.virtual}:
        return "cluster address", ""
    if addresses & {*service.outside}:
        return "load balancer", ""
    if port in (each.of_node for each in service.ports):
        return "node port", next((node.name for node in nodes if addresses & {*node.addresses}), "")
    return "", ""


def dropped(service: Service, ready: Sequence[Endpoint], nodes: Iterable[Node], client_node: str) -> Dropped:
    """{(address, port): why packets from here to there are dropped}. ready: the endpoints, at least one.

    client_node: where Scale runs, "" when it is not in the cluster. From a pod node ports lead to every pod, whatever
    the policy for those outside says.
    """
    if client_node:
        at_home = _nowhere_near(
            service, "internalTrafficPolicy", ready, client_node, f"Scale runs on node {client_node}"
        )
        ports = [each.number for each in service.ports]
        return {(address, port): at_home for address in service.virtual for port in ports if at_home}
    found = {}
    for node in nodes:
        why = _nowhere_near(service, "externalTrafficPolicy", ready, node.name, f"the target is node {node.name}")
        found.update({(at, port.of_node): why for at in node.addresses for port in service.ports if why})
    return found


def _nowhere_near(service: Service, policy: str, ready: Sequence[Endpoint], node: str, where: str) -> str:
    """Why a policy of Local lets nothing through at that node, "" when it does."""
    settings = service.settings
    value = settings.internal_traffic_policy if policy.startswith("internal") else settings.external_traffic_policy
    if value != "Local" or not ready or any(endpoint.node in ("", node) for endpoint in ready):
        return ""
    pods = Counter(endpoint.node for endpoint in ready)
    there = ", ".join(f"{n} on {name}" for name, n in sorted(pods.items())[:4])
    none = "its only ready pod is not" if len(ready) == 1 else f"none of its {len(ready):,} ready pods is"
    return (
        f"Service {service.namespace}/{service.name} would not answer: its {policy} is Local, {where}, and {none} "
        f"there ({there}), so packets are dropped. Send from or to a node that has a pod, run a pod on {node}, or set "
        f"{policy} to Cluster."
    )
