"""Why the work is uneven, or why that cannot be said: one cause a module, each a pure function of the facts.

To add a cause: write its module with a `CAUSE`, put it into `CAUSES`, test when it fires and when it is silent.
"""

from __future__ import annotations

from scale_app.domain.facts import Facts
from scale_app.domain.finding import Finding
from scale_app.domain.findings import (
    failing_magnet,
    failing_pod,
    foreign_traffic,
    generator_limit,
    internal_traffic_policy,
    keep_alive_pinning,
    late_pods,
    layer7,
    node_local,
    overloaded_pod,
    pods_not_named,
    session_affinity,
    silent_pod,
    single_source,
    slow_pod,
    too_few_connections,
    topology,
    unequal_weights,
    uneven_connections,
    unready_pods,
)
from scale_app.domain.findings.cause import Cause

CAUSES: tuple[Cause, ...] = (
    pods_not_named.CAUSE,
    generator_limit.CAUSE,
    silent_pod.CAUSE,
    session_affinity.CAUSE,
    internal_traffic_policy.CAUSE,
    topology.CAUSE,
    node_local.CAUSE,
    single_source.CAUSE,
    unequal_weights.CAUSE,
    late_pods.CAUSE,
    unready_pods.CAUSE,
    failing_magnet.CAUSE,
    failing_pod.CAUSE,
    overloaded_pod.CAUSE,
    slow_pod.CAUSE,
    keep_alive_pinning.CAUSE,
    too_few_connections.CAUSE,
    foreign_traffic.CAUSE,
    uneven_connections.CAUSE,
    layer7.CAUSE,
)
"""Every cause that is looked for; among findings of equal certainty this order is kept."""

SURENESS = {"certain": 0, "likely": 1, "possible": 2}


def diagnose(facts: Facts) -> tuple[Finding, ...]:
    """Every cause that fits, the surest first. Pure; at most 1 ms for 1,000 pods. Raises nothing."""
    found = (cause.find(facts) for cause in CAUSES)
    return tuple(sorted((finding for finding in found if finding), key=lambda each: SURENESS[each.certainty]))
