"""The alert on an imbalance: begins on evidence, ends on evidence, says why."""

from collections.abc import Iterable

import numpy as np
import pytest

from scale_app.domain.events import AlertCleared, AlertRaised, AlertUpdated, Event
from scale_app.domain.plan import LoadPlan
from scale_app.domain.run import Run
from scale_app.domain.samples import ConnectionLoads, LoadReady, PodCount, PodSeen, PodsSample, TrafficSample
from scale_app.domain.snapshot import Source
from tests.fakes_load import observed

Told = AlertRaised | AlertUpdated | AlertCleared


class Played:
    """A run whose pods answer so many requests a second."""

    def __init__(self, pods: int, plan: LoadPlan | None = None, known: bool = True) -> None:
        """known: somebody tells which pods there are."""
        self.run = Run("run-1", plan or LoadPlan(duration_s=3_600), Source.DEMO, 0.0)
        self.names = [chr(97 + i) for i in range(pods)]
        self.counts = dict.fromkeys(self.names, 0)
        self.now_s = 0
        self.told: list[Told] = []
        if known:
            self.list_pods(self.names)
        self._take(observed(self.run, LoadReady(0.0)))

    def list_pods(self, names: Iterable[str]) -> None:
        self._take(observed(self.run, PodsSample(float(self.now_s), tuple(PodSeen(name) for name in names))))

    def seconds(self, per_s: Iterable[Iterable[int]], loads: ConnectionLoads | None = None) -> list[Told]:
        """What was told of the alert in these seconds."""
        before = len(self.told)
        for row in per_s:
            self.now_s += 1
            for name, count in zip(self.names, row, strict=True):
                self.counts[name] += count
            pods = {name: PodCount(count) for name, count in self.counts.items() if count}
            total = sum(self.counts.values())
            self._take(observed(self.run, TrafficSample(float(self.now_s), 5, total, pods, loads=loads)))
        return self.told[before:]

    def _take(self, events: list[Event]) -> None:
        self.told += [event for event in events if isinstance(event, (AlertRaised, AlertUpdated, AlertCleared))]


def picked(shares: list[float], per_s: int, seconds: int, seed: int = 1) -> list[list[int]]:
    weights = np.array(shares) / sum(shares)
    made: list[list[int]] = np.random.default_rng(seed).multinomial(per_s, weights, size=seconds).tolist()
    return made


def test_a_hot_pod_is_alerted_once_and_for_as_long_as_it_is_hot() -> None:
    played = Played(5)
    told = played.seconds(picked([2, 1, 1, 1, 1], 20, 600))
    assert [type(event) for event in told if not isinstance(event, AlertUpdated)] == [AlertRaised]
    assert played.run.last is not None
    assert played.run.last.alert is not None
    assert "at most 1 in" in told[0].alert.message or "under 1 in 1,000,000" in told[0].alert.message


def test_it_is_over_when_the_last_seconds_refute_half_of_it_and_says_so() -> None:
    played = Played(5)
    played.seconds(picked([2, 1, 1, 1, 1], 50, 60))
    told = played.seconds(picked([1] * 5, 50, 60))
    assert isinstance(told[-1], AlertCleared)
    assert played.run.last is not None
    assert played.run.last.alert is None
    assert told[-1].alert.cleared.startswith("The imbalance is over: the last ")
    assert "times likelier with even work than with half of the imbalance (score now 0." in told[-1].alert.cleared


def test_its_figures_name_the_seconds_that_they_are_of_where_the_verdict_on_the_run_has_others() -> None:
    played = Played(5)
    at_first = played.seconds(picked([3, 1, 1, 1, 1], 200, 3))
    assert at_first[0].alert.message.startswith("Uneven: pod a gets ")
    assert played.run.last is not None
    assert at_first[0].alert.message[:40] in played.run.last.verdict.sentence
    later = Played(5)
    later.seconds(picked([1] * 5, 200, 120))
    told = later.seconds(picked([3, 1, 1, 1, 1], 200, 20))
    assert told[0].alert.message.startswith("Uneven in the last 10 s: pod a gets ")
    assert later.seconds(picked([1] * 5, 200, 120))[-1].kind == "alert_cleared"


def test_what_was_before_the_end_of_an_alert_raises_no_second_one() -> None:
    played = Played(5)
    played.seconds(picked([3, 1, 1, 1, 1], 200, 60))
    told = played.seconds(picked([1] * 5, 200, 300))
    assert [type(event) for event in told if not isinstance(event, AlertUpdated)] == [AlertCleared]


def test_an_imbalance_that_comes_back_is_told_again() -> None:
    played = Played(5)
    for _ in range(3):
        assert isinstance(played.seconds(picked([3, 1, 1, 1, 1], 100, 60))[0], AlertRaised)
        assert isinstance(played.seconds(picked([1] * 5, 100, 120))[-1], AlertCleared)


def test_too_few_picks_to_tell_end_nothing() -> None:
    """Kept connections that switched are no longer new; the balancer rests, and nobody knows what it would do."""
    played = Played(5)
    played.seconds(picked([3, 1, 1, 1, 1], 100, 30))
    assert played.seconds([[0] * 5] * 90) == []
    assert played.seconds(picked([1] * 5, 1, 15, seed=4)) == []


def test_it_is_over_when_the_pod_that_it_was_about_shares_no_more() -> None:
    played = Played(4)
    played.seconds(picked([0, 1, 1, 1], 300, 30))
    played.list_pods(["b", "c", "d"])
    told = played.seconds([[0, *row] for row in picked([1, 1, 1], 60, 30)])
    assert [type(event) for event in told if not isinstance(event, AlertUpdated)] == [AlertCleared]
    assert told[-1].alert.cleared == OVER_BY_LEAVING


OVER_BY_LEAVING = "The imbalance is over: the pods concerned no longer share the work."


def test_where_nobody_tells_which_pods_there_are_a_starved_one_that_is_quiet_for_a_while_may_be_there() -> None:
    played = Played(5, known=False)
    rare = [[int(at % 6 == 0), 25, 25, 25, 25] for at in range(30)]
    told = played.seconds([*rare, *[[0, 25, 25, 25, 25]] * 20, *rare])
    assert [type(event) for event in told if not isinstance(event, AlertUpdated)] == [AlertRaised]


@pytest.mark.parametrize(("first", "quiet_s"), [([1, 100, 100, 100, 100], 60), ([300, 100, 100, 100, 100], 15)])
def test_where_nobody_tells_which_pods_there_are_one_has_left_when_its_share_does_not_explain_its_silence(
    first: list[int], quiet_s: int
) -> None:
    played = Played(5, known=False)
    played.seconds([first] * 30)
    told = played.seconds([[0, *first[1:]]] * quiet_s)
    assert isinstance(told[-1], AlertCleared)
    assert told[-1].alert.cleared == OVER_BY_LEAVING


def test_it_is_over_when_there_is_only_one_pod_left() -> None:
    played = Played(2)
    played.seconds(picked([9, 1], 60, 30))
    played.list_pods(["a"])
    told = played.seconds([[60, 0]] * 15)
    assert told[-1].alert.cleared == "The imbalance is over: there is one pod now, so nothing to share."


def test_an_imbalance_that_only_moved_to_another_pod_is_not_over() -> None:
    played = Played(5)
    played.seconds(picked([3, 1, 1, 1, 1], 100, 60))
    told = played.seconds(picked([1, 1, 1, 1, 3], 100, 120))
    assert not any(isinstance(event, AlertCleared) for event in told)


def test_all_on_one_of_twenty_pods_is_told_at_the_first_look() -> None:
    """Fifty kept connections; the clearest imbalance there is."""
    played = Played(20)
    told = played.seconds([[500] + [0] * 19], ConnectionLoads(long=dict.fromkeys(range(50), 10), switches={}))
    assert [type(event) for event in told] == [AlertRaised]


@pytest.mark.parametrize("seed", range(5))
def test_a_fair_balancer_raises_nothing_at_any_second(seed: int) -> None:
    assert Played(5).seconds(picked([1] * 5, 20, 600, seed)) == []
