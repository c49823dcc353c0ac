"""Series as paths."""

import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scale_app.pictures.axes import POINTS, area, line, series, thinned


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
