"""What the list of runs says beside its table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scale_app.api.v1.shapes import summary_of
from scale_app.cli.history_commands import _print_runs
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
