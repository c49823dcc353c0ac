"""Why the work is uneven, or why that cannot be said: one cause after the other, each a pure function of the facts.

To add a cause: write its texts and the function that looks for it beside those that look at the same thing, put it
into `CAUSES`, test when it fires and when it is silent.
"""

from __future__ import annotations

from scale_app.domain.findings import balancer, connections, counts, places, pods, proxy
from scale_app.domain.findings.facts import Cause, Facts
from scale_app.domain.snapshot import Finding

CAUSES: tuple[Cause, ...] = (
    counts.pods_not_named,
    counts.generator_limit,
    pods.silent_pod,
    balancer.headless,
    balancer.session_affinity,
    places.internal_traffic_policy,
    places.external_traffic_policy,
    places.topology,
    places.node_local,
    places.uneven_places,
    balancer.single_source,
    balancer.unequal_weights,
    proxy.layer7_left_out,
    proxy.layer7_weights,
    connections.late_pods,
    pods.unready_pods,
    pods.failing_magnet,
    pods.failing_pod,
    pods.overloaded_pod,
    pods.slow_pod,
    connections.keep_alive_pinning,
    connections.too_few_connections,
    counts.foreign_traffic,
    balancer.uneven_connections,
    proxy.layer7_policy,
    connections.layer7,
)
"""Every cause that is looked for; among findings of equal certainty this order is kept."""

SURENESS = {"certain": 0, "likely": 1, "possible": 2}


def diagnose(facts: Facts) -> tuple[Finding, ...]:
    """Every cause that fits, the surest first. Pure; at most 1 ms for 1,000 pods. Raises nothing."""
    found = (cause.find(facts) for cause in CAUSES)
    return tuple(sorted((finding for finding in found if finding), key=lambda each: SURENESS[each.certainty]))
