"""A pod that fails more often than the others."""

from __future__ import annotations

from scale_app.domain.facts import Facts
from scale_app.domain.finding import Finding
from scale_app.domain.findings.cause import Cause
from scale_app.domain.findings.wording import percent


def find(facts: Facts) -> Finding | None:
    """Whatever its share of the requests is."""
    failing = [row for row in facts.rows if row.failing]
    if not failing:
        return None
    worst = max(failing, key=lambda row: row.failures / row.requests)
    others = [row for row in facts.rows if not row.failing]
    failed, requests = sum(row.failures for row in others), sum(row.requests for row in others)
    evidence = (
        f"{worst.name} failed {worst.failures:,} of {worst.requests:,} requests "
        f"({percent(worst.failures / worst.requests)}), the others {percent(failed / max(requests, 1))}."
    )
    return CAUSE.found("certain", evidence, [row.name for row in failing])


CAUSE = Cause(
    code="failing_pod",
    title="One pod fails more than the others",
    cause="Something is wrong in this pod or on its node, since the same requests succeed elsewhere.",
    shown_by="failures per pod, by a binomial test against the other pods",
    remedy="Look at the pod's log and node; let its readiness probe see the failure, so that it gets nothing then.",
    patch=(
        "spec:\n  template:\n    spec:\n      containers:\n        - name: app\n          readinessProbe:\n"
        "            httpGet:\n              path: /ready\n              port: 8080\n            periodSeconds: 5\n"
    ),
    find=find,
)
