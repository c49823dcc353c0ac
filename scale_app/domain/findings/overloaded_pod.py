"""A pod that is slow because it gets more than the others."""

from __future__ import annotations

from scale_app.domain.facts import Facts
from scale_app.domain.finding import Finding
from scale_app.domain.findings.cause import Cause
from scale_app.domain.findings.slowness import compared, slow_rows


def find(facts: Facts) -> Finding | None:
    """Slower than the others and at least a fifth above its share."""
    overloaded = slow_rows(facts, overloaded=True)
    if not overloaded:
        return None
    worst, against_due = max(overloaded, key=lambda found: found[1])
    return CAUSE.found("likely", compared(worst, against_due, facts), [row.name for row, _ in overloaded])


CAUSE = Cause(
    code="overloaded_pod",
    title="One pod is slow because it gets too much",
    cause="The pod gets more requests than the others and queues them, so imbalance has become latency.",
    shown_by="mean latency (robust outlier test at 0.1 %) together with a share above its due",
    remedy="Mend the imbalance first (see the other findings); adding pods helps only if new connections reach them.",
    find=find,
)
