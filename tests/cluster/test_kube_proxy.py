"""How kube-proxy itself spreads connections, in both of its modes, and every setting that makes it uneven.

Each run's counts are held against what the pods say that they answered, and the score against those.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.handle import Cluster, Pod
from tests.cluster.layout import CLIENT_NODE
from tests.cluster.product import Product, Ran
from tests.cluster.targets import echo, namespace, service
from tests.cluster.truth import answered

APP = "app=echo"
HERE = "kube-proxy"
PODS = 5
SERVICES: dict[str, dict[str, Any]] = {
    "plain": {},
    "sticky": {"sessionAffinity": "ClientIP"},
    "local": {"internalTrafficPolicy": "Local"},
    "near": {"trafficDistribution": "PreferSameNode"},
}


@pytest.fixture(scope="module", params=["iptables", "nftables"])
def pods(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[list[Pod]]:
    """Five pods over three nodes, one Service a setting, kube-proxy in one of its modes."""
    cluster.proxy_mode(request.param)
    cluster.apply([namespace(HERE)])
    cluster.apply([echo(PODS, environment={"LOG": "none"})], HERE)
    cluster.apply([service(name, **settings) for name, settings in SERVICES.items()], HERE)
    yield cluster.wait_for_pods(HERE, APP, PODS)
    cluster.kubectl("delete", "namespace", HERE)
    cluster.proxy_mode("iptables")


@pytest.fixture
def measured(cluster: Cluster, product: Product, pods: list[Pod]) -> Measure:
    return Measure(cluster, product, pods)


class Measure:
    """Runs against a Service, each with what the pods themselves say of it."""

    def __init__(self, cluster: Cluster, product: Product, pods: list[Pod]) -> None:
        self._cluster, self._product, self._pods = cluster, product, pods

    def run(self, service: str, **plan: object) -> tuple[Ran, dict[str, int]]:
        """The run, and {pod: requests it answered during it}."""
        url = self._cluster.url_of(service, HERE)
        before = answered(self._pods)
        ran = self._product.run(url, **plan)
        after = answered(self._pods)
        return ran, {name: after[name] - before[name] for name in after}


def agree(ran: Ran, truth: dict[str, int]) -> bool:
    """Every request ascribed to the pod that answered it."""
    return {name: ran.counted.get(name, 0) for name in truth} == truth and sum(truth.values()) == ran.sent


def test_new_connections_are_spread_evenly_and_not_called_uneven(measured: Measure) -> None:
    ran, truth = measured.run("plain", requests_per_connection=1, duration=6)
    assert agree(ran, truth)
    assert min(truth.values()) > 0
    assert ran.score > 0.7
    assert ran.verdict in ("EVEN", "UNDECIDED")  # a slow machine opens too few connections to be sure
    assert not ran.causes


def test_few_kept_connections_leave_pods_without_work(measured: Measure) -> None:
    ran, truth = measured.run("plain", requests_per_connection=None, users=4)
    assert agree(ran, truth)
    assert 0 in truth.values()  # four connections, five pods
    assert ran.verdict == "UNDECIDED"  # so few picks would look like that at a fair balancer as well


def test_affinity_sends_everything_of_one_client_to_one_pod(measured: Measure) -> None:
    ran, truth = measured.run("sticky", requests_per_connection=1)
    assert agree(ran, truth)
    assert sorted(truth.values())[:-1] == [0] * (PODS - 1)
    assert ran.verdict == "UNEVEN"
    assert ran.causes[0] == "session_affinity"


@pytest.mark.parametrize(("setting", "cause"), [("local", "internal_traffic_policy"), ("near", "topology")])
def test_a_preference_for_the_own_node_reaches_only_its_pods(
    measured: Measure, pods: list[Pod], setting: str, cause: str
) -> None:
    ran, truth = measured.run(setting, requests_per_connection=1)
    assert agree(ran, truth)
    near = {pod.name for pod in pods if pod.node == CLIENT_NODE}
    assert {name for name, requests in truth.items() if requests} == near
    assert ran.verdict == "UNEVEN"
    assert ran.causes[0] == cause
