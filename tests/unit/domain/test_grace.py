"""Patience with normal change: who is expected to share, and from when on."""

from collections.abc import Mapping

import numpy as np
import pytest

from scale_app.domain.events import AlertRaised, Event
from scale_app.domain.grace import GRACE_S
from scale_app.domain.plan import LoadPlan
from scale_app.domain.roster import Roster
from scale_app.domain.run import Run
from scale_app.domain.samples import (
    ConnectionLoads,
    CountsSample,
    LoadEnded,
    LoadReady,
    PodCount,
    PodSeen,
    PodsSample,
    TrafficSample,
)
from scale_app.domain.source import Source
from scale_app.domain.verdict import VerdictKind
from tests.fakes_load import observed

PER_S = 100
"""Connections per second."""


def listed(at_s: float, *pods: str | PodSeen) -> PodsSample:
    return PodsSample(at_s, tuple(pod if isinstance(pod, PodSeen) else PodSeen(pod) for pod in pods))


def joined(at_s: float = 5.0) -> Roster:
    """Pod a, and since then pod b."""
    roster = Roster()
    roster.observe(listed(0, "a"))
    roster.expect(at_s, 100)
    roster.observe(listed(at_s, "a", "b"))
    return roster


def test_a_pod_that_became_ready_is_expected_to_get_what_it_gets_until_that_is_its_share() -> None:
    roster = joined()
    assert roster.expect(6, 100) == {"a": 100, "b": 0}
    assert roster.expect(7, 100, {"b": 30}) == {"a": 70, "b": 30}
    assert roster.expect(8, 100, {"b": 48}) == {"a": 52, "b": 48}
    assert roster.expect(9, 100, {"b": 30}) == {"a": 50, "b": 50}


def test_patience_with_a_pod_that_gets_nothing_ends() -> None:
    roster = joined(5.0)
    assert roster.expect(5 + GRACE_S, 100) == {"a": 100, "b": 0}
    assert roster.expect(6 + GRACE_S, 100) == {"a": 50, "b": 50}


@pytest.mark.parametrize(
    "after",
    [(PodSeen("b", ready=False),), (PodSeen("b", terminating=True),), ()],
    ids=["unready", "terminating", "gone"],
)
def test_what_a_pod_still_gets_that_began_to_end_is_nobodys_fault(after: tuple[PodSeen, ...]) -> None:
    roster = Roster()
    roster.observe(listed(0, "a", "b"))
    roster.expect(5, 100)
    roster.observe(listed(5, "a", *after))
    assert roster.expect(6, 100, {"b": 40}) == {"a": 60, "b": 40}
    assert roster.expect(7, 100, {"b": 0}) == {"a": 100, "b": 0}
    roster.expect(6 + GRACE_S, 0)
    assert roster.expect(7 + GRACE_S, 100).get("b", 0) == (50 if after and after[0].ready else 0)


def test_another_pod_of_the_same_name_and_a_container_that_is_back_are_given_time() -> None:
    for later in (PodSeen("b", uid="2"), PodSeen("b", uid="1", restarts=1)):
        roster = Roster()
        roster.observe(listed(0, "a", PodSeen("b", uid="1")))
        roster.observe(listed(5, "a", later))
        assert roster.in_grace == {"b"}


def test_pods_of_the_first_list_are_given_none() -> None:
    roster = Roster()
    roster.observe(listed(0, "a", "b"))
    assert roster.in_grace == set()
    assert roster.expect(1, 100) == {"a": 50, "b": 50}


class Cluster:
    """Pods that are ready from so many seconds on, behind a balancer that hears of each change `late_s` later.

    beside: counted by logs and not by the answers. each: requests per connection. new_weight: of later pods.
    """

    def __init__(
        self,
        pods: Mapping[str, tuple[int, int]],
        late_s: float,
        beside: bool = False,
        each: int = 5,
        new_weight: float = 1.0,
    ) -> None:
        self._pods, self._late_s, self._beside, self._each = pods, late_s, beside, each
        self._weights = {name: new_weight if since_s else 1.0 for name, (since_s, _) in pods.items()}
        self._counts = dict.fromkeys(pods, 0)
        self._random = np.random.default_rng(1)

    def run(self, seconds: int) -> tuple[Run, list[Event]]:
        run = Run("run-1", LoadPlan(duration_s=seconds, requests_per_connection=self._each), Source.HEADER, 0.0)
        nothing = CountsSample(0.0, Source.ACCESS_LOG, dict.fromkeys(self._counts, 0))
        events = observed(run, self._listed(0), *([nothing] if self._beside else []), LoadReady(0.0))
        for second in range(1, seconds + 1):
            events += observed(run, *self._second(second))
        return run, [*events, *observed(run, LoadEnded(float(seconds)))]

    def _listed(self, at_s: float) -> PodsSample:
        there = [name for name, (since_s, _) in self._pods.items() if since_s <= at_s]
        ready = {name: at_s < self._pods[name][1] for name in there}
        return listed(at_s, *(PodSeen(name, ready=ready[name], terminating=not ready[name]) for name in there))

    def _second(self, second: int) -> list[PodsSample | TrafficSample | CountsSample]:
        knows_s = second - self._late_s
        known = [name for name, (since_s, until_s) in self._pods.items() if since_s <= max(0, knows_s) < until_s]
        total = sum(self._weights[name] for name in known)
        parts = [self._weights[name] / total for name in known]
        for name, new in zip(known, self._random.multinomial(PER_S, parts), strict=True):
            self._counts[name] += int(new)
        opened = sum(self._counts.values())
        each = {name: PodCount(self._each * n, connections=n) for name, n in self._counts.items() if n}
        named, unnamed = ({}, PodCount(self._each * opened)) if self._beside else (each, PodCount())
        loads = ConnectionLoads({self._each: opened}, switches={})
        traffic = TrafficSample(float(second), 10, self._each * opened, named, unnamed, loads=loads)
        totals = {name: self._each * n for name, n in self._counts.items()}
        read = [CountsSample(float(second), Source.ACCESS_LOG, totals)] if self._beside else []
        return [self._listed(second - 0.5), *read, traffic]


def alerts(events: list[Event]) -> list[str]:
    return [event.alert.message for event in events if isinstance(event, AlertRaised)]


FOR_EVER = 10_000
SCALE_UP = dict.fromkeys("abc", (0, FOR_EVER)) | dict.fromkeys("defghi", (10, FOR_EVER))
ROLLOUT = {"a": (0, 12), "b": (0, 16), "c": (0, 20), "d": (10, FOR_EVER), "e": (14, FOR_EVER), "f": (18, FOR_EVER)}


@pytest.mark.parametrize("pods", [SCALE_UP, ROLLOUT], ids=["scale-up", "rollout"])
@pytest.mark.parametrize("beside", [False, True], ids=["by answers", "by logs"])
@pytest.mark.parametrize("late_s", [0.5, 3, 7])
def test_a_normal_change_of_which_the_balancer_hears_late_raises_no_alert(
    pods: Mapping[str, tuple[int, int]], beside: bool, late_s: float
) -> None:
    run, events = Cluster(pods, late_s, beside).run(40)
    assert not alerts(events)
    assert run.last is not None
    assert run.last.verdict.kind in (VerdictKind.EVEN, VerdictKind.UNDECIDED)
    assert {pod.name for pod in run.last.pods if pod.outlier} == set()


def test_a_pod_that_stays_idle_is_named_all_the_same() -> None:
    run, events = Cluster(SCALE_UP, late_s=60).run(40)
    assert alerts(events)
    assert run.last is not None
    assert run.last.verdict.kind is VerdictKind.UNEVEN
    assert {pod.name for pod in run.last.pods if pod.against_fair < -0.9} == set("defghi")


@pytest.mark.parametrize("each", [1, 4])
@pytest.mark.parametrize(("late_s", "until"), [(20, "for up to "), (60, "since")])
def test_a_pod_that_the_balancer_takes_up_late_is_called_late_and_not_disfavoured(
    each: int, late_s: float, until: str
) -> None:
    run, _ = Cluster(SCALE_UP, late_s, each=each).run(40)
    assert run.last is not None
    (late,) = (finding for finding in run.last.findings if finding.explains == "uneven")
    assert (late.code, late.pods) == ("taken_up_late", tuple("defghi"))
    assert until in late.evidence


def test_new_pods_that_get_half_of_their_share_are_disfavoured_and_not_late() -> None:
    run, _ = Cluster(SCALE_UP, 0.5, new_weight=0.5).run(40)
    assert run.last is not None
    assert [finding.code for finding in run.last.findings] == ["uneven_connections"]


def test_new_pods_that_are_taken_up_in_time_are_not_called_late() -> None:
    run, _ = Cluster(SCALE_UP, 3).run(40)
    assert run.last is not None
    assert not [finding for finding in run.last.findings if finding.explains == "uneven"]


def test_one_pod_beside_one_that_has_just_come_is_not_called_alone() -> None:
    run, _ = Cluster({"a": (0, FOR_EVER), "b": (5, FOR_EVER)}, late_s=60).run(8)
    assert run.last is not None
    assert run.last.verdict.kind is VerdictKind.UNDECIDED
    assert run.last.verdict.sentence == (
        "Undecided: one pod has answered so far, and 1 more pod became ready a moment ago."
    )
    run, _ = Cluster({"a": (0, FOR_EVER)}, 0).run(8)
    assert run.last is not None
    assert run.last.verdict.kind is VerdictKind.EVEN
