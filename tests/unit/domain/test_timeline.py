"""What had been sent at a moment between two samples."""

import pytest

from scale_app.domain.counters import KEPT_S, Timeline


def _timeline(*points: tuple[float, int]) -> Timeline:
    timeline = Timeline()
    for at_s, requests in points:
        timeline.observe(at_s, requests)
    return timeline


def test_between_two_samples_it_rises_in_a_straight_line() -> None:
    timeline = _timeline((10.0, 0), (11.0, 100), (12.0, 300))
    assert timeline.at(11.0) == 100
    assert timeline.at(11.25) == pytest.approx(150)


def test_before_the_first_and_after_the_last_it_is_as_there() -> None:
    timeline = _timeline((10.0, 5), (11.0, 100))
    assert (timeline.at(2.0), timeline.at(99.0), timeline.newest) == (5, 100, 100)
    assert (Timeline().at(1.0), Timeline().newest, Timeline().newest_s) == (0, 0, None)


def test_only_the_last_minutes_are_kept() -> None:
    timeline = _timeline(*((float(second), second) for second in range(1_000)))
    assert timeline.at(0.0) == pytest.approx(1_000 - 1 - KEPT_S, abs=1)
