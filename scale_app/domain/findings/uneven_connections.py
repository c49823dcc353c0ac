"""Picks that are spread unevenly for no reason that can be seen from here."""

from __future__ import annotations

from scale_app.domain.facts import Facts
from scale_app.domain.finding import Finding
from scale_app.domain.findings.cause import Cause
from scale_app.domain.findings.wording import percent
from scale_app.domain.snapshot import PodShare
from scale_app.domain.verdict import VerdictKind

AGREE_WITHIN = 0.25
NONE_BELOW = 0.01
PINNED_BELOW = 0.1
TOLD_FROM = 0.5
"""The least part of the connections of which the pod is known."""


def find(facts: Facts) -> Finding | None:
    """Fires when pods stand out that work like the others, answer, and were there in time.

    That they do is evidence by itself: of twenty pods one that gets nothing hardly shows in the chi-square of all.
    Where connections decide, those that stand out by requests have to do so by connections as well.
    """
    verdict, opened = facts.figures.verdict, facts.connections
    known = facts.service is not None and (facts.service.narrows or bool(facts.service.weights))
    if verdict.kind is not VerdictKind.UNEVEN or not opened or known:
        return None
    standing_out = [row for row in facts.rows if row.outlier]
    explained = facts.explained
    if not standing_out or any(row.slow or row.failing or row.name in explained for row in standing_out):
        return None
    # Connections that were open before the warm-up ended are no pod's in this window.
    told = sum(row.connections for row in facts.rows)
    pinned = facts.figures.whole.freshness < PINNED_BELOW and told >= TOLD_FROM * opened
    if pinned and not all(_by_connections(row, told) for row in standing_out):
        return None
    hottest = max(standing_out, key=lambda row: abs(row.against_fair))
    of_connections = "" if not pinned else f"{percent(hottest.connections / told)} of {told:,} connections and "
    evidence = (
        f"{hottest.name} got {of_connections}{percent(hottest.share)} of the requests, "
        f"{hottest.against_fair:+.0%} against its fair share."
    )
    return CAUSE.found("possible", evidence, [row.name for row in standing_out])


def _by_connections(row: PodShare, opened: int) -> bool:
    share = row.connections / opened
    return abs(share - row.share) <= max(AGREE_WITHIN * row.share, NONE_BELOW)


CAUSE = Cause(
    code="uneven_connections",
    title="The balancer itself prefers some pods",
    cause="Work is spread unevenly though the pods work alike, as with weights or a coarse hash at a proxy.",
    shown_by="requests, and connections where they decide, of pods that stand out and are not slow, failing or late",
    remedy="Look for weights, subsets or a hash policy at the ingress, mesh or cloud balancer before the Service.",
    find=find,
)
