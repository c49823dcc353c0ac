"""Exit codes, case by case."""

import itertools
from dataclasses import replace

import pytest

from scale_app.cli import CUT_OFF, commands
from scale_app.cli.commands import MEANINGS, Exit, code_of
from scale_app.cli.run import verdict_exit
from scale_app.domain import errors
from scale_app.domain.gate import Gate, Levels, VerdictLevels
from scale_app.domain.passing import DEFAULT_FAIL_ON, FAIL_ON
from scale_app.domain.plan import LoadPlan
from scale_app.domain.recording import WholeRun
from scale_app.domain.snapshot import RunState
from scale_app.domain.verdict import VerdictKind
from tests.recorded import EVEN, HOT, whole_run

PLAN = LoadPlan(users=50, duration_s=12)
MISSED, WARNED = Gate(score=Levels(fail=1.0), p95_ms=Levels(fail=1)), Gate(p95_ms=Levels(warn=1))


def run(verdict: str, gate: Gate | None = None, state: RunState = RunState.FINISHED) -> WholeRun:
    whole = whole_run(EVEN if verdict == "EVEN" else HOT, replace(PLAN, gate=gate or Gate()))
    last = whole.record.last
    assert last is not None
    last = replace(last, verdict=replace(last.verdict, kind=VerdictKind(verdict)))
    return replace(whole, record=replace(whole.record, last=last, state=state))


@pytest.mark.parametrize(
    ("whole", "fail_on", "code"),
    [
        (run("EVEN"), DEFAULT_FAIL_ON, 0),
        (run("UNEVEN"), DEFAULT_FAIL_ON, 1),
        (run("UNDECIDED"), DEFAULT_FAIL_ON, 2),
        (run("NO_DATA"), DEFAULT_FAIL_ON, 3),
        (run("EVEN", MISSED), DEFAULT_FAIL_ON, 1),
        (run("UNDECIDED", MISSED), DEFAULT_FAIL_ON, 1),
        (run("EVEN", WARNED), DEFAULT_FAIL_ON, 0),
        (run("EVEN", WARNED), ("warning",), 1),
        (run("UNDECIDED"), ("warning",), 1),
        (run("EVEN", MISSED), ("warning",), 1),
        (run("UNEVEN"), ("undecided",), 0),
        (run("UNEVEN", Gate(VerdictLevels(warn=("uneven",)))), DEFAULT_FAIL_ON, 1),
        (run("UNDECIDED"), ("uneven",), 0),
        (run("EVEN", MISSED), ("uneven",), 0),
        (run("UNEVEN", MISSED), (), 0),
        (run("EVEN", state=RunState.STOPPED), DEFAULT_FAIL_ON, 0),
        (run("EVEN", state=RunState.FAILED), DEFAULT_FAIL_ON, 3),
        (run("EVEN", state=RunState.INTERRUPTED), (), 3),
        (run("NO_DATA"), (), 3),
    ],
)
def test_the_code_of_a_run(whole: WholeRun, fail_on: tuple[str, ...], code: int) -> None:
    assert verdict_exit(whole, fail_on) == code


def test_a_run_without_any_snapshot_has_no_data() -> None:
    whole = run("EVEN")
    assert verdict_exit(replace(whole, record=replace(whole.record, last=None))) is Exit.FAILED


def test_every_choice_gives_a_documented_code() -> None:
    for kind, count in itertools.product(VerdictKind, range(len(FAIL_ON) + 1)):
        for chosen in itertools.combinations(FAIL_ON, count):
            assert verdict_exit(run(kind.value, MISSED), chosen) in MEANINGS


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.SettingsError("x"), 64),
        (errors.PlanError("users", 0, "more"), 64),
        (errors.TargetRefused("x"), 64),
        (errors.RunNotFound("x"), 64),
        (errors.BaselineNotFound("x"), 64),
        (errors.BadRunFile("x"), 64),
        (errors.StoreUnavailable("x"), 3),
        (errors.TooManyRuns("x"), 3),
        (errors.TooManyExports(2, 10), 3),
        (errors.GeneratorFailed("x"), 3),
        (errors.TargetUnavailable("x"), 3),
        (errors.NoRecording("x", "y"), 3),
        (commands.CannotStart("x"), 3),
    ],
)
def test_the_code_of_an_error(error: errors.ScaleError, code: int) -> None:
    assert code_of(error) == code


def test_every_code_has_a_meaning() -> None:
    assert set(MEANINGS) == set(Exit)


def test_ctrl_c_is_no_success_of_a_command_but_where_it_is_how_it_ends(capsys: pytest.CaptureFixture[str]) -> None:
    for cut_off, code, said in ((CUT_OFF, 3, CUT_OFF), ("Half.", 3, "Half."), ("", 0, "")):
        with pytest.raises(SystemExit) as ended, commands.sentence_and_exit(cut_off):
            raise KeyboardInterrupt
        assert (ended.value.code, capsys.readouterr().err.strip()) == (code, said)
