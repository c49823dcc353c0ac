"""Findings and alerts as the page shows them. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from scale_app.domain.alert import Alert
from scale_app.domain.findings.counts import GENERATOR_LIMIT
from scale_app.domain.snapshot import Finding, Snapshot
from scale_app.domain.verdict import VerdictKind
from scale_app.views import format as shown
from scale_app.views.view import AlertRow, FindingRow
from scale_app.views.words import ALERTS, CERTAINTIES, GENERATOR_NOTES

NO_CAUSE = "No cause stands out."


def alert_rows(alerts: Sequence[Alert]) -> list[AlertRow]:
    """Those that are on, in the snapshot's order."""
    return [AlertRow(ALERTS[alert.rule], shown.prose(alert.message)) for alert in alerts]


def finding_rows(findings: Sequence[Finding]) -> list[FindingRow]:
    """The causes that fit, in the snapshot's order: the surest first."""
    return [
        FindingRow(
            code=finding.code,
            title=finding.title,
            certainty=finding.certainty,
            certainty_text=CERTAINTIES[finding.certainty],
            cause=finding.cause,
            evidence=shown.prose(finding.evidence),
            remedy=shown.prose(finding.remedy),
            patch=finding.patch,
        )
        for finding in findings
    ]


def findings_note(snapshot: Snapshot) -> str:
    """What stands where findings would, "" when there is nothing to explain."""
    open_question = snapshot.verdict.kind in (VerdictKind.UNEVEN, VerdictKind.UNDECIDED)
    return NO_CAUSE if open_question and not snapshot.findings else ""


def generator_note(findings: Sequence[Finding]) -> str:
    """Why the load generator limits what is measured, "" when no finding says so."""
    found = next((each for each in findings if each.code == GENERATOR_LIMIT.code), None)
    return shown.prose(f"{GENERATOR_NOTES[found.certainty]} {found.evidence}") if found else ""
