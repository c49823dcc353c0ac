"""A pod that fails fast and so looks idle: a balancer by load sends it more and more."""

from __future__ import annotations

from scale_app.domain.facts import Facts
from scale_app.domain.finding import Finding
from scale_app.domain.findings.cause import Cause
from scale_app.domain.findings.wording import percent

ATTRACTS_FROM = 0.2


def find(facts: Facts) -> Finding | None:
    """A failing pod with clearly more than its share, more than chance brings."""
    magnets = [row for row in facts.rows if row.failing and row.outlier and row.against_fair >= ATTRACTS_FROM]
    if not magnets:
        return None
    worst = max(magnets, key=lambda row: row.against_fair)
    evidence = (
        f"{worst.name} failed {worst.failures:,} of {worst.requests:,} requests "
        f"({percent(worst.failures / worst.requests)}) and got {worst.against_fair:+.0%} against its fair share."
    )
    return CAUSE.found("likely", evidence, [row.name for row in magnets])


CAUSE = Cause(
    code="failing_magnet",
    title="A failing pod attracts traffic",
    cause="Failures are quick, so the pod seems the least loaded and a balancer by connections or load prefers it.",
    shown_by="failures and share of the pod against the others",
    remedy="Let its readiness probe see the failure, and eject pods that fail (outlier detection; shown for Istio).",
    patch=(
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nspec:\n  trafficPolicy:\n"
        "    outlierDetection:\n      consecutive5xxErrors: 5\n      interval: 10s\n      baseEjectionTime: 30s\n"
    ),
    find=find,
)
