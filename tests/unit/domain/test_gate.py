"""Thresholds of a plan, and whether a run reached them."""

from dataclasses import replace

import pytest

from scale_app.codec.plan_text import plan_from_text, plan_to_text
from scale_app.domain.errors import PlanError
from scale_app.domain.gate import Gate, Levels, VerdictLevels
from scale_app.domain.gating import Outcome, gated
from scale_app.domain.plan import LoadPlan
from scale_app.domain.recording import WholeRun
from scale_app.domain.snapshot import RunState
from tests.recorded import EVEN, whole_run

PASSED, WARNED, FAILED = Outcome.PASSED, Outcome.WARNED, Outcome.FAILED


ANY_VERDICT = VerdictLevels()


def hot(gate: Gate) -> WholeRun:
    """Score 0, UNEVEN, one pod at two thirds, p95 60 ms, 24 of 4,344 requests failed."""
    return whole_run(plan=LoadPlan(users=50, duration_s=12, gate=gate))


@pytest.mark.parametrize(
    ("gate", "outcome", "sentence"),
    [
        (Gate(ANY_VERDICT, score=Levels(0.97, 0.95)), FAILED, "The score is 0, below 0.95."),
        (Gate(ANY_VERDICT, pod_share=Levels(0.5, 0.7)), WARNED, "The largest share of one pod is 66.67 %, above 50 %."),
        (
            Gate(ANY_VERDICT, pod_share=Levels(0.7, 0.8)),
            PASSED,
            "The largest share of one pod is 66.67 %, at most 70 %.",
        ),
        (Gate(ANY_VERDICT, p95_ms=Levels(fail=59)), FAILED, "The latency p95 is 60.5 ms, above 59 ms."),
        (Gate(ANY_VERDICT, p99_ms=Levels(fail=5_000)), PASSED, "The latency p99 is 60.5 ms, at most 5,000 ms."),
        (
            Gate(ANY_VERDICT, failure_share=Levels(0.005)),
            WARNED,
            "The share of failed requests is 0.5525 %, above 0.5 %.",
        ),
    ],
)
def test_each_threshold_says_what_was_measured_and_asked_for(gate: Gate, outcome: Outcome, sentence: str) -> None:
    result = hot(gate).gate
    assert [(check.outcome, check.sentence) for check in result.checks] == [(outcome, sentence)]
    assert result.outcome is outcome


@pytest.mark.parametrize(
    ("levels", "outcome"),
    [
        (VerdictLevels(fail=("uneven",)), FAILED),
        (VerdictLevels(warn=("uneven",), fail=("undecided",)), WARNED),
        (VerdictLevels(fail=("undecided",)), PASSED),
    ],
)
def test_a_verdict_is_judged_by_the_levels_that_name_it(levels: VerdictLevels, outcome: Outcome) -> None:
    whole = hot(Gate(verdict=levels))
    assert whole.record.last is not None
    (check,) = whole.gate.checks
    assert (check.name, check.outcome, check.sentence) == ("verdict", outcome, whole.record.last.verdict.sentence)


def test_a_figure_just_beside_its_level_does_not_read_like_it() -> None:
    record = hot(Gate(ANY_VERDICT, score=Levels(fail=0.95))).record
    assert record.last is not None
    near = replace(record, last=replace(record.last, balance=replace(record.last.balance, score=0.949996)))
    assert gated(near, None).checks[0].sentence == "The score is 0.949996, below 0.95."


def test_unless_told_otherwise_uneven_fails() -> None:
    assert [(check.name, check.outcome) for check in hot(Gate()).gate.checks] == [("verdict", FAILED)]


def test_without_thresholds_a_run_passes() -> None:
    assert hot(Gate(ANY_VERDICT)).gate.checks == ()
    assert hot(Gate(ANY_VERDICT)).gate.outcome is PASSED


def test_the_worst_check_is_the_gates_outcome() -> None:
    gate = Gate(ANY_VERDICT, score=Levels(fail=0.0), p95_ms=Levels(1, 5_000), pod_share=Levels(fail=0.5))
    assert [check.outcome for check in hot(gate).gate.checks] == [PASSED, FAILED, WARNED]
    assert hot(gate).gate.outcome is FAILED


def test_a_threshold_of_a_run_without_data_fails() -> None:
    gate = Gate(VerdictLevels(fail=("uneven",)), score=Levels(fail=0.9), p95_ms=Levels(warn=100), pods=1)
    record = replace(hot(gate).record, last=None, state=RunState.FAILED)
    assert {check.outcome for check in gated(record, None).checks} == {FAILED}


def test_a_run_may_not_be_worse_than_its_baseline() -> None:
    gate = Gate(ANY_VERDICT, baseline="main")
    even, uneven = (whole_run(n, LoadPlan(users=50, duration_s=12, gate=gate)).record for n in (EVEN, (450, *EVEN[1:])))
    assert gated(uneven, even).outcome is FAILED
    assert "Worse by more than chance" in gated(uneven, even).checks[0].sentence
    assert gated(even, uneven).outcome is PASSED
    assert gated(even, even).outcome is PASSED


def test_a_baseline_that_is_missing_or_unlike_warns_and_does_not_fail() -> None:
    whole = hot(Gate(ANY_VERDICT, baseline="main"))
    assert [check.sentence for check in whole.gate.checks] == ["No run is set as the baseline 'main' yet."]
    five_pods = whole_run(EVEN).record
    for result in (whole.gate, gated(whole.record, five_pods)):
        assert result.outcome is WARNED


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("score: {fail: 1.5}", "gate.score.fail = 1.5 cannot be used: a number from 0 to 1."),
        (
            "score: {warn: 0.9, fail: 0.95}",
            "gate.score.warn = 0.9 cannot be used: at least the level that fails, 0.95.",
        ),
        (
            "p95_ms: {warn: 300, fail: 200}",
            "gate.p95_ms.warn = 300 cannot be used: at most the level that fails, 200.",
        ),
        ("pod_share: 0.3", "gate.pod_share = 0.3 cannot be used"),
        ("verdict: {fail: [even]}", "gate.verdict.fail.0 = 'even' cannot be used"),
        ("scores: {fail: 1}", "gate.scores"),
        ("pods: 0", "gate.pods = 0 cannot be used: a whole number of at least 1."),
        ("pods: 2.5", "gate.pods = 2.5 cannot be used"),
        ("baseline: 3", "gate.baseline = 3 cannot be used"),
        (f"baseline: {'x' * 81}", "gate.baseline"),
    ],
)
def test_a_level_that_cannot_be_used_is_refused_by_name(text: str, said: str) -> None:
    with pytest.raises(PlanError) as refused:
        plan_from_text(f"gate: {{{text}}}")
    assert said in str(refused.value)


def test_a_gate_in_a_file_reads_back() -> None:
    plan = LoadPlan(gate=Gate(VerdictLevels(("undecided",), ("uneven",)), Levels(0.97, 0.95), pods=5, baseline="main"))
    assert plan_from_text(plan_to_text(plan)) == plan
