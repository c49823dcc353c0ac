"""A hash of the client's address before the pods: one source, one pod, however many connections."""

from __future__ import annotations

from scale_app.domain.facts import Facts
from scale_app.domain.finding import Finding
from scale_app.domain.findings.cause import Cause
from scale_app.domain.findings.wording import percent

IMPROBABLE = 0.001
ALL = 0.999


def find(facts: Facts) -> Finding | None:
    """Silent where the Service's own settings say it, and with too few connections to tell or one pod that could have
    got them: those that do not answer, or came when connections were open already, could not."""
    window, (name, share) = facts.figures.recent, facts.top()
    if (facts.service and facts.service.narrows) or share < ALL or facts.by_request:
        return None
    pods, connections = len(window.expected.keys() - facts.explained), sum((window.loads or {}).values())
    # The first connection may go anywhere; each further one meets the same pod with chance 1/pods.
    if pods < 2 or pods ** (1 - connections) > IMPROBABLE:
        return None
    evidence = (
        f"{name}, one of {pods} pods, answered on all {connections:,} connections lately and got {percent(share)} of "
        "the requests."
    )
    return CAUSE.found("likely", evidence, [name])


CAUSE = Cause(
    code="single_source",
    title="All connections of this source reach the same pod",
    cause="A balancer that hashes the client's address sends everything that comes from one machine to one pod.",
    shown_by="connections in use and the one pod that got them all",
    remedy="Send from several addresses, as real clients do, or let the balancer hash something finer or nothing.",
    find=find,
)
