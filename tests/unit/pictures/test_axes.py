"""Axis marks."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scale_app.pictures.axes import round_top, time_marks, time_span


@given(st.floats(min_value=1e-6, max_value=1e9))
def test_the_top_is_at_or_above_the_highest_and_not_far(highest):
    top, marks = round_top(highest)
    assert top >= highest * (1 - 1e-6)
    assert top <= highest * 2.5
    assert 2 <= len(marks) <= 6
    assert (marks[0].value, marks[0].at_percent) == (0, 0)
    assert marks[-1].at_percent == 100


@pytest.mark.parametrize("nothing", [0.0, -1.0, math.nan, math.inf])
def test_an_axis_without_data_is_still_an_axis(nothing):
    assert round_top(nothing)[0] == 1.0


@pytest.mark.parametrize(("highest", "values"), [(817, [0, 250, 500, 750, 1_000]), (0.24, [0, 0.1, 0.2, 0.3])])
def test_marks_are_round(highest, values):
    assert [mark.value for mark in round_top(highest)[1]] == pytest.approx(values)


@pytest.mark.parametrize(("elapsed", "duration", "span"), [(0, 60, 30), (31, 60, 60), (61, 90, 90), (70, 3_600, 120)])
def test_the_time_axis_is_steady_while_a_run_goes_on(elapsed, duration, span):
    assert time_span(elapsed, duration, active=True) == span


def test_an_ended_run_fills_its_time_axis():
    assert time_span(17.0, 60.0, active=False) == 17.0


@pytest.mark.parametrize("span", [1, 7, 30, 60, 90, 600, 3_600, 86_400])
def test_time_marks_are_few_and_inside(span):
    marks = time_marks(span)
    assert 1 <= len(marks) <= 7
    assert all(0 <= mark.at_percent <= 100.0001 for mark in marks)
