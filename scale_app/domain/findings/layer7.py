"""A balancer that picks per request: connections do not decide, so the connection policy does not matter."""

from __future__ import annotations

from scale_app.domain.facts import Facts
from scale_app.domain.finding import Finding
from scale_app.domain.findings.cause import Cause


def find(facts: Facts) -> Finding | None:
    """One connection answered by two pods is proof enough."""
    if not facts.figures.whole.switched:
        return None
    each = facts.requests_each
    carried = f" of {each:,.1f} requests each on average" if each is not None else ""
    evidence = f"Connections{carried} were answered by more than one pod, so each request counts as a pick."
    return CAUSE.found("certain", evidence)


CAUSE = Cause(
    code="layer7",
    title="A layer-7 balancer picks a pod for each request",
    cause="A proxy before the pods ends the connections and forwards every request by itself.",
    shown_by="connections that were answered by more than one pod",
    remedy="Nothing to change: keep-alive does no harm here. Should work be uneven, look at the proxy's policy.",
    find=find,
)
