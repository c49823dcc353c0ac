"""A pod that is ready for its kubelet and answers nobody else: packets to it are dropped or refused, or it hangs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.cluster.handle import Cluster, Pod
from tests.cluster.layout import CLIENT_NODE
from tests.cluster.product import Product, Ran
from tests.cluster.targets import ECHO_PORT, echo, service
from tests.cluster.targets import namespace as namespace_object
from tests.cluster.truth import TruthOf

APP, SPACE = "app=echo", "dead-pods"
PODS = 5
DURATION_S, BEFORE_S = 30, 4.0
EVERY_REQUEST, KEPT = 1, None
PLANS = {
    "new": {"users": 40, "think_time_s": 0.4, "requests_per_connection": EVERY_REQUEST, "timeout_s": 5.0},
    "every 5": {"users": 40, "think_time_s": 0.4, "requests_per_connection": 5, "timeout_s": 10.0},
    "kept": {"users": 80, "think_time_s": 0.8, "requests_per_connection": KEPT, "timeout_s": 2.0},
}
"""80 kept connections are 80 picks: enough to tell a pod that gets none of them from chance."""
DROPPED, REFUSED = "-j DROP", "-j REJECT --reject-with tcp-reset"
HANGS = "-m length --length 61:65535 -j DROP"
"""Connections are opened and closed; what is longer, as each request is, never arrives."""


@pytest.fixture(scope="module")
def pods(cluster: Cluster) -> Iterator[list[Pod]]:
    """Five ready pods behind a Service, for all of these tests."""
    cluster.apply([namespace_object(SPACE)])
    cluster.apply([echo(PODS, environment={"LOG": "none"}), service("echo")], SPACE)
    yield cluster.wait_for_pods(SPACE, APP, PODS)
    cluster.kubectl("delete", "namespace", SPACE, "--wait=false")


@contextmanager
def cut_off(cluster: Cluster, pod: Pod, how: str) -> Iterator[None]:
    """What is sent to the pod from elsewhere than its own node does not arrive; its kubelet still reaches it."""
    rule = ["FORWARD", "-d", pod.ip, "-p", "tcp", "--dport", str(ECHO_PORT), *how.split()]
    cluster.on_node(pod.node, "iptables", "-I", *rule)
    try:
        yield
    finally:
        cluster.on_node(pod.node, "iptables", "-D", *rule)


@pytest.mark.parametrize("before_s", [0.0, BEFORE_S], ids=["from the start", "in mid-run"])
@pytest.mark.parametrize("how", [DROPPED, HANGS, REFUSED], ids=["dropped", "hangs", "refused"])
def test_a_ready_pod_that_does_not_answer_is_named_whatever_the_connections(
    cluster: Cluster, product: Product, pods: list[Pod], how: str, before_s: float
) -> None:
    # Not on the client's own node: there the packet is dropped before the node has noted where it went, so that the
    # one that is sent again after a second goes to another pod, and the connection is late and not lost (see below).
    url, dead = cluster.url_of("echo", SPACE), next(pod for pod in pods if pod.node != CLIENT_NODE)
    with ExitStack() as stack, TruthOf(cluster, SPACE, APP) as truth:
        if not before_s:
            stack.enter_context(cut_off(cluster, dead, how))
        started = {name: product.start(url, duration=DURATION_S, **plan) for name, plan in PLANS.items()}
        if before_s:
            time.sleep(before_s)
            stack.enter_context(cut_off(cluster, dead, how))
        runs = {name: product.ended(test_id) for name, test_id in started.items()}
        assert all(pod.ready for pod in cluster.pods(SPACE, APP))
    counted = sum((Counter(ran.counted) for ran in runs.values()), Counter())
    # What an earlier case sent to the pod in vain is sent again for a minute or two, and answered for nobody.
    answered = truth.answered
    assert answered.pop(dead.name) >= counted.pop(dead.name, 0)
    assert {name: counted[name] for name in answered} == answered
    for name, ran in runs.items():
        named(ran, dead, f"{name}: {ran.last['verdict']['sentence']} {ran.causes} {ran.last['errors']}")
        assert not product.ask(f"/api/v1/runs/{ran.test_id}/experiment")[1].get("plan"), name


def test_a_pod_on_the_clients_own_node_is_named_though_no_request_is_lost(
    cluster: Cluster, product: Product, pods: list[Pod]
) -> None:
    url, dead = cluster.url_of("echo", SPACE), next(pod for pod in pods if pod.node == CLIENT_NODE)
    with TruthOf(cluster, SPACE, APP) as truth, cut_off(cluster, dead, DROPPED):
        ran = product.run(url, duration=15, **PLANS["new"])
    assert ran.counted == truth.answered
    assert ran.verdict == "UNEVEN"
    assert ran.last["alert"]
    silent = [finding["pods"] for finding in ran.last["findings"] if finding["code"] == "silent_pod"]
    assert silent == [[dead.name]], ran.causes
    assert "uneven_connections" not in ran.causes


def named(ran: Ran, dead: Pod, what: str) -> None:
    """The run says that this pod does not answer, and nothing else of it."""
    assert ran.verdict == "UNEVEN", what
    assert f"the ready pod {dead.name}" in ran.last["verdict"]["sentence"], what
    silent = [finding for finding in ran.last["findings"] if finding["code"] == "silent_pod"]
    assert [finding["pods"] for finding in silent] == [[dead.name]], what
    assert ran.last["alert"], f"it alerts to the end: {what}"
    lost = {pod["name"]: pod["unanswered"] for pod in ran.last["pods"]}
    assert lost.pop(dead.name) > 0, what
    assert set(lost.values()) == {0}, what


def test_pods_that_all_answer_are_not_called_silent(cluster: Cluster, product: Product, pods: list[Pod]) -> None:
    ran = product.run(cluster.url_of("echo", SPACE), duration=15, **PLANS["new"])
    assert sorted(ran.counted) == [pod.name for pod in pods]
    assert "silent_pod" not in ran.causes
    assert not ran.last["alert"]
