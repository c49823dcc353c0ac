"""When a child that lives is told of, and when it is given up."""

from __future__ import annotations

import pytest

from scale_app.child_process.owner import LOOK_EVERY_S, Patience, Watchdog

BEGAN_S = 100.0
PATIENCE = Patience(notice_s=5, silence_s=60, overdue_s=15)


class Watched:
    """A child that is watched for a while; it should end 30 s after its beginning."""

    def __init__(self) -> None:
        self.now_s = BEGAN_S
        self.watchdog = Watchdog(PATIENCE, BEGAN_S + 30, BEGAN_S)

    def passes(self, seconds: float, *, speaking: bool = False) -> Watched:
        """Time in which the owner looks at its child as it should."""
        until_s = self.now_s + seconds
        while self.now_s < until_s:
            self.now_s += LOOK_EVERY_S
            self.watchdog.look(self.now_s)
            if speaking:
                self.watchdog.heard()
        return self

    def owner_sleeps(self, seconds: float) -> Watched:
        self.now_s += seconds
        self.watchdog.look(self.now_s)
        return self


def test_silence_is_told_once_and_given_up_late() -> None:
    child = Watched().passes(4.5)
    assert not child.watchdog.notable
    assert child.passes(0.5).watchdog.notable
    child.watchdog.told = True
    assert not child.passes(54).watchdog.notable
    assert not child.watchdog.silent
    assert child.passes(1).watchdog.silent


def test_a_word_ends_the_silence_and_the_next_one_is_told_anew() -> None:
    child = Watched().passes(50)
    child.watchdog.told = True
    child.watchdog.heard()
    assert (child.watchdog.silent_s, child.watchdog.told) == (0, False)
    assert not child.passes(4).watchdog.notable
    assert child.passes(1).watchdog.notable


@pytest.mark.parametrize("slept_s", [11, 3_600])
def test_the_owner_s_own_sleep_is_nobody_s_silence_and_makes_nobody_overdue(slept_s: float) -> None:
    child = Watched().passes(3, speaking=True).owner_sleeps(slept_s)
    assert (child.watchdog.notable, child.watchdog.silent, child.watchdog.overdue) == (False, False, False)
    assert child.watchdog.silent_s == 2 * LOOK_EVERY_S


def test_a_child_that_speaks_on_after_its_end_is_overdue() -> None:
    child = Watched().passes(30, speaking=True).passes(14, speaking=True)
    assert not child.watchdog.overdue
    assert child.passes(1, speaking=True).watchdog.overdue


def test_a_child_that_was_stopped_over_its_end_gets_the_time_to_end_when_it_goes_on() -> None:
    child = Watched().passes(20, speaking=True).passes(50)
    assert not child.watchdog.overdue
    assert not child.passes(14, speaking=True).watchdog.overdue


def test_a_child_that_was_asked_to_end_may_be_silent_for_as_long_as_it_may_speak_on() -> None:
    child = Watched().passes(3, speaking=True)
    child.watchdog.asked_to_end(child.now_s + 60)
    assert not child.passes(14.5).watchdog.overdue
    assert child.passes(0.5).watchdog.overdue


def test_a_child_that_was_asked_to_end_and_speaks_has_all_its_time() -> None:
    child = Watched().passes(3, speaking=True)
    child.watchdog.asked_to_end(child.now_s + 10)
    assert not child.passes(24, speaking=True).watchdog.overdue
    assert child.passes(1.5, speaking=True).watchdog.overdue


def test_a_child_that_was_silent_for_long_is_given_up_when_it_is_asked_to_end() -> None:
    child = Watched().passes(3, speaking=True).passes(20)
    assert not child.watchdog.overdue
    child.watchdog.asked_to_end(child.now_s + 10)
    assert child.watchdog.overdue


def test_to_be_asked_makes_the_end_no_later() -> None:
    child = Watched().passes(25, speaking=True)
    child.watchdog.asked_to_end(child.now_s + 10)
    assert child.passes(20.5).watchdog.overdue
