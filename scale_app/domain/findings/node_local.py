"""Traffic that stays on one node though nothing is known of the Service: the counts alone say so."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from scale_app.domain.facts import DUE_TO_JUDGE, STARVED_BELOW, Facts
from scale_app.domain.finding import Finding
from scale_app.domain.findings.cause import Cause
from scale_app.domain.findings.nodes import pods_per_node

IMPROBABLE = 1e-6


def find(facts: Facts) -> Finding | None:
    """One serving node with at least two pods, those of every other node starved together, each of them or not: of
    hundreds of pods each is due too little to tell. One pod alone may be a hash."""
    if facts.service is not None:
        return None
    explained = facts.explained
    due = {name: requests for name, requests in facts.due().items() if name not in explained}
    got, asked = _by_node(facts, due)
    serving = [node for node in asked if got[node] >= STARVED_BELOW * asked[node]]
    if "" in asked or len(serving) != 1 or len(asked) < 2:
        return None
    near = [name for name in due if facts.node_of(name) == serving[0]]
    if _idle(facts, near) or not _improbable(facts, asked[serving[0]], sum(asked.values())):
        return None
    evidence = f"Only the {len(near)} pods on {serving[0]} got requests in the last seconds; {pods_per_node(facts)}."
    return CAUSE.found("likely", evidence, sorted(due.keys() - set(near)))


def _by_node(facts: Facts, due: Mapping[str, float]) -> tuple[dict[str, int], dict[str, float]]:
    """Requests that each node's pods got in the recent window, and those due to them."""
    got, asked = dict[str, int](), dict[str, float]()
    for name, requests in due.items():
        node = facts.node_of(name)
        got[node] = got.get(node, 0) + facts.figures.recent.pods[name].requests
        asked[node] = asked.get(node, 0.0) + requests
    return got, asked


def _idle(facts: Facts, near: Sequence[str]) -> bool:
    """Of the pods on the serving node one is starved, too, beyond chance, or there is but one that serves."""
    serving = sum(facts.figures.recent.pods[name].requests > 0 for name in near)
    picks = facts.figures.recent_verdict.effective_picks or 0.0
    by_chance = len(near) * math.exp(-picks / len(near))  # so many pods that get none of the node's picks
    return serving < 2 or len(set(near).intersection(facts.starved())) > by_chance + 3 * math.sqrt(by_chance)


def _improbable(facts: Facts, near: float, total: float) -> bool:
    """All picks of the last seconds meet one node by chance hardly ever. near, total: requests due."""
    picks = facts.figures.recent_verdict.effective_picks or 0.0
    return total - near >= DUE_TO_JUDGE and picks * math.log(near / total) <= math.log(IMPROBABLE)


CAUSE = Cause(
    code="node_local",
    title="Only the pods of one node get requests",
    cause="A traffic policy Local or a preference for the client's node keeps the connections on one node.",
    shown_by="pods per node, pods that got next to nothing",
    remedy="Look at the Service's internalTrafficPolicy, externalTrafficPolicy and trafficDistribution.",
    find=find,
)
