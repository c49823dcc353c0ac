"""The small picture of a load's shape."""

from __future__ import annotations

import re

import pytest

from scale_app.domain.pattern import Pattern
from scale_app.pictures.axes import SIDE
from scale_app.pictures.times import pattern_picture


def levels(line: str) -> list[int]:
    """Heights from the bottom in the order of time."""
    return [SIDE - int(y) for y in re.findall(r"V(\d+)", line)]


def test_a_constant_load_fills_the_picture() -> None:
    picture = pattern_picture(Pattern(), 60)
    assert set(levels(picture.line)) == {SIDE}
    assert (picture.lowest, picture.highest, picture.mean) == (1, 1, 1)


def test_a_ramp_rises_from_left_to_right_and_its_mean_lies_between() -> None:
    picture = pattern_picture(Pattern("ramp", low=0.2, period_s=60), 60)
    found = levels(picture.line)
    assert found == sorted(found)
    assert found[0] == round(0.2 * SIDE)
    assert picture.lowest == pytest.approx(0.2)
    assert picture.mean == pytest.approx(0.6, abs=0.01)


def test_a_spike_keeps_its_upright_edges_at_its_moment() -> None:
    picture = pattern_picture(Pattern("spike", low=0.1, begins_s=30, period_s=15), 60)
    found = levels(picture.line)
    assert set(found) == {round(0.1 * SIDE), SIDE}
    assert found.index(SIDE) / len(found) == pytest.approx(0.5, abs=0.01)
    assert found.count(SIDE) / len(found) == pytest.approx(0.25, abs=0.01)


def test_a_recorded_load_that_never_is_whole_has_its_own_highest_share() -> None:
    picture = pattern_picture(Pattern("replayed", low=0.2, points=((0, 0.5), (30, 0.7))), 60)
    assert (picture.lowest, picture.highest) == (0.5, 0.7)


def test_the_line_spans_the_picture_and_the_area_is_closed_at_the_bottom() -> None:
    picture = pattern_picture(Pattern("wave", low=0.5, period_s=8), 60)
    assert picture.line.startswith("M0 ")
    assert picture.line.endswith(f"H{SIDE}")
    assert picture.area == f"{picture.line}V{SIDE}H0Z"
