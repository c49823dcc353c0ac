"""Connections that are spread unevenly for no reason that can be seen from here."""

from __future__ import annotations

from scale_app.domain.facts import Facts
from scale_app.domain.finding import Finding
from scale_app.domain.findings.cause import Cause
from scale_app.domain.findings.wording import percent
from scale_app.domain.snapshot import PodShare
from scale_app.domain.verdict import VerdictKind

IMPROBABLE = 0.001
AGREE_WITHIN = 0.25


def find(facts: Facts) -> Finding | None:
    """Fires when the pods that stand out by requests do so by connections, and work like the others."""
    verdict, opened = facts.figures.verdict, facts.connections
    known = facts.service is not None and (facts.service.narrows or bool(facts.service.weights))
    if verdict.kind is not VerdictKind.UNEVEN or (verdict.p_uneven or 0.0) > IMPROBABLE or not opened or known:
        return None
    standing_out = [row for row in facts.rows if row.outlier]
    if not standing_out or not all(_by_connections(row, opened) for row in standing_out) or facts.starved():
        return None
    hottest = max(standing_out, key=lambda row: abs(row.against_fair))
    evidence = (
        f"{hottest.name} got {percent(hottest.connections / opened)} of {opened:,} connections and "
        f"{percent(hottest.share)} of the requests, {hottest.against_fair:+.0%} against its fair share."
    )
    return CAUSE.found("possible", evidence, [row.name for row in standing_out])


def _by_connections(row: PodShare, opened: int) -> bool:
    healthy = not (row.slow or row.failing)
    return healthy and abs(row.connections / opened - row.share) <= AGREE_WITHIN * max(row.share, 1e-9)


CAUSE = Cause(
    code="uneven_connections",
    title="The balancer itself prefers some pods",
    cause="Connections are spread unevenly though the pods work alike, as with weights or a coarse hash at a proxy.",
    shown_by="connections and requests of the pods that stand out, with no slow, failing or starved pod",
    remedy="Look for weights, subsets or a hash policy at the ingress, mesh or cloud balancer before the Service.",
    find=find,
)
