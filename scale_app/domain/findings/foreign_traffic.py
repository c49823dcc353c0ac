"""Requests of other clients in the pods' own counters."""

from __future__ import annotations

from scale_app.domain.facts import Facts
from scale_app.domain.finding import Finding
from scale_app.domain.findings.cause import Cause
from scale_app.domain.findings.wording import percent
from scale_app.domain.source import NAMED_BY_ANSWERS

NOTICED_FROM = 0.01
REQUESTS_TO_JUDGE = 20


def find(facts: Facts) -> Finding | None:
    """Silent when the pods' own counts are unknown, and for a share that a health probe makes.

    Each user may have one answer that its pod has counted and the generator has not read yet, so that many are no news.
    """
    foreign = {name: requests for name, requests in (facts.excess or {}).items() if requests > 0}
    extra = max(sum(foreign.values()), facts.others or 0)
    window = facts.figures.whole
    ours = window.attributed if facts.source in NAMED_BY_ANSWERS else min(window.attributed, round(window.due))
    if extra < max(REQUESTS_TO_JUDGE, facts.plan.users + 1, NOTICED_FROM * (ours + extra)):
        return None
    evidence = (
        f"The pods counted {ours + extra:,} requests, {extra:,} of them ({percent(extra / (ours + extra))}) not ours."
    )
    return CAUSE.found("certain", evidence, sorted(foreign, key=lambda name: -foreign[name]))


CAUSE = Cause(
    code="foreign_traffic",
    title="Other clients load the same pods",
    cause="The pods also serve clients other than this run, which the pods' own counters include.",
    shown_by="requests that the pods counted beyond those that this run sent",
    remedy="Judge by the answers to this run's own requests, or run when or where nobody else uses the pods.",
    find=find,
)
