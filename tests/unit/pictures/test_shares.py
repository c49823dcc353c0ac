"""Shares as bars."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scale_app.pictures.balance import MOST_APART, fair_shares, shares_picture
from tests.unit.ui.samples import pods


def test_no_pods_is_an_empty_picture_with_an_axis():
    picture = shares_picture([])
    assert (picture.even, picture.outliers, picture.fair) == ("", "", "")
    assert len(picture.marks) > 1


def test_outliers_are_a_path_of_their_own():
    picture = shares_picture(pods(300, 100, 100, outliers={0}))
    assert (picture.outliers.count("M"), picture.even.count("M")) == (1, 2)
    assert (picture.over == "") != (picture.under == "")


def test_the_fair_line_is_straight_for_equal_pods():
    assert shares_picture(pods(10, 20, 30)).fair.count("H") == 1


def test_fair_shares_are_read_back():
    assert fair_shares(pods(10, 20, 30)) == pytest.approx([1 / 3] * 3)


def test_pods_without_a_request_get_what_is_left():
    assert fair_shares(pods(10, 0, 0, 20)) == pytest.approx([0.25] * 4)


def test_the_line_steps_where_fair_shares_differ():
    from dataclasses import replace

    weighted = [replace(pod, against_fair=against) for pod, against in zip(pods(60, 40), (0.0, 0.0), strict=True)]
    assert fair_shares(weighted) == pytest.approx([0.6, 0.4])
    assert shares_picture(weighted).fair.count("H") == 2


def test_chance_has_a_band_only_when_it_is_known():
    assert shares_picture(pods(10, 20)).band == ""
    assert shares_picture(pods(10, 20), noise_cv=0.1).band.endswith("Z")


def test_a_figure_is_lifted_off_the_fair_line():
    picture = shares_picture(pods(98, 100, 102))
    fair_at = 100 * (1 / 3) / picture.marks[-1].value
    assert picture.labels_at[0] == pytest.approx(fair_at)
    assert picture.labels_at[2] > fair_at


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=80), st.none() | st.floats(0, 5))
def test_any_shares_give_a_picture_inside_its_box(requests, noise_cv):
    picture = shares_picture(pods(*requests), noise_cv)
    assert "nan" not in picture.even + picture.fair + picture.band
    assert all(0 <= at <= 100 for at in (*picture.labels_at, *picture.centres))


def test_a_thousand_pods_are_one_outline():
    picture = shares_picture(pods(*np.arange(1, 1_001).tolist()))
    assert picture.even.count("M") == 1 < MOST_APART
    assert len(picture.even) < 16_000


def test_an_outlier_among_many_pods_parts_the_outline():
    picture = shares_picture(pods(*[100] * 30, 300, *[100] * 69, outliers={30}))
    assert (picture.outliers.count("M"), picture.even.count("M")) == (1, 2)
    assert picture.outliers.startswith("M300.0 1000V")
    assert picture.outliers.endswith("H310.0V1000Z")
    assert "M310.0 1000V" in picture.even


def test_equal_neighbours_are_one_tread():
    picture = shares_picture(pods(*[100] * 50, *[50] * 50))
    assert picture.even.count("H") == 2
    assert "H500.0V" in picture.even
