"""Few long connections: each pins its requests to one pod, and chance deals the connections out unevenly."""

from __future__ import annotations

from scale_app.domain.balance import THRESHOLD
from scale_app.domain.facts import Facts
from scale_app.domain.finding import Finding
from scale_app.domain.findings.cause import Cause
from scale_app.domain.verdict import VerdictKind
from scale_app.domain.verdict_sentence import count

CHANCE_FROM = 0.05


def find(facts: Facts) -> Finding | None:
    """Fires for a low score that chance explains. Silent when more than chance is at work, or less (round robin)."""
    verdict, score = facts.figures.verdict, facts.figures.balance.score
    if verdict.kind is not VerdictKind.UNDECIDED or verdict.more_even_than_chance or not facts.long_lived:
        return None
    opened, each, usual = facts.connections, facts.requests_each, verdict.noise_score
    if score is None or score >= THRESHOLD or usual is None or usual >= THRESHOLD or opened is None or each is None:
        return None
    evidence = (
        f"{count(opened, 'connection')} carried {each:,.0f} requests each to {facts.figures.balance.pods} pods: "
        f"chance alone gives a score near {usual:.2f}, and it is {score:.2f}."
    )
    return CAUSE.found("likely" if (verdict.p_uneven or 0.0) >= CHANCE_FROM else "possible", evidence)


CAUSE = Cause(
    code="keep_alive_pinning",
    title="Few long connections are spread by chance",
    cause="A layer-4 balancer picks a pod once per connection, so with few long ones even a fair one looks uneven.",
    shown_by="connections, requests per connection, the score that chance alone gives",
    remedy=(
        "Open new connections now and then (clients' maximum requests or age of a connection), or balance per request; "
        "to judge the balancer itself, run again with a new connection every few requests."
    ),
    find=find,
)
