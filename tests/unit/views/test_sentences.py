"""Findings, alerts and how requests were counted: word for word, and silence where nothing is to explain."""

import pytest

from scale_app.domain.alert import Alert
from scale_app.domain.counting import Counting, SourceStanding
from scale_app.domain.gating import Check, GateResult, Outcome
from scale_app.domain.snapshot import Finding, RunState
from scale_app.domain.source import Source
from scale_app.domain.verdict import Verdict, VerdictKind
from scale_app.views.presenting import run_view
from scale_app.views.sentences import NO_CAUSE, alert_rows, check_rows, counting_note, parted
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


def alerted(kind: VerdictKind = VerdictKind.UNEVEN, lately: str = "", **more: object) -> list[str]:
    """What is said of an alert since 0:13 beside a verdict of this kind. lately: the verdict of the last 10 s."""
    alert = Alert("verdict", 0.2, 0.95, "Uneven in the last 10 s: pod a gets 50 %, fair is 20 %.", 13.0)
    whole = Verdict(kind, "Uneven: pod a gets 42 %, fair is 20 %.")
    recent = Verdict(VerdictKind.UNEVEN, lately) if lately else Verdict(VerdictKind.UNDECIDED, "Undecided.")
    (row,) = alert_rows(snapshot(alerts=(alert,), verdict=whole, recent_verdict=recent, **more))
    return [row.title, row.message]


def test_every_alert_that_is_on_is_shown_with_what_it_is_about_and_since_when():
    kinds = ("verdict", "score", "pod_share", "p95", "failures")
    rows = alert_rows(snapshot(alerts=tuple(Alert(kind, 0.5, 0.1, f"{kind} is bad.", 1.0) for kind in kinds)))
    about = ["Imbalance", "Imbalance", "Pod share", "Latency", "Failures"]
    assert [row.title for row in rows] == [f"{each} alert since 0:01" for each in about]
    assert rows[3].message == "p95 is bad."


def test_an_imbalance_is_told_with_the_present_figures_of_its_window_where_the_verdict_has_others():
    now = "Uneven: pod a gets 61 %, fair is 20 %."
    assert alerted(lately=now)[1] == "In the last 10\u00a0s pod a gets 61\u00a0%, fair is 20\u00a0%."
    assert alerted(lately="Uneven: pod a gets 42 %, fair is 20 %.")[1] == ""
    assert alerted()[1] == ""
    assert alerted(VerdictKind.EVEN)[1].startswith("Uneven in the last")


def test_of_a_run_that_is_over_no_old_figure_is_told_as_the_present_one():
    over = alerted(lately="Uneven: pod a gets 61 %, fair is 20 %.", state=RunState.FINISHED)
    assert over == ["Imbalance alert from 0:13 to the end", ""]


@pytest.mark.parametrize(
    ("sentence", "word", "says", "prospect"),
    [
        ("Uneven: pod a gets 42 %, fair is 20 %.", "Uneven", "Pod a gets 42 %, fair is 20 %.", ""),
        (
            "Undecided after 31 connections: a fair one scores 0.97. About 90 more would decide: 4 s at this rate.",
            "Undecided",
            "After 31 connections: a fair one scores 0.97.",
            "About 90 more would decide: 4 s at this rate.",
        ),
        ("Even among the 3 pods that answered: x.", "Even", "Among the 3 pods that answered: x.", ""),
        (
            "No verdict: only 40 % named a pod.",
            "No data",
            "No verdict: only 40 % named a pod.",
            "",
        ),
        ("Unevenly said.", "Uneven", "Unevenly said.", ""),
    ],
)
def test_below_the_verdicts_word_stands_its_sentence_without_it(
    sentence: str, word: str, says: str, prospect: str
) -> None:
    assert parted(sentence, word) == (says, prospect)


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
