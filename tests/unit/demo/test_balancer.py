"""Each policy, by what it does to many picks."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from scale_app.demo.cluster import NODES, Balancer, DemoPod
from scale_app.domain.demo import Policy

PICKS = 5_000


class OpenLink:
    def reset(self) -> None: ...

    def drain(self) -> None: ...


def five_pods() -> list[DemoPod]:
    return [DemoPod(f"pod-{number}", ready=True, node=NODES[number % len(NODES)]) for number in range(5)]


def picked(policy: Policy, pods: list[DemoPod], picks: int = PICKS, address: str = "10.0.0.1") -> Counter[str]:
    balancer = Balancer(policy, Random(7))
    return Counter(balancer.pick(pods, address).name for _ in range(picks))


def test_random_gives_every_pod_a_fair_but_not_an_equal_share() -> None:
    counts = picked(Policy.RANDOM, five_pods())
    assert all(count == pytest.approx(PICKS / 5, rel=0.15) for count in counts.values())
    assert len(set(counts.values())) > 1


def test_round_robin_takes_turns_exactly() -> None:
    assert set(picked(Policy.ROUND_ROBIN, five_pods()).values()) == {PICKS // 5}


def test_round_robin_goes_on_when_the_number_of_pods_changes() -> None:
    pods, balancer = five_pods(), Balancer(Policy.ROUND_ROBIN, Random(7))
    for _ in range(5):
        balancer.pick(pods, "")
    names = [balancer.pick(pods[:2], "").name for _ in range(4)]
    assert names == ["pod-1", "pod-0", "pod-1", "pod-0"] or names == ["pod-0", "pod-1", "pod-0", "pod-1"]


def test_least_connections_keeps_open_connections_level() -> None:
    pods, balancer = five_pods(), Balancer(Policy.LEAST_CONNECTIONS, Random(7))
    for _ in range(52):
        balancer.pick(pods, "").links.add(OpenLink())
    assert sorted(len(pod.links) for pod in pods) == [10, 10, 10, 11, 11]


def test_least_connections_breaks_ties_by_chance() -> None:
    assert len(picked(Policy.LEAST_CONNECTIONS, five_pods(), picks=100)) == 5


def test_source_sticky_sends_a_client_to_one_pod_always_and_many_clients_to_all_pods() -> None:
    pods = five_pods()
    assert len(picked(Policy.SOURCE_STICKY, pods, picks=50)) == 1
    balancer = Balancer(Policy.SOURCE_STICKY, Random(7))
    clients = Counter(balancer.pick(pods, f"10.0.{n // 250}.{n % 250}").name for n in range(1_000))
    assert all(count == pytest.approx(200, rel=0.3) for count in clients.values())


def test_source_sticky_moves_only_the_clients_of_a_pod_that_is_gone() -> None:
    pods, balancer = five_pods(), Balancer(Policy.SOURCE_STICKY, Random(7))
    clients = [f"10.0.0.{n}" for n in range(250)]
    before = {client: balancer.pick(pods, client) for client in clients}
    after = {client: balancer.pick(pods[1:], client) for client in clients}
    moved = {client for client in clients if before[client] is not after[client]}
    assert moved == {client for client in clients if before[client] is pods[0]}


def test_weighted_gives_the_first_pod_its_weight_against_one() -> None:
    pods = five_pods()
    pods[0].share = 3.0
    counts = picked(Policy.WEIGHTED, pods, picks=7_000)
    assert counts["pod-0"] == pytest.approx(3_000, rel=0.1)
    assert all(counts[f"pod-{n}"] == pytest.approx(1_000, rel=0.15) for n in range(1, 5))


def test_a_policy_is_in_force_from_the_next_pick_on() -> None:
    pods, balancer = five_pods(), Balancer(Policy.SOURCE_STICKY, Random(7))
    balancer.pick(pods, "10.0.0.1")
    balancer.policy = Policy.ROUND_ROBIN
    assert [balancer.pick(pods, "10.0.0.1").name for _ in range(5)] == [pod.name for pod in pods]


def test_a_source_hash_is_as_sticky_as_an_affinity() -> None:
    pods = five_pods()
    assert picked(Policy.SOURCE_HASH, pods, picks=50) == picked(Policy.SOURCE_STICKY, pods, picks=50)


@pytest.mark.parametrize("policy", [Policy.LOCAL, Policy.PREFER_SAME_NODE])
def test_staying_near_reaches_the_pods_on_the_clients_node(policy: Policy) -> None:
    near = Balancer(policy, Random(7)).reachable(five_pods())
    assert [pod.name for pod in near] == ["pod-0", "pod-3"]


def test_without_a_pod_on_the_clients_node_local_reaches_none_and_a_preference_all() -> None:
    far = [pod for pod in five_pods() if pod.node != NODES[0]]
    assert Balancer(Policy.LOCAL, Random(7)).reachable(far) == []
    assert Balancer(Policy.PREFER_SAME_NODE, Random(7)).reachable(far) == far
    assert Balancer(Policy.RANDOM, Random(7)).reachable(far) == far


def test_only_a_layer_7_policy_picks_for_each_request() -> None:
    assert [policy for policy in Policy if Balancer(policy, Random(7)).per_request] == [Policy.LAYER7_ROUND_ROBIN]
