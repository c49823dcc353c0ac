"""Service with sessionAffinity ClientIP: all connections of one address go to one pod."""

from __future__ import annotations

from scale_app.domain.facts import Facts
from scale_app.domain.finding import Finding
from scale_app.domain.findings.cause import Cause
from scale_app.domain.findings.wording import percent
from scale_app.domain.verdict import VerdictKind

NEARLY_ALL = 0.9


def find(facts: Facts) -> Finding | None:
    """Silent where affinity does no harm, as with many client addresses."""
    pods = len(facts.figures.recent.expected)
    if facts.service is None or facts.service.session_affinity != "ClientIP" or pods < 2:
        return None
    name, share = facts.top()
    if share < NEARLY_ALL and facts.figures.recent_verdict.kind is not VerdictKind.UNEVEN:
        return None
    evidence = (
        f"The Service says sessionAffinity: ClientIP, and {name} got {percent(share)} of the last requests "
        f"where 1 of {pods} pods is due {percent(1 / pods)}."
    )
    return CAUSE.found("certain", evidence, [name])


CAUSE = Cause(
    code="session_affinity",
    title="The Service ties each client address to one pod",
    cause="sessionAffinity: ClientIP sends every connection of one address to the same pod, new connections too.",
    shown_by="the Service's sessionAffinity and the busiest pod's share",
    remedy="Remove it if no pod keeps state for its clients; else test from as many addresses as there are clients.",
    patch="spec:\n  sessionAffinity: None\n",
    find=find,
)
