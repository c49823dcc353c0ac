"""Weights at the balancer that differ from the shares that the pods are meant to get."""

from __future__ import annotations

from collections.abc import Mapping

from scale_app.domain.facts import Facts
from scale_app.domain.finding import Finding
from scale_app.domain.findings.cause import Cause
from scale_app.domain.findings.wording import percent
from scale_app.domain.verdict import VerdictKind

UNEQUAL_FROM = 1.05
EXPLAINED = 0.5


def find(facts: Facts) -> Finding | None:
    """Fires when the weights explain at least half of the distance between the counts and the fair shares."""
    weights = facts.service.weights if facts.service else {}
    if facts.figures.recent_verdict.kind is not VerdictKind.UNEVEN or not _unequal(weights):
        return None
    window = facts.figures.recent
    attributed, due = window.attributed, facts.due()
    total = sum(weights.get(name, 1.0) for name in due)
    by_weight = {name: attributed * weights.get(name, 1.0) / total for name in due}
    gap = sum(abs(window.pods[name].requests - due[name]) for name in due)
    left = sum(abs(window.pods[name].requests - by_weight[name]) for name in due)
    if left > EXPLAINED * gap:
        return None
    name = max(by_weight, key=lambda pod: by_weight[pod])
    evidence = (
        f"The balancer's weight of {name} is {weights.get(name, 1.0):g}, {percent(by_weight[name] / attributed)} of "
        f"all weights; it got {percent(window.pods[name].requests / attributed)} of the last requests."
    )
    return CAUSE.found("certain", evidence, [name])


def _unequal(weights: Mapping[str, float]) -> bool:
    return len(weights) > 1 and max(weights.values()) > UNEQUAL_FROM * min(weights.values())


CAUSE = Cause(
    code="unequal_weights",
    title="The balancer's weights are unequal",
    cause="The balancer gives pods different weights, and the requests follow them.",
    shown_by="the balancer's weights against the pods' shares",
    remedy="Make the weights equal, or, if they are meant, give the same weights to the run so that it expects them.",
    find=find,
)
