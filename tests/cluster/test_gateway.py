"""Load through a real Gateway: Scale finds the route by the host that requests name, and judges by its weights."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import pytest

from tests.cluster.accounts import account
from tests.cluster.envoy import envoy_archive
from tests.cluster.gateway import NAME, contour_archive, gateway, gateway_kinds, route
from tests.cluster.handle import Cluster, Pod, until
from tests.cluster.layout import CLIENT_NODE
from tests.cluster.product import INGRESS_HOST, Product, Ran
from tests.cluster.targets import echo, namespace, service
from tests.cluster.truth import answered
from tests.serving import fetch

HERE = "gateway"
STABLE, NEXT = 4, 2
NINE_TO_ONE, FOUR_TO_ONE, HALVES = ({"echo": of_100, "next": 100 - of_100} for of_100 in (90, 80, 50))
BETA = {"X-Beta": "yes"}
KEPT = {
    "requests_per_connection": None,
    "users": 20,
    "think_time_s": 0.005,
    "headers": {"Host": INGRESS_HOST},
}
TO_DECIDE_S = 60
"""Some 15,000 requests, each a pick by chance, on a busy machine."""


@pytest.fixture(scope="module")
def url(cluster: Cluster) -> Iterator[str]:
    """The Gateway's address. Its one host's route gives nine parts to the pods of one Service and one to the other's;
    another host's gives them as much each. With a header all is for the other Service."""
    if not envoy_archive().exists():
        pytest.skip("Envoy's package could not be fetched from PyPI")
    with gateway_kinds(cluster):
        cluster.apply([namespace(HERE)])
        account(cluster, HERE, "contour", [("*", "*", "*")], everywhere=True)
        for archive in (envoy_archive(), contour_archive()):
            cluster.import_image(archive, CLIENT_NODE)
        cluster.apply([echo(STABLE, environment={"LOG": "none"}), service("echo")], HERE)
        cluster.apply([echo(NEXT, "next", environment={"LOG": "none"}), service("next", "next")], HERE)
        cluster.apply(gateway(HERE, "contour", CLIENT_NODE), HERE)
        ours = [route("shop", INGRESS_HOST, NINE_TO_ONE), route("beta", INGRESS_HOST, {"next": 1}, BETA)]
        cluster.apply([*ours, route("other", "other.example", HALVES)], HERE)
        pods_of(cluster)
        cluster.wait_for_pods(HERE, f"app={NAME}", 1)
        url = f"http://{cluster.address_of(NAME, HERE)}/"
        until(lambda: fetch(f"{url}healthz", {"Host": INGRESS_HOST})[0] == 200, "the Gateway knows the route")
        yield url
        cluster.kubectl("delete", "namespace", HERE)


def pods_of(cluster: Cluster) -> list[Pod]:
    """Of both Services."""
    return [*cluster.wait_for_pods(HERE, "app=echo", STABLE), *cluster.wait_for_pods(HERE, "app=next", NEXT)]


def agree(ran: Ran, pods: Sequence[Pod], before: dict[str, int]) -> bool:
    """Every request ascribed to the pod that answered it, and the pods of both Services listed."""
    after = answered(pods)
    return ran.counted == {name: after[name] - before[name] for name in after}


def test_the_weights_of_a_route_are_as_meant_and_the_pods_of_all_its_services_are_expected(
    cluster: Cluster, product: Product, url: str
) -> None:
    pods = pods_of(cluster)
    before = answered(pods)
    ran = product.run(url, **KEPT, duration=TO_DECIDE_S, until="decided")
    assert agree(ran, pods, before)
    assert ran.last["roster_known"]
    assert ran.verdict == "EVEN", ran.last["verdict"]["sentence"]
    assert ran.last["verdict"]["sentence"].endswith("by the weights of HTTPRoute shop: echo 90, next 10.")
    assert ran.causes == ["layer7"]


def test_a_gateway_that_does_not_share_as_the_plan_means_is_uneven(
    cluster: Cluster, product: Product, url: str
) -> None:
    pods = pods_of(cluster)
    before = answered(pods)
    ran = product.run(url, **KEPT, duration=5, weights=HALVES)
    assert agree(ran, pods, before)
    assert ran.verdict == "UNEVEN"
    assert ran.last["verdict"]["sentence"].endswith("by the weights in the plan: echo 50, next 50.")


def test_weights_that_change_in_mid_run_and_that_the_gateway_follows_leave_no_alert(
    cluster: Cluster, product: Product, url: str
) -> None:
    pods = pods_of(cluster)
    before = answered(pods)
    test_id = product.start(url, **KEPT, duration=45)
    try:
        until(lambda: product.so_far(test_id).last.get("elapsed_s", 0) >= 5, "the run goes on")
        weigh(cluster, FOUR_TO_ONE)
        ran = product.ended(test_id)
    finally:
        weigh(cluster, NINE_TO_ONE)
    assert agree(ran, pods, before)
    assert ran.last["service"]["split"] == FOUR_TO_ONE
    assert not ran.last["alerts"]
    assert ran.verdict == "EVEN", ran.last["verdict"]["sentence"]


def test_requests_that_meet_a_rules_condition_on_a_header_are_judged_by_that_rule(
    cluster: Cluster, product: Product, url: str
) -> None:
    pods = cluster.wait_for_pods(HERE, "app=next", NEXT)
    before = answered(pods)
    plan = {**KEPT, "headers": {"Host": INGRESS_HOST, **BETA}}
    ran = product.run(url, **plan, duration=TO_DECIDE_S, until="decided")
    assert agree(ran, pods, before)
    assert ran.verdict == "EVEN", ran.last["verdict"]["sentence"]
    assert "by the weights" not in ran.last["verdict"]["sentence"]


def weigh(cluster: Cluster, weights: dict[str, int]) -> None:
    rules = route("shop", INGRESS_HOST, weights)["spec"]["rules"]
    change = json.dumps({"spec": {"rules": rules}})
    cluster.kubectl("patch", "httproute", "shop", "-n", HERE, "--type=merge", "-p", change)
