"""Traffic that stays on one node though nothing is known of the Service: the counts alone say so."""

from __future__ import annotations

from scale_app.domain.facts import Facts
from scale_app.domain.finding import Finding
from scale_app.domain.findings.cause import Cause
from scale_app.domain.findings.nodes import pods_per_node

CONNECTIONS_PER_POD = 5


def find(facts: Facts) -> Finding | None:
    """One serving node with at least two pods, every pod of every other node starved. One pod alone may be a hash."""
    eligible = facts.figures.recent.expected
    if facts.service is not None or (facts.connections or 0) < CONNECTIONS_PER_POD * len(eligible):
        return None
    starved = set(facts.starved())
    served = [name for name in eligible if name not in starved]
    nodes = {facts.node_of(name) for name in served}
    others = {facts.node_of(name) for name in starved}
    if len(served) < 2 or not starved or len(nodes) != 1 or "" in nodes | others or nodes & others:
        return None
    evidence = f"Only the {len(served)} pods on {nodes.pop()} got requests in the last seconds; {pods_per_node(facts)}."
    return CAUSE.found("likely", evidence, sorted(starved))


CAUSE = Cause(
    code="node_local",
    title="Only the pods of one node get requests",
    cause="A traffic policy Local or a preference for the client's node keeps the connections on one node.",
    shown_by="pods per node, pods that got next to nothing",
    remedy="Look at the Service's internalTrafficPolicy, externalTrafficPolicy and trafficDistribution.",
    find=find,
)
