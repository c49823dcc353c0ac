"""A slider's stops."""

import pytest

from scale_app.ui.plan.texts import duration_stops, nearest, stops


def test_stops_are_whole_rising_and_end_at_the_cap():
    found = stops(5_000)
    assert found[0] == 1
    assert found[-1] == 5_000
    assert found == sorted(set(found))
    assert all(stop.is_integer() for stop in found)
    assert len(found) < 30


@pytest.mark.parametrize("most", [1, 2, 7, 10, 137])
def test_any_cap_is_the_last_stop(most):
    assert stops(most)[-1] == most


def test_the_defaults_are_stops():
    assert {50, 100} <= set(stops(5_000))
    assert 60 in duration_stops(3_600)


def test_durations_end_at_the_cap():
    assert duration_stops(100) == [5, 10, 20, 30, 45, 60, 90, 100]


@pytest.mark.parametrize(("value", "index"), [(1, 0), (4, 1), (1_000, 2), (-5, 0)])
def test_a_typed_value_moves_the_thumb_to_the_nearest_stop(value, index):
    assert nearest([1, 5, 10], value) == index
