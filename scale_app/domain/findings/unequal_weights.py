"""Weights at the balancer that differ from the shares that the pods are meant to get."""

from __future__ import annotations

from collections.abc import Mapping

from scale_app.domain.arrays import np
from scale_app.domain.balance import counted, shares
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
    names = list(window.expected)
    got = counted([window.pods[name].requests for name in names])
    got, due = got / got.sum(), shares(len(names), list(window.expected.values()))
    by_weight = shares(len(names), [weights.get(name, 1.0) for name in names])
    if np.abs(got - by_weight).sum() > EXPLAINED * np.abs(got - due).sum():
        return None
    heaviest = int(by_weight.argmax())
    evidence = (
        f"The balancer's weight of {names[heaviest]} is {weights.get(names[heaviest], 1.0):g}, "
        f"{percent(float(by_weight[heaviest]))} of all weights; it got {percent(float(got[heaviest]))} of the last "
        "requests."
    )
    return CAUSE.found("certain", evidence, [names[heaviest]])


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
