"""Who should have shared the work, and how many requests each could expect."""

import pytest

from scale_app.domain.roster import Roster
from scale_app.domain.samples import PodSeen, PodsSample


def _listed(at_s: float, *pods: str | PodSeen) -> PodsSample:
    return PodsSample(at_s, tuple(pod if isinstance(pod, PodSeen) else PodSeen(pod) for pod in pods))


def test_pods_that_are_ready_all_the_time_expect_the_same() -> None:
    roster = Roster()
    roster.observe(_listed(0, "a", "b"))
    assert roster.expect(10, 100) == {"a": 50, "b": 50}


def test_a_pod_that_joins_half_way_expects_its_part_of_the_ready_time() -> None:
    roster = Roster()
    roster.observe(_listed(0, "a"))
    roster.observe(_listed(5, "a", "b"))
    assert roster.expect(10, 90) == pytest.approx({"a": 60, "b": 30})


def test_a_pod_that_is_not_ready_expects_nothing() -> None:
    roster = Roster()
    roster.observe(_listed(0, "a", PodSeen("b", ready=False)))
    assert roster.expect(10, 100) == {"a": 100}


def test_a_weight_raises_what_a_pod_expects() -> None:
    roster = Roster()
    roster.observe(_listed(0, PodSeen("a", weight=3), "b"))
    assert roster.expect(10, 100) == pytest.approx({"a": 75, "b": 25})


def test_each_interval_begins_anew() -> None:
    roster = Roster()
    roster.observe(_listed(0, "a", "b"))
    roster.expect(10, 100)
    roster.observe(_listed(10, "a"))
    assert roster.expect(11, 30) == {"a": 30}


def test_the_first_list_is_no_change_and_later_ones_are() -> None:
    roster = Roster()
    assert roster.observe(_listed(0, "a", "b", PodSeen("c", ready=False))) == []
    assert roster.observe(_listed(1, PodSeen("a", ready=False), "c", "d")) == [
        ("d", "joined", ""),
        ("a", "unready", ""),
        ("c", "ready", ""),
        ("b", "left", ""),
    ]


def test_without_a_list_nobody_is_expected_and_everybody_counts_as_ready() -> None:
    roster = Roster()
    assert roster.expect(10, 100) == {}
    assert roster.pod("x").ready


def test_a_clock_that_stands_still_expects_nothing() -> None:
    roster = Roster()
    roster.observe(_listed(3, "a"))
    assert roster.expect(3, 5) == {}
