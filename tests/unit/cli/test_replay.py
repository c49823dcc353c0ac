"""A run in a file, judged again; files come from anywhere."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from scale_app.cli.commands import scale
from scale_app.domain.recording import WholeRun
from scale_app.reports import run_to_json
from tests.recorded import EVEN, HOT, whole_run


def replay(folder: Path, whole: WholeRun, *arguments: str) -> Result:
    file = folder / "run.json"
    file.write_text(run_to_json(whole))
    return CliRunner().invoke(scale, ["replay", str(file), *arguments])


@pytest.mark.parametrize(("per_s", "code", "word"), [(HOT, 1, "Uneven"), (EVEN, 0, "Even")])
def test_the_verdict_is_in_words_and_in_the_exit_code(
    tmp_path: Path, per_s: tuple[int, ...], code: int, word: str
) -> None:
    result = replay(tmp_path, whole_run(per_s))
    assert result.exit_code == code
    assert result.stdout.startswith(f"{word}  score ")
    assert "Same result with today's rules." in result.stdout
    assert "api-7d9c6b5f4-aaaaa" in result.stdout


def test_what_was_said_then_is_told_where_it_differs(tmp_path: Path) -> None:
    whole = whole_run()
    last = whole.record.last
    assert last is not None
    changed = replace(last, balance=replace(last.balance, score=0.5))
    result = replay(tmp_path, replace(whole, record=replace(whole.record, last=changed)))
    assert f"Before: score 0.500. {last.verdict.sentence}" in result.stdout.replace("\n", " ")
    document = json.loads(replay(tmp_path, replace(whole, record=replace(whole.record, last=changed)), "--json").stdout)
    assert (document["same_as_recorded"], document["run"]["last"]["balance"]["score"]) == (False, 0.0)


def test_names_do_not_move_the_terminals_cursor(tmp_path: Path) -> None:
    text = run_to_json(whole_run()).replace("api-7d9c6b5f4-aaaaa", "api\\u001b[2J\\u009b1A")
    file = tmp_path / "run.json"
    file.write_text(text)
    result = CliRunner().invoke(scale, ["replay", str(file)])
    assert result.exit_code == 1
    assert "api�[2J�1A" in result.stdout
    assert not {"\x1b", "\x9b"} & set(result.stdout)


def test_a_run_without_recording_says_that_its_figures_remain(tmp_path: Path) -> None:
    result = replay(tmp_path, replace(whole_run(), recording=()))
    assert result.exit_code == 3
    assert "cannot be replayed: its samples were not kept." in result.stderr


def test_a_report_is_written_of_the_figures_of_today(tmp_path: Path) -> None:
    whole = replace(whole_run(), points=(), happened=())
    assert replay(tmp_path, whole, "--report", f"seconds={tmp_path}/s.csv").exit_code == 1
    assert len((tmp_path / "s.csv").read_text().splitlines()) == 1 + len(whole_run().points)
