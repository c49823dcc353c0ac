"""A pod that is listed as ready and answers nothing, or far too little, while about its share of requests is lost."""

from __future__ import annotations

from scale_app.domain.facts import Facts
from scale_app.domain.finding import Finding
from scale_app.domain.findings.cause import Cause
from scale_app.domain.findings.wording import percent, pods

LIKELY_FROM = 100.0
CAUSES_NAMED = 2


def find(facts: Facts) -> Finding | None:
    """Fires while the evidence is 100 to 1 that a pod which answers would have got more."""
    silent = facts.silent
    if silent is None or silent.evidence < LIKELY_FROM:
        return None
    ranked = sorted(facts.errors.items(), key=lambda item: -item[1])[:CAUSES_NAMED]
    causes = f" ({', '.join(f'{times:,} x {cause}' for cause, times in ranked)})" if ranked else ""
    evidence = (
        f"{pods(silent.pods)} answered {silent.answered:,} requests where the others' answers make {silent.due:,.0f} "
        f"due, and {silent.unserved:,} requests, {percent(silent.lost)}, got no answer of a pod{causes}. "
        "The balancer itself may be fair."
    )
    return CAUSE.found("likely", evidence, silent.pods)


CAUSE = Cause(
    code="silent_pod",
    title="A ready pod does not answer",
    cause="The pod passes its readiness probe, so it gets its share, but requests to it are dropped, refused or reset.",
    shown_by="answers of the pod against its share, and requests that no pod answered",
    remedy=(
        "Look at the pod's log, network policy and node; let its readiness probe take the path that requests take, and "
        "let the balancer eject pods that do not answer."
    ),
    patch=(
        "spec:\n  template:\n    spec:\n      containers:\n        - name: app\n          readinessProbe:\n"
        "            httpGet:\n              path: /\n              port: 8080\n            periodSeconds: 5\n"
        "            timeoutSeconds: 2\n"
    ),
    find=find,
)
