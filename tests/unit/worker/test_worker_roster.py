"""When a silent process counts as hanging, by what its system says of it."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from scale_app.child_process import ProcessState
from scale_app.worker.worker_roster import Silence

LOOK_S = 0.1


def given_up_after_s(standings: Iterable[ProcessState]) -> float | None:
    """The process is looked at every tenth of a second, and never says anything."""
    silence = Silence()
    for look, state in enumerate(standings):
        if silence.too_long(look * LOOK_S, state):
            return look * LOOK_S
    return None


@pytest.mark.parametrize(
    ("state", "after_s"), [("stopped", 2.0), ("sleeps", 5.0), ("unknown", 5.0), ("runs", 20.0), ("ended", 20.0)]
)
def test_each_state_has_its_patience(state: ProcessState, after_s: float) -> None:
    assert given_up_after_s([state] * 300) == pytest.approx(after_s)


def test_a_process_that_just_had_no_cpu_is_not_given_up_in_the_moment_in_which_it_sleeps_again() -> None:
    starved: list[ProcessState] = ["runs"] * 100
    assert given_up_after_s([*starved, *["sleeps"] * 49]) is None
    assert given_up_after_s([*starved, *["stopped"] * 19]) is None


def test_a_word_makes_all_silence_forgotten() -> None:
    silence = Silence()
    assert not silence.too_long(19.9, "runs")
    assert not silence.too_long(0.1, "sleeps")
    assert not silence.too_long(5.0, "runs")
    assert not silence.too_long(0.0, "stopped")
    assert not silence.too_long(1.9, "stopped")
    assert silence.too_long(2.0, "stopped")
