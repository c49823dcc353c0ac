"""How kube-proxy itself spreads connections, in both of its modes, and every setting that makes it uneven.

Each run's counts are held against what the pods say that they answered, and the score against those.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.handle import Cluster, Pod, answers, until
from tests.cluster.layout import CLIENT_NODE, ZONES, node_ip
from tests.cluster.product import OUTSIDE, Product, Ran, scale_run, serving
from tests.cluster.targets import ECHO_PORT, echo, namespace, service
from tests.cluster.truth import answered
from tests.serving import fetch

APP = "app=echo"
BALANCER_IP = "198.18.200.7"
"""Nobody has it; kube-proxy leads it to the pods, once it is in the Service's status."""
HERE = "kube-proxy"
PODS = 5
SAID_WITHIN_S = 8.0
"""Without a load: a program's start, on a busy machine."""
SERVICES: dict[str, dict[str, Any]] = {
    "plain": {},
    "sticky": {"sessionAffinity": "ClientIP"},
    "local": {"internalTrafficPolicy": "Local"},
    "near": {"trafficDistribution": "PreferSameNode"},
    "zone": {"trafficDistribution": "PreferSameZone"},
    "headless": {"clusterIP": "None"},
    "outside": {"type": "NodePort", "externalTrafficPolicy": "Local"},
    "nodes": {"type": "NodePort"},
    "balanced": {"type": "LoadBalancer"},
    "alias": {"type": "ExternalName", "externalName": f"sticky.{HERE}.svc.cluster.local"},
}


@pytest.fixture(scope="module", params=["iptables", "nftables"])
def pods(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[list[Pod]]:
    """Five pods over three nodes, one Service a setting, kube-proxy in one of its modes."""
    cluster.proxy_mode(request.param)
    cluster.apply([namespace(HERE)])
    cluster.apply([echo(PODS, environment={"LOG": "none"})], HERE)
    cluster.apply([service(name, **settings) for name, settings in SERVICES.items()], HERE)
    found = cluster.wait_for_pods(HERE, APP, PODS)
    until(lambda: each_answers(cluster.url_of("plain", HERE), found), "kube-proxy leads to every pod")
    yield found
    cluster.kubectl("delete", "namespace", HERE)
    cluster.proxy_mode("iptables")


def each_answers(url: str, pods: list[Pod]) -> bool:
    """Whether each pod has answered, after some more requests: it may be ready a while before kube-proxy knows it."""
    for _ in range(4 * PODS):
        fetch(url)
    return min(answered(pods).values()) > 0


@pytest.fixture
def measured(cluster: Cluster, product: Product, pods: list[Pod]) -> Measure:
    return Measure(cluster, product, pods)


class Measure:
    """Runs against a Service, each with what the pods themselves say of it."""

    def __init__(self, cluster: Cluster, product: Product, pods: list[Pod]) -> None:
        self._cluster, self._product, self._pods = cluster, product, pods

    def run(self, service: str, url: str = "", port: int = 80, **plan: object) -> tuple[Ran, dict[str, int]]:
        """The run, and {pod: requests it answered during it}. url: in place of the Service's name. port: of it."""
        named = self._cluster.url_of(service, HERE, port)
        before = answered(self._pods)
        ran = self._product.run(url or named, **plan)
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
    said = str(ran.last["verdict"]["sentence"])
    assert "With 5 requests per connection instead of keep-alive, about" in said
    assert "more connection" not in said  # none would come


def test_work_that_is_meant_to_be_shared_unevenly_is_judged_by_that(measured: Measure, pods: list[Pod]) -> None:
    """4 for one pod and 1 for each of the others is half of the work for that one; kube-proxy gives it a fifth."""
    ran, truth = measured.run("plain", requests_per_connection=1, weights={pods[0].name: 4})
    assert agree(ran, truth)
    assert ran.verdict == "UNEVEN", ran.last["verdict"]["sentence"]
    assert "fair is 50 %" in ran.last["verdict"]["sentence"]


def test_affinity_sends_everything_of_one_client_to_one_pod(measured: Measure) -> None:
    ran, truth = measured.run("sticky", requests_per_connection=1)
    assert agree(ran, truth)
    assert sorted(truth.values())[:-1] == [0] * (PODS - 1)
    assert ran.verdict == "UNEVEN"
    assert ran.causes[0] == "session_affinity"


@pytest.mark.parametrize(
    ("setting", "cause", "nodes"),
    [
        ("local", "internal_traffic_policy", (CLIENT_NODE,)),
        ("near", "topology", (CLIENT_NODE,)),
        ("zone", "topology", tuple(node for node, zone in ZONES.items() if zone == ZONES[CLIENT_NODE])),
    ],
)
def test_a_preference_for_the_own_node_or_zone_reaches_only_its_pods(
    measured: Measure, pods: list[Pod], setting: str, cause: str, nodes: tuple[str, ...]
) -> None:
    ran, truth = measured.run(setting, requests_per_connection=1)
    assert agree(ran, truth)
    near = {pod.name for pod in pods if pod.node in nodes}
    assert {name for name, requests in truth.items() if requests} == near
    assert ran.verdict == "UNEVEN"
    assert ran.causes[0] == cause


def test_a_port_of_a_node_reaches_only_its_pods_when_the_external_policy_is_local(
    cluster: Cluster, pods: list[Pod]
) -> None:
    port = cluster.get("service", "outside", "-n", HERE)["spec"]["ports"][0]["nodePort"]
    node = max({pod.node for pod in pods}, key=lambda name: sum(pod.node == name for pod in pods))
    before = answered(pods)
    url = f"http://{node_ip(node)}:{port}/"
    done = scale_run(url, *OUTSIDE, service=f"{HERE}/outside", requests_per_connection=1)
    after = answered(pods)
    assert done.stdout, done.stderr
    last = json.loads(done.stdout)["run"]["last"]
    truth = {name: after[name] - before[name] for name in after}
    assert {pod["name"]: pod["requests"] for pod in last["pods"]} == truth
    assert {name for name, requests in truth.items() if requests} == {pod.name for pod in pods if pod.node == node}
    assert last["verdict"]["kind"] == "UNEVEN"
    cause = next(each for each in last["findings"] if each["code"] != "generator_limit")
    assert (cause["code"], cause["certainty"]) == ("external_traffic_policy", "certain")
    assert f"none of them on {node}" in cause["evidence"]


def test_an_internal_policy_of_local_without_a_pod_on_the_own_node_is_said_before_the_load(
    cluster: Cluster, pods: list[Pod]
) -> None:
    far = [pod for pod in pods if pod.node != CLIENT_NODE]
    cluster.kubectl("label", "pods", *(pod.name for pod in far), "far=yes", "-n", HERE)
    settings = {"selector": {"far": "yes"}, "internalTrafficPolicy": "Local"}
    cluster.apply([service("far", **settings)], HERE)
    address = cluster.get("service", "far", "-n", HERE)["spec"]["clusterIP"]
    begun_s = time.monotonic()
    done = scale_run(f"http://{address}/", node=CLIENT_NODE, service=f"{HERE}/far")
    assert time.monotonic() - begun_s < SAID_WITHIN_S
    assert done.returncode == 3
    assert f"its internalTrafficPolicy is Local, Scale runs on node {CLIENT_NODE}, and none of" in done.stderr
    assert "No load was sent." in done.stderr


def test_the_mode_of_kube_proxy_and_what_leads_to_the_service_are_kept_with_the_run(
    cluster: Cluster, pods: list[Pod]
) -> None:
    backend = {"service": {"name": "plain", "port": {"number": 80}}}
    annotations = {"nginx.ingress.kubernetes.io/load-balance": "ewma"}
    cluster.apply(
        [
            {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "Ingress",
                "metadata": {"name": "front", "annotations": annotations},
                "spec": {"defaultBackend": backend},
            }
        ],
        HERE,
    )
    done = scale_run(cluster.url_of("plain", HERE), node=CLIENT_NODE, duration_s=2)
    assert done.stdout, done.stderr
    kept = json.loads(done.stdout)["run"]["last"]["service"]
    assert kept["proxy_mode"] == cluster.status()["proxy_mode"]
    assert kept["leading"] == ["Ingress front: load-balance: ewma"]
    assert kept["entry"] == "cluster address"


@pytest.mark.parametrize(("setting", "cause"), [("sticky", "session_affinity"), ("local", "internal_traffic_policy")])
def test_a_plain_cluster_address_is_its_service_with_all_its_pods(
    cluster: Cluster, measured: Measure, setting: str, cause: str
) -> None:
    url = f"http://{cluster.address_of(setting, HERE)}/"
    ran, truth = measured.run(setting, url, requests_per_connection=1, duration=3)
    assert agree(ran, truth)
    assert ran.counted.keys() == truth.keys()
    assert 0 in truth.values()
    assert ran.verdict == "UNEVEN"
    assert ran.causes[0] == cause


def test_an_external_name_of_a_service_is_that_service(measured: Measure) -> None:
    ran, truth = measured.run("alias", requests_per_connection=1, duration=2)
    assert agree(ran, truth)
    assert ran.counted.keys() == truth.keys()
    assert (ran.verdict, ran.causes[0]) == ("UNEVEN", "session_affinity")


def test_a_node_port_is_its_service_at_any_node(cluster: Cluster, measured: Measure) -> None:
    port = cluster.get("service", "nodes", "-n", HERE)["spec"]["ports"][0]["nodePort"]
    ran, truth = measured.run("nodes", f"http://{node_ip('n2')}:{port}/", requests_per_connection=1, duration=3)
    assert agree(ran, truth)
    assert ran.last["service"]["external_traffic_policy"] == "Cluster"


def test_the_address_of_a_load_balancer_is_its_service(cluster: Cluster, measured: Measure) -> None:
    given = json.dumps({"status": {"loadBalancer": {"ingress": [{"ip": BALANCER_IP}]}}})
    cluster.kubectl("patch", "service", "balanced", "-n", HERE, "--subresource=status", "--type=merge", "-p", given)
    until(lambda: answers(f"http://{BALANCER_IP}/healthz"), "kube-proxy leads the balancer's address to the pods")
    ran, truth = measured.run("balanced", f"http://{BALANCER_IP}/", requests_per_connection=1, duration=2)
    assert agree(ran, truth)
    assert ran.counted.keys() == truth.keys()
    assert ran.last["service"]["entry"] == "load balancer"


def test_one_pod_of_a_cluster_that_scale_does_not_know_is_not_called_even(
    cluster: Cluster, pods: list[Pod], tmp_path: Path
) -> None:
    url = f"http://{cluster.address_of('sticky', HERE)}/"
    with serving(tmp_path, SCALE_KUBE_CONFIG="") as alone:
        before = answered(pods)
        ran = alone.run(url, requests_per_connection=1, duration=2, gate={"pods": PODS})
        after = answered(pods)
        gate = alone.ask(f"/api/v1/runs/{ran.test_id}/gate")[1]
    assert sorted(after[name] - before[name] for name in after) == [0] * (PODS - 1) + [ran.sent]
    assert (ran.verdict, ran.score) == ("UNDECIDED", 1.0)
    assert "only one pod answered; whether there are more is unknown" in ran.last["verdict"]["sentence"]
    said = f"The number of pods that answered is 1, below {PODS}; how many should have answered is unknown."
    assert (gate["outcome"], gate["checks"][-1]["sentence"]) == ("failed", said)


def test_a_headless_service_is_named_at_once_and_its_pods_are_counted(measured: Measure) -> None:
    ran, truth = measured.run("headless", port=ECHO_PORT, requests_per_connection=1, duration=2)
    assert agree(ran, truth)
    assert len(ran.counted) == PODS
    assert ran.causes[0] == "headless"
