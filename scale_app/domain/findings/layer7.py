"""A balancer that picks per request: connections do not decide, so the connection policy does not matter."""

from __future__ import annotations

from scale_app.domain.facts import BY_REQUEST_FROM, Facts
from scale_app.domain.finding import Finding
from scale_app.domain.findings.cause import Cause
from scale_app.domain.findings.wording import percent
from scale_app.domain.verdict_sentence import count

SOME_FROM = 0.1
SWITCHES_TO_JUDGE = 5


def find(facts: Facts) -> Finding | None:
    """Silent for a few switches, and where each connection made but one of the many that it could: then its pod
    went away."""
    fresh, loads = facts.figures.whole.freshness, facts.figures.whole.loads or {}
    switches = sum(carried.switches * n for carried, n in loads.items())
    by_request = facts.figures.whole.by_request
    once = all(carried.switches <= 1 for carried in loads) and any(carried.chances > 1 for carried in loads)
    if fresh < SOME_FROM or ((switches < SWITCHES_TO_JUDGE or once) and not by_request):
        return None
    if by_request:
        evidence = "What counts the requests tells that the balancer picks a pod for each, so each one is a pick."
    else:
        chances = sum(carried.chances * n for carried, n in loads.items())
        evidence = (
            f"{switches:,} of {count(chances, 'answer')} came from another pod than the one before on the same "
            f"connection, {percent(fresh)} of what a new pick for each request would bring."
        )
    return CAUSE.found("certain" if fresh >= BY_REQUEST_FROM else "likely", evidence)


CAUSE = Cause(
    code="layer7",
    title="A layer-7 balancer picks a pod for each request",
    cause="A proxy before the pods ends the connections and forwards every request by itself.",
    shown_by="how often the pod changes from one answer to the next on the same connection",
    remedy="Nothing to change: keep-alive does no harm here. If work is uneven, check the proxy's policy.",
    find=find,
)
