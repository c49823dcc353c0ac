"""Answers that do not say which pod gave them: nothing can be counted per pod."""

from __future__ import annotations

from scale_app.domain.facts import Facts
from scale_app.domain.finding import Finding
from scale_app.domain.findings.cause import Cause
from scale_app.domain.findings.wording import percent
from scale_app.domain.source import NAMED_BY_ANSWERS
from scale_app.domain.verdict import COVERAGE_FLOOR

ANSWERS_TO_JUDGE = 20


def find(facts: Facts) -> Finding | None:
    """Left out is what no pod answered: requests without an answer, and errors that a proxy gave in a pod's place."""
    window = facts.figures.whole
    answered = round(window.due)
    named = window.attributed
    if facts.source not in NAMED_BY_ANSWERS or answered < ANSWERS_TO_JUDGE or named >= COVERAGE_FLOOR * answered:
        return None
    evidence = (
        f"{named:,} of {answered:,} answers ({percent(named / answered)}) had the header {facts.plan.pod_header}; "
        f"{percent(COVERAGE_FLOOR)} are needed."
    )
    return CAUSE.found("certain", evidence)


CAUSE = Cause(
    code="pods_not_named",
    title="Most answers do not name their pod",
    cause="The pods, or a proxy before them, do not send the response header in which a pod gives its name.",
    shown_by="answers with the header against all answers",
    remedy="Let the service send its pod's name in the header, or name the header that it does send in the plan.",
    patch=(
        "spec:\n  template:\n    spec:\n      containers:\n        - name: app\n          env:\n"
        "            - name: POD_NAME\n              valueFrom:\n                fieldRef:\n"
        "                  fieldPath: metadata.name\n"
    ),
    find=find,
)
