"""A run as JUnit XML, which every pipeline can show: a test case for each threshold, and one for the run itself."""

from __future__ import annotations

import re

from junitparser import Error, Failure, JUnitXml, TestCase, TestSuite

from scale_app.domain.gating import Check, Outcome
from scale_app.domain.recording import WholeRun
from scale_app.domain.snapshot import RunState
from scale_app.domain.verdict import VerdictKind

NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


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
