"""Pods that are listed but not ready: the Service sends them nothing."""

from __future__ import annotations

from scale_app.domain.facts import Facts
from scale_app.domain.finding import Finding
from scale_app.domain.findings.cause import Cause
from scale_app.domain.verdict_sentence import count


def find(facts: Facts) -> Finding | None:
    """The pods that are not ready now."""
    unready = sorted(name for name, pod in facts.listed.items() if not pod.ready)
    if not unready:
        return None
    evidence = (
        f"{len(unready)} of {count(len(facts.listed), 'listed pod')} {'is' if len(unready) == 1 else 'are'} not ready; "
        f"{len(facts.listed) - len(unready)} can share the work."
    )
    return CAUSE.found("certain", evidence, unready)


CAUSE = Cause(
    code="unready_pods",
    title="Pods are not ready",
    cause="A pod that fails its readiness probe, is starting or is terminating gets no new connection.",
    shown_by="the pods that are listed, and their readiness",
    remedy="Wait until they are ready; if they stay so, look at their probes and events (kubectl describe pod).",
    find=find,
)
