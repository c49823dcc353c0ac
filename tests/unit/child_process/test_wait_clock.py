"""A wait that does not count the time in which the waiter itself stood still."""

from __future__ import annotations

import pytest

from scale_app.child_process import WaitClock


def waited_s(every_s: float, *looks_s: float) -> float:
    waited = WaitClock(every_s, looks_s[0])
    return sum(waited.passed_s(at_s) for at_s in looks_s[1:])


def test_time_that_was_looked_at_counts_as_it_is() -> None:
    assert waited_s(1, 100, 101, 101.5, 103) == pytest.approx(3)


def test_a_sleep_of_our_own_counts_as_two_looks() -> None:
    assert waited_s(1, 100, 101, 4_000, 4_001) == pytest.approx(1 + 2 + 1)


def test_a_clock_that_goes_backwards_counts_nothing() -> None:
    assert waited_s(1, 100, 99, 100) == pytest.approx(1)
