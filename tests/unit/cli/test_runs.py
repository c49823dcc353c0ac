"""What the list of runs says beside its table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scale_app.api.v1.shapes import summary_of
from scale_app.cli.history_commands import _print_runs, fitting, shortened
from scale_app.domain.plan import LoadPlan
from scale_app.domain.record import RunRecord, outline_of
from scale_app.domain.snapshot import RunState, Source

RUN = summary_of(outline_of(RunRecord("run-1", LoadPlan(), Source.DEMO, RunState.FINISHED, 1.0)))


@pytest.mark.parametrize("unreadable", ["", "The plan of run run-1 cannot be read."])
def test_what_cannot_be_read_of_a_run_is_said_below_the_list(
    capsys: pytest.CaptureFixture[str], unreadable: str
) -> None:
    _print_runs([replace(RUN, unreadable=unreadable)])
    said = capsys.readouterr()
    assert "run-1" in said.out
    assert said.err.strip() == unreadable


def test_a_list_that_is_piped_is_whole_and_has_every_column(capsys: pytest.CaptureFixture[str]) -> None:
    long = replace(RUN, run_id="c1b16938-5d87-48cc-aa6a-4c1baa1e87de", target_url="http://shop.example/" + "x" * 300)
    _print_runs([long])
    (head, row) = capsys.readouterr().out.splitlines()
    assert long.run_id in row
    assert long.target_url in row
    assert head.split() == ["Run", "Started", "By", "State", "Verdict", "Score", "Baseline", "Target"]


def test_ids_are_shortened_to_what_tells_them_apart() -> None:
    assert shortened(["c1b16938-5d87", "c1b1693a-0000"]) == ["c1b16938", "c1b1693a"]
    assert shortened(["c1b16938-5d87", "c1b16938-5000"]) == ["c1b16938-5d", "c1b16938-50"]
    assert shortened(["run-1"]) == ["run-1"]
    assert shortened([]) == []


@pytest.mark.parametrize(
    ("width", "left_out"), [(100, set()), (75, set()), (60, {"State", "Score"}), (40, {"State", "Score", "Started"})]
)
def test_a_narrow_terminal_leaves_columns_out_and_cuts_none(width: int, left_out: set[str]) -> None:
    columns = {
        "Run": ["47258ad2"],
        "Started": ["2026-11-30 17:29:17 UTC"],
        "State": ["Finished"],
        "Verdict": ["Undecided"],
        "Score": ["0.738"],
        "Target": ["http://shop.example/"],
    }
    assert set(columns) - set(fitting(columns, width)) == left_out
