"""Axis marks, and series as paths."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scale_app.pictures.axes import POINTS, area, line, round_top, series, thinned, time_marks, time_span


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


def test_the_box_is_filled_from_lower_left_to_upper_right():
    assert line(series([0, 10]), series([0, 5]), 10, 5) == "M0 1000L1000 0"


def test_a_gap_divides_the_line():
    assert line(series([0, 1, 2, 3]), series([1, None, 1, 1]), 3, 1) == "M0 0L0 0M667 0L1000 0"


def test_nothing_known_draws_nothing():
    assert line(series([0, 1]), series([None, float("nan")]), 1, 1) == ""
    assert area(series([]), series([]), 1, 1) == ""


def test_an_area_is_closed_at_the_bottom():
    assert area(series([0, 10]), series([5, 5]), 10, 5) == "M0 1000L0 0L1000 0L1000 1000Z"


def test_a_value_above_the_axis_stays_in_the_box():
    assert line(series([0, 1]), series([9, 9]), 1, 5) == "M0 0L1000 0"


def test_an_hour_is_thinned_and_keeps_its_spike_and_its_end():
    x, y = np.arange(3_600.0), np.ones(3_600)
    y[1_801] = 99
    thin_x, thin_y = thinned(x, y)
    assert len(thin_x) <= POINTS + 1
    assert thin_y.max() == 99
    assert thin_x[-1] == 3_599
    assert (np.diff(thin_x) > 0).all()


@given(st.lists(st.none() | st.floats(allow_nan=True, allow_infinity=True), max_size=400))
def test_any_series_gives_a_path_of_plain_numbers(values):
    x = series([float(i) for i in range(len(values))])
    for path in (line(x, series(values), 400, 10), area(x, series(values), 400, 10)):
        assert re.fullmatch(r"(?:[ML]\d{1,4} \d{1,4}|Z)*", path)
