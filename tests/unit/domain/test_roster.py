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


def test_a_pod_that_joins_half_way_expects_its_part_of_the_time_in_which_it_could_share() -> None:
    roster = Roster()
    roster.observe(_listed(0, "a"))
    roster.observe(_listed(5, "a", "b"))
    assert roster.expect(10, 60) == {"a": 60, "b": 0}
    assert roster.expect(20, 100) == {"a": 50, "b": 50}


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
    assert roster.expect(11, 30) == {"a": 30, "b": 0}


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


def _details(*lists: PodsSample) -> list[tuple[str, str, str]]:
    roster = Roster()
    return [change for listed in lists for change in roster.observe(listed)]


def test_a_restarted_container_is_told_with_its_number() -> None:
    before, after = PodSeen("a", uid="1"), PodSeen("a", uid="1", restarts=2)
    assert _details(_listed(0, before), _listed(1, after)) == [("a", "restarted", "restart 2")]


def test_another_pod_of_the_same_name_is_told_as_that() -> None:
    before, after = PodSeen("a", uid="1", restarts=5), PodSeen("a", uid="2", node="n1", ready=False)
    assert _details(_listed(0, before), _listed(1, after)) == [
        ("a", "replaced", "on node n1"),
        ("a", "unready", ""),
    ]


def test_a_pod_made_for_one_that_ends_says_so_and_each_stands_for_one() -> None:
    old = [PodSeen(name, owner="set", uid=name) for name in ("a", "b")]
    ending = [PodSeen(name, owner="set", uid=name, terminating=True, ready=False) for name in ("a", "b")]
    new = [PodSeen(name, owner="set", node="n1") for name in ("c", "d", "e")]
    told = _details(_listed(0, *old), _listed(1, *ending), _listed(2, *ending, *new))
    assert [change for change in told if change[1] == "joined"] == [
        ("c", "joined", "on node n1, in place of a"),
        ("d", "joined", "on node n1, in place of b"),
        ("e", "joined", "on node n1"),
    ]
    assert [change[0] for change in told if change[1] == "terminating"] == ["a", "b"]
