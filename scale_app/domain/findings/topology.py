"""Service with trafficDistribution or topology hints: near pods are preferred, far ones idle."""

from __future__ import annotations

from scale_app.domain.facts import Facts
from scale_app.domain.finding import Finding
from scale_app.domain.findings.cause import Cause
from scale_app.domain.findings.nodes import away, pods_per_node


def find(facts: Facts) -> Finding | None:
    """Silent when far pods get their share, or a near one does not, which no preference explains."""
    service = facts.service
    if service is None or not (service.traffic_distribution or service.topology_hints):
        return None
    by_node = service.traffic_distribution == "PreferSameNode"
    here, place_of = (service.client_node, facts.node_of) if by_node else (service.client_zone, facts.zone_of)
    starved = away(facts.starved(), here, place_of)
    if not starved:
        return None
    setting = (
        f"trafficDistribution: {service.traffic_distribution}" if service.traffic_distribution else "topology hints"
    )
    evidence = (
        f"The Service has {setting}, and {len(starved)} of {len(facts.figures.recent.expected)} pods got next to "
        f"nothing, none of them {'on the node' if by_node else 'in the zone'} of the client; {pods_per_node(facts)}."
    )
    return CAUSE.found("certain" if here else "likely", evidence, starved)


CAUSE = Cause(
    code="topology",
    title="Traffic is kept near the client",
    cause="trafficDistribution or topology hints send a client's connections to the pods of its own node or zone.",
    shown_by="the Service's trafficDistribution or hints, pods per node, pods that got next to nothing",
    remedy="Remove the preference, or spread pods over nodes and zones as clients are (topologySpreadConstraints).",
    patch="spec:\n  trafficDistribution: null\n",
    find=find,
)
