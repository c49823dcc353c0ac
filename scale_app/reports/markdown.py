"""A run as Markdown, short enough for a pull request: verdict, thresholds, the pods that stand out, likely causes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from scale_app.domain.gating import Check, GateResult, Outcome
from scale_app.domain.recording import WholeRun
from scale_app.views.presenting import run_view
from scale_app.views.view import FindingRow, PodRow, RunView

MARKS = {Outcome.PASSED: "✅", Outcome.WARNED: "⚠️", Outcome.FAILED: "❌"}
NAMES = {"score": "Score", "verdict": "Verdict", "pod_share": "Share of one pod", "p95_ms": "Latency p95",
         "p99_ms": "Latency p99", "failure_share": "Failed requests", "baseline": "Baseline"}  # fmt: skip
MOST_PODS = 10
LINKING = re.compile(r"@|#|:(?=//)|\bwww(?=\.)", re.IGNORECASE)
SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&])")


def markdown(whole: WholeRun) -> str:
    """The summary. Everything from outside is escaped, so that a pod's name cannot add a link or mention anybody."""
    view, gate = run_view(whole.record, whole.points), whole.gate
    parts = [_head(view, gate), _figures(view), _checks(gate), _pods(view.pods), _findings(view.findings), _foot(view)]
    return "\n\n".join(part for part in parts if part) + "\n"


def check_name(check: Check) -> str:
    """A threshold as people call it."""
    return NAMES[check.name]


def _head(view: RunView, gate: GateResult) -> str:
    figures = view.figures
    mark = MARKS[gate.outcome] if not _broken(view) else "❌"
    grade = f", grade {figures.grade}" if figures.grade else ""
    title = f"## {mark} {figures.kind_text}: score {figures.score}{grade}"
    said = [figures.sentence, view.message if view.message != figures.sentence else ""]
    notice = f"> **{view.source_text}.** {view.source_note}" if view.source == "simulated" else ""
    return "\n\n".join(part for part in (title, *map(escaped, said), notice) if part)


def _broken(view: RunView) -> bool:
    return view.state in ("failed", "interrupted") or not view.has_data


def _figures(view: RunView) -> str:
    figures = view.figures
    rows = [
        ("Requests", figures.requests, figures.requests_note),
        ("Spread (CV)", figures.cv, figures.cv_note),
        ("Latency p95, last seconds", figures.p95, figures.p95_note),
        ("Failures", figures.failures, figures.failures_note),
    ]
    return _table(("Figure", "Value", "Note"), [tuple(map(escaped, row)) for row in rows])


def _checks(gate: GateResult) -> str:
    if not gate.checks:
        return ""
    rows = [(f"{MARKS[each.outcome]} {each.outcome}", check_name(each), escaped(each.sentence)) for each in gate.checks]
    return "### Thresholds\n\n" + _table(("Result", "Threshold", "Measured"), rows)


def _pods(pods: list[PodRow]) -> str:
    """The pods that stand out first, at most MOST_PODS of all."""
    if not pods:
        return ""
    ordered = sorted(pods, key=lambda pod: not pod.outlier)
    rows = [
        (escaped(pod.name), pod.requests, pod.share, escaped(pod.against), escaped(pod.state))
        for pod in ordered[:MOST_PODS]
    ]
    rest = f"\n\n… and {len(pods) - MOST_PODS:,} more pods." if len(pods) > MOST_PODS else ""
    return "### Pods\n\n" + _table(("Pod", "Requests", "Share", "Against fair", "State"), rows) + rest


def _findings(findings: list[FindingRow]) -> str:
    if not findings:
        return ""
    lines = [
        f"- **{escaped(each.title)}** ({each.certainty_text.lower()}): {escaped(each.evidence)} "
        f"*What to do:* {escaped(each.remedy)}"
        for each in findings
    ]
    return "### Likely causes\n\n" + "\n".join(lines)


def _foot(view: RunView) -> str:
    return f"<sub>{escaped(view.target)} · {view.source_text} · {view.when} · run {escaped(view.run_id)}</sub>"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def escaped(text: str) -> str:
    """Text that shows as it is. Word joiners break up what would become a link or a mention without any mark."""
    plain = SPECIAL.sub(r"\\\1", " ".join(text.split()))
    return LINKING.sub("\\g<0>\u2060", plain)
