"""Changes to the demo: scaling, killing, replacing and faults, with time owned by the test."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from scale_app.demo.cluster import (
    FAILING_SHARE,
    ONE_AT_A_TIME_S,
    REPLACEMENT_READY_S,
    SLOW_ANSWER_S,
    WORK_BESIDE_FAST_FAILURES_S,
    DemoPod,
    PodCluster,
    pod_names,
)
from scale_app.domain.cluster import ServiceSettings
from scale_app.domain.demo import MAX_PODS, DemoChange, Fault, Policy
from scale_app.domain.errors import PlanError


class FakeCall:
    def __init__(self, due_s: float, call: Callable[[], None]) -> None:
        self.due_s = due_s
        self.call = call
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class FakeTime:
    """Delayed calls that happen when the test moves time."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.calls: list[FakeCall] = []

    def later(self, delay_s: float, call: Callable[[], None]) -> FakeCall:
        self.calls.append(FakeCall(self.now_s + delay_s, call))
        return self.calls[-1]

    def pass_by(self, seconds: float) -> None:
        self.now_s += seconds
        due = [call for call in self.calls if call.due_s <= self.now_s and not call.cancelled]
        self.calls = [call for call in self.calls if call not in due]
        for call in due:
            call.call()


class FakeLink:
    def __init__(self) -> None:
        self.heard: list[str] = []

    def reset(self) -> None:
        self.heard.append("reset")

    def drain(self) -> None:
        self.heard.append("drain")


class Bench:
    """A cluster, its time, and how often it told of a pod that became ready."""

    def __init__(self, seed: int = 1) -> None:
        self.time = FakeTime()
        self.told = 0
        self.cluster = PodCluster(pod_names(seed), Random(seed), self.time.later, self._tell)

    def _tell(self) -> None:
        self.told += 1

    def pods(self) -> dict[str, bool]:
        return {pod.name: pod.ready for pod in self.cluster.status("").pods}

    def names(self) -> list[str]:
        return list(self.pods())

    def change(self, change: DemoChange) -> None:
        self.cluster.change(change)

    def pod(self, place: int) -> DemoPod:
        """The object behind a name, found by asking the balancer."""
        self.change(DemoChange(policy=Policy.ROUND_ROBIN))
        picked = {pod.name: pod for pod in (self.cluster.pick("") for _ in range(MAX_PODS)) if pod}
        return picked[self.names()[place]]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_it_begins_with_five_ready_pods_named_like_a_deployments() -> None:
    pods = Bench().pods()
    assert list(pods.values()) == [True] * 5
    assert all(name.startswith("demo-6d9f7c5b8-") and len(name) == 20 for name in pods)


def test_the_same_seed_gives_the_same_names_and_another_seed_others() -> None:
    assert Bench(seed=3).names() == Bench(seed=3).names()
    assert set(Bench(seed=3).names()).isdisjoint(Bench(seed=4).names())


def test_a_killed_pod_is_gone_at_once_and_its_connections_are_reset(bench: Bench) -> None:
    victim, link = bench.pod(1), FakeLink()
    victim.links.add(link)
    bench.change(DemoChange(kill_pod=victim.name))
    assert victim.name not in bench.names()
    assert link.heard == ["reset"]
    assert {bench.cluster.pick("") for _ in range(20)}.isdisjoint({victim})


def test_a_replacement_has_a_new_name_and_is_ready_after_two_seconds(bench: Bench) -> None:
    before = bench.names()
    bench.change(DemoChange(kill_pod=before[1]))
    (newcomer,) = set(bench.names()) - set(before)
    assert not bench.pods()[newcomer]
    bench.time.pass_by(REPLACEMENT_READY_S - 0.01)
    assert not bench.pods()[newcomer]
    assert bench.told == 0
    bench.time.pass_by(0.01)
    assert bench.pods()[newcomer]
    assert bench.told == 1
    assert newcomer in {bench.pod(place).name for place in range(5)}


def test_killing_a_replacement_before_it_is_ready_starts_the_two_seconds_anew(bench: Bench) -> None:
    bench.change(DemoChange(kill_pod=bench.names()[0]))
    bench.time.pass_by(1.0)
    first = bench.names()[0]
    bench.change(DemoChange(kill_pod=first))
    bench.time.pass_by(REPLACEMENT_READY_S - 0.5)
    assert list(bench.pods().values()) == [False, True, True, True, True]
    bench.time.pass_by(0.5)
    assert list(bench.pods().values()) == [True] * 5
    assert first not in bench.names()
    assert bench.told == 1


def test_while_no_pod_is_ready_nothing_is_picked(bench: Bench) -> None:
    bench.change(DemoChange(pods=1))
    bench.change(DemoChange(kill_pod=bench.names()[0]))
    assert bench.cluster.pick("") is None
    bench.time.pass_by(REPLACEMENT_READY_S)
    assert bench.cluster.pick("") is not None


def test_killing_a_pod_that_does_not_exist_says_so_and_changes_nothing(bench: Bench) -> None:
    before = bench.cluster.status("")
    with pytest.raises(PlanError, match=r"kill_pod = 'demo-nobody' cannot be used: .*such as demo-6d9f7c5b8-"):
        bench.change(DemoChange(kill_pod="demo-nobody", policy=Policy.WEIGHTED, pods=9))
    assert bench.cluster.status("") == before


def test_scaling_up_adds_ready_pods_behind_those_that_exist(bench: Bench) -> None:
    before = bench.names()
    bench.change(DemoChange(pods=8))
    assert bench.names()[:5] == before
    assert list(bench.pods().values()) == [True] * 8


def test_scaling_down_drains_the_last_pods_and_leaves_the_others_alone(bench: Bench) -> None:
    links = [FakeLink() for _ in range(5)]
    for place, link in enumerate(links):
        bench.pod(place).links.add(link)
    bench.change(DemoChange(pods=3))
    assert [link.heard for link in links] == [[], [], [], ["drain"], ["drain"]]
    assert len(bench.names()) == 3


def test_scaling_away_a_pod_that_is_not_ready_yet_cancels_its_start(bench: Bench) -> None:
    bench.change(DemoChange(kill_pod=bench.names()[4]))
    bench.change(DemoChange(pods=4))
    bench.time.pass_by(REPLACEMENT_READY_S)
    assert bench.told == 0
    assert len(bench.names()) == 4


def test_counts_of_pods_that_are_gone_are_kept(bench: Bench) -> None:
    killed, scaled_away = bench.pod(0), bench.pod(4)
    killed.answered, scaled_away.answered = 11, 22
    bench.change(DemoChange(kill_pod=killed.name))
    bench.change(DemoChange(pods=4))
    scaled_away.answered += 1  # the answer that was in flight
    answered = bench.cluster.status("").answered
    assert (answered[killed.name], answered[scaled_away.name]) == (11, 23)
    assert sum(answered.values()) == 34


def test_only_the_first_pod_has_the_fault_and_so_has_its_replacement(bench: Bench) -> None:
    bench.change(DemoChange(fault=Fault.SLOW_POD))
    assert [bench.pod(place).delay_s for place in range(5)] == [SLOW_ANSWER_S, 0, 0, 0, 0]
    bench.change(DemoChange(kill_pod=bench.names()[0]))
    bench.time.pass_by(REPLACEMENT_READY_S)
    assert [bench.pod(place).delay_s for place in range(5)] == [SLOW_ANSWER_S, 0, 0, 0, 0]
    bench.change(DemoChange(fault=Fault.NONE))
    assert bench.pod(0).delay_s == 0


def test_a_failing_pod_fails_three_answers_in_ten_and_others_none(bench: Bench) -> None:
    bench.change(DemoChange(fault=Fault.FAILING_POD))
    rng = Random(5)
    failing = [bench.pod(0).status(rng) for _ in range(4_000)]
    assert failing.count(500) / 4_000 == pytest.approx(FAILING_SHARE, rel=0.1)
    assert {bench.pod(1).status(rng) for _ in range(100)} == {200}


def test_the_weight_belongs_to_the_first_pod_while_the_policy_is_weighted(bench: Bench) -> None:
    bench.change(DemoChange(policy=Policy.WEIGHTED, weight=8.0))
    status = bench.cluster.status("http://demo/")
    assert (status.policy, status.weight, status.url) == (Policy.WEIGHTED, 8.0, "http://demo/")
    assert [pod.weight for pod in status.pods] == [8.0, *[1.0] * (len(status.pods) - 1)]
    bench.change(DemoChange(policy=Policy.RANDOM))
    assert {pod.weight for pod in bench.cluster.status("http://demo/").pods} == {1.0}
    assert [bench.pod(place).share for place in range(5)] == [8.0, 1.0, 1.0, 1.0, 1.0]


def test_an_overloaded_pod_works_on_one_request_after_the_other(bench: Bench) -> None:
    bench.change(DemoChange(fault=Fault.OVERLOADED_POD))
    pod = bench.pod(0)
    waits = [pod.take(now_s) for now_s in (100.0, 100.0, 100.001, 200.0)]
    assert waits == pytest.approx([ONE_AT_A_TIME_S, 2 * ONE_AT_A_TIME_S, 3 * ONE_AT_A_TIME_S - 0.001, ONE_AT_A_TIME_S])
    assert bench.pod(1).take(100.0) == 0


def test_beside_a_fast_failing_pod_the_others_have_work_to_do(bench: Bench) -> None:
    bench.change(DemoChange(fault=Fault.FAST_FAILING_POD))
    assert [bench.pod(place).delay_s for place in range(5)] == [0.0] + [WORK_BESIDE_FAST_FAILURES_S] * 4
    assert (bench.pod(0).status(Random(1)), bench.pod(1).status(Random(1))) == (500, 200)
    bench.change(DemoChange(fault=Fault.NONE))
    assert bench.pod(1).delay_s == 0


def test_places_go_to_the_nodes_in_turn_and_a_replacement_stays_on_its_node(bench: Bench) -> None:
    bench.change(DemoChange(pods=7, kill_pod=bench.names()[1]))
    nodes = [pod.node for pod in bench.cluster.status("").pods]
    assert nodes == ["node-a", "node-b", "node-c", "node-a", "node-b", "node-c", "node-a"]


@pytest.mark.parametrize(
    ("policy", "service"),
    [
        (Policy.RANDOM, ServiceSettings(client_node="node-a")),
        (Policy.SOURCE_HASH, ServiceSettings(client_node="node-a")),
        (Policy.SOURCE_STICKY, ServiceSettings(session_affinity="ClientIP", client_node="node-a")),
        (Policy.LOCAL, ServiceSettings(internal_traffic_policy="Local", client_node="node-a")),
        (Policy.PREFER_SAME_NODE, ServiceSettings(traffic_distribution="PreferSameNode", client_node="node-a")),
    ],
)
def test_it_says_what_a_service_of_this_policy_would_say(
    bench: Bench, policy: Policy, service: ServiceSettings
) -> None:
    bench.change(DemoChange(policy=policy))
    assert bench.cluster.status("").service == service


def test_weights_are_told_while_they_are_in_force(bench: Bench) -> None:
    bench.change(DemoChange(policy=Policy.WEIGHTED, weight=4.0))
    service = bench.cluster.status("").service
    assert service is not None
    assert list(service.weights.values()) == [4.0, 1.0, 1.0, 1.0, 1.0]


def test_a_local_policy_reaches_nobody_while_the_clients_node_has_no_ready_pod(bench: Bench) -> None:
    bench.change(DemoChange(policy=Policy.LOCAL, pods=1, kill_pod=bench.names()[0]))
    assert bench.cluster.pick("") is None
    bench.time.pass_by(REPLACEMENT_READY_S)
    assert bench.cluster.pick("") is not None
