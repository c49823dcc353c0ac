"""Findings, alerts and how requests were counted: word for word, and silence where nothing is to explain."""

import pytest

from scale_app.domain.alert import Alert
from scale_app.domain.counting import Counting, SourceStanding
from scale_app.domain.gating import Check, GateResult, Outcome
from scale_app.domain.snapshot import Finding
from scale_app.domain.source import Source
from scale_app.domain.verdict import Verdict, VerdictKind
from scale_app.views.presenting import run_view
from scale_app.views.sentences import NO_CAUSE, alert_rows, check_rows, counting_note
from tests.unit.ui.samples import record, snapshot

FINDING = Finding(
    "weights", "A pod weighs more", "One pod is picked more often.", "300 of 500.", "likely", "Equal them."
)


def test_a_finding_comes_word_for_word_with_its_certainty_as_a_word():
    (row,) = run_view(record(snapshot(findings=(FINDING,))), []).findings
    assert (row.title, row.cause, row.evidence, row.remedy) == (
        "A pod weighs more",
        "One pod is picked more often.",
        "300 of 500.",
        "Equal them.",
    )
    assert (row.certainty, row.certainty_text, row.patch) == ("likely", "Likely", "")


@pytest.mark.parametrize(
    ("kind", "findings", "note"),
    [
        (VerdictKind.UNEVEN, (), NO_CAUSE),
        (VerdictKind.UNDECIDED, (), NO_CAUSE),
        (VerdictKind.EVEN, (), ""),
        (VerdictKind.NO_DATA, (), ""),
        (VerdictKind.UNEVEN, (FINDING,), ""),
    ],
)
def test_that_no_cause_stands_out_is_said_only_where_one_is_missing(kind, findings, note):
    snap = snapshot(verdict=Verdict(kind, "A sentence."), findings=findings)
    assert run_view(record(snap), []).findings_note == note


def test_every_alert_that_is_on_is_shown_with_what_it_is_about():
    kinds = ("verdict", "score", "pod_share", "p95", "failures")
    rows = alert_rows([Alert(kind, 0.5, 0.1, f"{kind} is bad.", 1.0) for kind in kinds])
    assert [row.title for row in rows] == ["Imbalance", "Imbalance", "Pod share", "Latency", "Failures"]
    assert rows[3].message == "p95 is bad."


def test_nothing_is_said_where_every_answer_names_its_pod() -> None:
    assert counting_note(Counting(SourceStanding(Source.HEADER, 1.0))) == ""


def test_the_source_and_what_it_covers_are_said() -> None:
    note = counting_note(Counting(SourceStanding(Source.PROMETHEUS, 0.987)))
    assert note == "Counted from the Prometheus counter that each pod exports. It covers 98.7\u202f% of the requests."


def test_other_clients_are_never_hidden() -> None:
    note = counting_note(Counting(SourceStanding(Source.ACCESS_LOG, 1.4), others=4_000))
    assert "100.0\u202f% of the requests" in note
    assert "at least 4,000 requests from other clients" in note


def test_estimates_and_their_age_are_said() -> None:
    note = counting_note(Counting(SourceStanding(Source.NETWORK, 1.0, approximate=True, lag_s=14.2)))
    assert "These counts are estimates. They are 14 s old." in note


def test_what_could_not_be_read_is_said_with_its_reason() -> None:
    forbidden = SourceStanding(Source.ACCESS_LOG, problem="It may not be read. Grant it.")
    note = counting_note(Counting(SourceStanding(Source.HEADER, 1.0), considered=(forbidden,)))
    assert note == "Measured by access log: It may not be read. Grant it."


def test_thresholds_of_a_plan_are_told_and_a_verdict_alone_is_not() -> None:
    verdict = Check("verdict", Outcome.WARNED, "Undecided.")
    share = Check("pod_share", Outcome.FAILED, "The largest share of one pod is 33 %, above 20 %.")
    rows = check_rows(GateResult(Outcome.FAILED, (verdict, share)))
    assert [(row.name, row.outcome, row.outcome_text) for row in rows] == [
        ("Verdict", "warned", "Warned"),
        ("Share of one pod", "failed", "Failed"),
    ]
    assert check_rows(GateResult(Outcome.WARNED, (verdict,))) == []
