"""A pod that is slower than the others though it gets no more than they do."""

from __future__ import annotations

from scale_app.domain.facts import Facts
from scale_app.domain.finding import Finding
from scale_app.domain.findings.cause import Cause
from scale_app.domain.findings.slowness import compared, slow_rows


def find(facts: Facts) -> Finding | None:
    """Slower than the others and not clearly above its share."""
    slow = slow_rows(facts, overloaded=False)
    if not slow:
        return None
    worst, against_due = max(slow, key=lambda found: found[0].mean_ms or 0.0)
    return CAUSE.found("likely", compared(worst, against_due, facts), [row.name for row, _ in slow])


CAUSE = Cause(
    code="slow_pod",
    title="One pod is slower than the others",
    cause="The pod takes longer for the same work, so clients that wait and balancers by load give it fewer requests.",
    shown_by="mean latency (robust outlier test at 0.1 %) together with a share at or below its due",
    remedy="Look at the pod's CPU throttling, garbage collection and node; fewer requests for it are right meanwhile.",
    find=find,
)
