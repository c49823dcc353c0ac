"""A plan from a file, from flags, and from both."""

import io
import sys
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner, Result

from scale_app.cli.commands import scale
from scale_app.cli.run import FLAGS, plan_of, plan_options
from scale_app.domain.errors import PlanError
from scale_app.domain.gate import Gate, Levels, VerdictLevels
from scale_app.domain.pattern import Pattern
from scale_app.domain.plan import LoadPlan


def parsed(*arguments: str) -> LoadPlan:
    plans: list[LoadPlan] = []

    @click.command()
    @plan_options
    def command(plan_file, settings, headers, **flags):  # type: ignore[no-untyped-def]
        plans.append(plan_of(plan_file, settings, headers, **flags))

    result = CliRunner().invoke(command, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return plans[0]


def test_without_a_file_it_ends_as_soon_as_it_is_decided(tmp_path: Path) -> None:
    assert parsed() == LoadPlan(until="decided", duration_s=180)
    assert parsed("--duration", "9") == LoadPlan(until="decided", duration_s=9)
    assert parsed("--until", "duration", "--duration", "9") == LoadPlan(duration_s=9)
    (tmp_path / "plan.yaml").write_text("users: 3")
    assert parsed(str(tmp_path / "plan.yaml")) == LoadPlan(users=3)


def test_flags_are_fields_of_the_plan() -> None:
    flags = ["--target", "http://127.0.0.1:1/", "--users", "7", "--spawn-rate", "2.5", "--duration", "9"]
    more = ["--requests-per-connection", "null", "--header", "X-A: b: c", "--method", "POST", "--body", "on"]
    more += ["--pods", "3", "--weights", "web-stable=90, web-canary=2.5"]
    assert parsed(*flags, *more, "--set", "pattern.kind=ramp", "--set", "gate.verdict.fail=[undecided]") == LoadPlan(
        "http://127.0.0.1:1/",
        users=7,
        spawn_rate=2.5,
        duration_s=9,
        until="decided",
        requests_per_connection=None,
        headers={"X-A": "b: c"},
        method="POST",
        body="on",
        weights={"web-stable": 90, "web-canary": 2.5},
        pattern=Pattern("ramp"),
        gate=Gate(VerdictLevels(warn=("undecided",), fail=("undecided",)), pods=3),
    )


def test_weights_that_are_left_empty_are_none() -> None:
    assert parsed("--weights", "").weights == {}


def test_flags_go_before_what_the_file_says(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text("users: 5\nduration_s: 20\ngate: {score: {fail: 0.9}}\n")
    assert parsed(str(file), "--users", "6") == LoadPlan(users=6, duration_s=20, gate=Gate(score=Levels(fail=0.9)))


def test_a_plan_comes_from_standard_input_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"users: 3")))
    flags = dict.fromkeys(name.replace("-", "_") for name in FLAGS)
    assert plan_of("-", (), (), **flags).users == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.yaml"], "plan file = 'nowhere.yaml' cannot be used: it cannot be read (No such file or directory)."),
        (["--users", "many"], "--users = 'many' cannot be used: a whole number is needed."),
        (["--users", "0"], "--users = 0 cannot be used: a whole number of at least 1."),
        (["--header", "X-A"], "--header = 'X-A' cannot be used: a header is NAME:VALUE."),
        (["--weights", "web"], "--weights = 'web' cannot be used: NAME=NUMBER, several with commas between."),
        (["--weights", "a=1,a=2"], "weights = 'a' cannot be used: it is given twice, and each name has one weight."),
        (["--set", "weights=null"], "weights = null cannot be used: names with their values are needed, {} for none."),
        (["--weights", "web=0"], "--weights = 0 cannot be used: a number from 0.001 to 1,000,000 for 'web'."),
        (["--set", "users"], "--set = 'users' cannot be used: a field is set by FIELD=VALUE."),
        (["--set", "user=3"], "user = 3 cannot be used: there is no such field; the nearest name is users."),
        (["--set", "users.x=3"], "users.x = 3 cannot be used: there is no such field."),
        (["--set", "zzz=3"], "zzz = 3 cannot be used: there is no such field."),
        (
            ["--set", "gate.scor.fail=3"],
            'gate.scor = {"fail": 3} cannot be used: there is no such field; the nearest name is gate.score.',
        ),
        (["--set", "gate.score.fail=[]"], "gate.score.fail = [] cannot be used: a number is needed."),
        (["--fail-on", "sometimes"], "--fail-on = 'sometimes' cannot be used: one or more of uneven, undecided,"),
        (["--report", "pdf=x"], "--report = 'pdf=x' cannot be used: FORMAT=FILE with a format of json, csv,"),
        (["--report", "html=no/such/x"], "no/such/x cannot be written: its folder does not exist."),
        (["--mark-baseline", " a/b"], "name = ' a/b' cannot be used:"),
        (["--server", "http://[::1"], "server = 'http://[::1' cannot be used: it is not a URL"),
        (
            ["--server", "ftp://127.0.0.1/"],
            "server = 'ftp://127.0.0.1/' cannot be used: a URL that begins with http://",
        ),
        (["--server", "127.0.0.1:8000"], "server = '127.0.0.1:8000' cannot be used: a URL that begins with http://"),
        (["--report", "html=."], "cannot be used: . is a folder, and a file is needed."),
    ],
)
def test_wrong_use_is_one_sentence_and_starts_nothing(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result: Result = CliRunner().invoke(scale, ["run", *arguments])
    assert said in result.output
    assert len(result.output.strip().splitlines()) == 1
    assert result.exit_code == 64
    assert list(tmp_path.iterdir()) == []


def test_no_such_field_is_a_plan_error() -> None:
    with pytest.raises(PlanError):
        plan_of(None, ("headers.a.b=c",), ())
