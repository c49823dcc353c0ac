"""A run for a pipeline: Markdown, short enough for a pull request, and JUnit XML, which every pipeline can show."""

from __future__ import annotations

import re
from collections.abc import Sequence

from junitparser import Error, Failure, JUnitXml, TestCase, TestSuite

from scale_app.domain.gating import Check, GateResult, Outcome
from scale_app.domain.recording import WholeRun
from scale_app.domain.snapshot import RunState
from scale_app.domain.verdict import VerdictKind
from scale_app.log_lines import harmless
from scale_app.views.pod_table import PodRow, pod_table
from scale_app.views.presenting import run_view
from scale_app.views.view import FindingRow, RunView
from scale_app.views.words import CHECK_NAMES

NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
MARKS = {Outcome.PASSED: "✅", Outcome.WARNED: "⚠️", Outcome.FAILED: "❌"}
MOST_PODS = 10
LINKING = re.compile(r"@|#|:(?=//)|\bwww(?=\.)", re.IGNORECASE)
SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&])")


def markdown(whole: WholeRun) -> str:
    """The summary. Everything from outside is escaped, so that a pod's name cannot add a link or mention anybody."""
    view, gate = run_view(whole.record, whole.points), whole.gate
    pods = pod_table(whole.record.last).rows
    parts = [_head(view, gate), _figures(view), _checks(gate), _pods(pods), _findings(view.findings), _foot(view)]
    return "\n\n".join(part for part in parts if part) + "\n"


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
        ("Latency p95, last 10 s", figures.p95, figures.p95_note),
        ("Failures", figures.failures, figures.failures_note),
    ]
    return _table(("Figure", "Value", "Note"), [tuple(map(escaped, row)) for row in rows])


def _checks(gate: GateResult) -> str:
    if not gate.checks:
        return ""
    rows = [
        (f"{MARKS[each.outcome]} {each.outcome}", CHECK_NAMES[each.name], escaped(each.sentence))
        for each in gate.checks
    ]
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
    return "### Pods\n\n" + _table(("Pod", "Requests", "Share", "vs. fair share", "State"), rows) + rest


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
    plain = SPECIAL.sub(r"\\\1", harmless(" ".join(text.split())))
    return LINKING.sub("\\g<0>\u2060", plain)


def junit(whole: WholeRun) -> str:
    """One suite. A threshold that fails is a failure; one that warns passes and says so in its output."""
    record = whole.record
    suite = TestSuite("Scale")
    for name, value in _properties(whole):
        suite.add_property(name, _clean(value))
    elapsed_s = record.last.elapsed_s if record.last else 0.0
    suite.add_testcase(_run_case(whole, elapsed_s))
    for check in whole.gate.checks:
        suite.add_testcase(_case(check, record.plan.target_url))
    suite.time = elapsed_s
    xml = JUnitXml("Scale")
    xml.add_testsuite(suite)
    text: bytes = xml.tostring()  # type: ignore[no-untyped-call]
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text.decode()}\n'


def _properties(whole: WholeRun) -> list[tuple[str, str]]:
    record = whole.record
    known = [("run_id", record.run_id), ("target_url", record.plan.target_url), ("source", record.source.value)]
    if record.last is None:
        return known
    score = record.last.balance.score
    return [*known, ("verdict", record.last.verdict.kind.value), ("score", "" if score is None else f"{score:.6f}")]


def _run_case(whole: WholeRun, elapsed_s: float) -> TestCase:
    case = TestCase("run", _clean(f"scale.{whole.record.plan.target_url}"), elapsed_s)
    problem = _problem(whole)
    if problem:
        case.result = [Error(_clean(problem), "run")]
    return case


def _problem(whole: WholeRun) -> str:
    """Why the run says nothing about the balance, "" when it does."""
    record = whole.record
    if record.state in (RunState.FAILED, RunState.INTERRUPTED):
        return record.told or f"The run was {record.state.value}."
    if record.last is None:
        return record.told or "The run has no data."
    return record.last.verdict.sentence if record.last.verdict.kind is VerdictKind.NO_DATA else ""


def _case(check: Check, target_url: str) -> TestCase:
    case = TestCase(check.name, _clean(f"scale.{target_url}"), 0.0)
    if check.outcome is Outcome.FAILED:
        case.result = [Failure(_clean(check.sentence), "threshold")]
    else:
        case.system_out = _clean(f"{'Warning: ' if check.outcome is Outcome.WARNED else ''}{check.sentence}")
    return case


def _clean(text: str) -> str:
    """What XML can hold: names and messages come from outside."""
    return NOT_IN_XML.sub("\ufffd", text)
