"""When arrivals are due, over patterns and edits."""

from __future__ import annotations

import math

import pytest

from scale_app.domain.pattern import Pattern
from scale_app.domain.timetable import Timetable


def test_nothing_is_due_before_there_is_a_rate() -> None:
    table = Timetable(Pattern())
    assert (table.due(100), table.time_of(1)) == (0, math.inf)


def test_evenly_spaced_at_a_constant_rate() -> None:
    table = Timetable(Pattern())
    table.change(0, 4)
    assert [table.time_of(number) for number in (1, 2, 3, 8)] == [0.25, 0.5, 0.75, 2]


def test_closer_and_closer_on_a_ramp() -> None:
    table = Timetable(Pattern("ramp", low=0, period_s=10))
    table.change(0, 2)
    assert table.due(10) == 10
    assert [table.time_of(number) for number in (1, 4, 9, 10, 11)] == pytest.approx(
        [math.sqrt(10), math.sqrt(40), math.sqrt(90), 10, 10.5]
    )


def test_what_of_an_arrival_has_passed_at_an_edit_stays_passed() -> None:
    table = Timetable(Pattern())
    table.change(0, 1)
    leg = table.change(2.75, 10)
    assert (leg.at_s, leg.before, leg.per_s) == (2.75, 2.75, 10)
    assert [table.time_of(number) for number in (3, 4)] == pytest.approx([2.775, 2.875])


def test_a_rate_of_none_keeps_what_is_due_for_later() -> None:
    table = Timetable(Pattern())
    table.change(0, 1)
    table.change(1.5, 0)
    assert (table.due(50), table.time_of(2)) == (1.5, math.inf)
    table.change(50, 1)
    assert table.time_of(2) == 50.5


def test_what_was_due_before_the_leg_is_due_at_its_begin() -> None:
    table = Timetable(Pattern())
    table.change(0, 100)
    table.change(1, 1)
    assert table.time_of(99) == 1


def test_two_that_follow_the_same_legs_agree() -> None:
    leader, follower = Timetable(Pattern("wave", period_s=7)), Timetable(Pattern("wave", period_s=7))
    for at_s, per_s in ((0, 100), (3, 500), (9, 20)):
        follower.follow(leader.change(at_s, per_s))
    assert follower.due(20) == leader.due(20)
    assert follower.time_of(2_000) == leader.time_of(2_000)
