"""Service with internalTrafficPolicy Local: a client reaches the pods of its own node only."""

from __future__ import annotations

from scale_app.domain.facts import Facts
from scale_app.domain.finding import Finding
from scale_app.domain.findings.cause import Cause
from scale_app.domain.findings.nodes import away, pods_per_node


def find(facts: Facts) -> Finding | None:
    """Silent as long as pods of other nodes get their share all the same."""
    if facts.service is None or facts.service.internal_traffic_policy != "Local":
        return None
    starved = away(facts.starved(), facts.service.client_node, facts.node_of)
    if not starved:
        return None
    evidence = (
        f"The Service says internalTrafficPolicy: Local, and {len(starved)} of {len(facts.figures.recent.expected)} "
        f"pods got next to nothing, none of them on the client's node; {pods_per_node(facts)}."
    )
    return CAUSE.found("certain", evidence, starved)


CAUSE = Cause(
    code="internal_traffic_policy",
    title="Only pods on the client's node are reached",
    cause="internalTrafficPolicy: Local lets a client reach only the pods of its own node, however many there are.",
    shown_by="the Service's internalTrafficPolicy, pods per node, pods that got next to nothing",
    remedy="Set the policy to Cluster, or run as many pods on each node as its clients need.",
    patch="spec:\n  internalTrafficPolicy: Cluster\n",
    find=find,
)
