"""A pod that is ready for its kubelet and answers nobody else: packets to it are dropped, or refused, on its node."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.cluster.handle import Cluster, Pod
from tests.cluster.layout import CLIENT_NODE
from tests.cluster.product import Product
from tests.cluster.targets import ECHO_PORT, echo, service
from tests.cluster.truth import TruthOf

APP = "app=echo"
PODS = 5
PLAN = {"users": 80, "think_time_s": 0.2, "duration": 25, "timeout_s": 3.0}
"""80 kept connections are 80 picks: enough to tell a pod that gets none of them from chance."""
EVERY_REQUEST, KEPT = 1, None
DROPPED, REFUSED = "DROP", "REJECT --reject-with tcp-reset"


@pytest.fixture
def pods(cluster: Cluster, namespace: str) -> list[Pod]:
    """Five ready pods behind a Service."""
    cluster.apply([echo(PODS, environment={"LOG": "none"}), service("echo")], namespace)
    return cluster.wait_for_pods(namespace, APP, PODS)


@contextmanager
def cut_off(cluster: Cluster, pod: Pod, how: str) -> Iterator[None]:
    """What is sent to the pod from elsewhere than its own node does not arrive; its kubelet still reaches it."""
    rule = ["FORWARD", "-d", pod.ip, "-p", "tcp", "--dport", str(ECHO_PORT), "-j", *how.split()]
    cluster.on_node(pod.node, "iptables", "-I", *rule)
    try:
        yield
    finally:
        cluster.on_node(pod.node, "iptables", "-D", *rule)


@pytest.mark.parametrize("how", [DROPPED, REFUSED], ids=["dropped", "refused"])
@pytest.mark.parametrize("kept", [EVERY_REQUEST, KEPT], ids=["new connections", "kept connections"])
def test_a_ready_pod_that_nobody_reaches_is_named(
    cluster: Cluster, product: Product, namespace: str, pods: list[Pod], how: str, kept: int | None
) -> None:
    # Not on the client's own node: there the packet is dropped before the node has noted where it went, so that the
    # one that is sent again after a second goes to another pod, and the connection is late and not lost.
    url, dead = cluster.url_of("echo", namespace), next(pod for pod in pods if pod.node != CLIENT_NODE)
    with TruthOf(cluster, namespace, APP) as truth, cut_off(cluster, dead, how):
        ran = product.run(url, **PLAN, requests_per_connection=kept)
        assert all(pod.ready for pod in cluster.pods(namespace, APP))
    assert ran.counted == truth.answered
    assert ran.counted[dead.name] == 0
    assert ran.verdict == "UNEVEN", ran.last["verdict"]["sentence"]
    assert "silent_pod" in ran.causes
    silent = next(finding for finding in ran.last["findings"] if finding["code"] == "silent_pod")
    assert silent["pods"] == [dead.name]
    assert ran.last["alert"], "it alerts to the end"


def test_pods_that_all_answer_are_not_called_silent(
    cluster: Cluster, product: Product, namespace: str, pods: list[Pod]
) -> None:
    ran = product.run(cluster.url_of("echo", namespace), **PLAN, requests_per_connection=EVERY_REQUEST)
    assert sorted(ran.counted) == [pod.name for pod in pods]
    assert "silent_pod" not in ran.causes
    assert not ran.last["alert"]
