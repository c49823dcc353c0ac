"""What a run tells of its Service, held against what was really done to a real cluster."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from http.client import HTTPException
from typing import Any

import pytest

from tests.cluster.handle import Cluster, answers, until
from tests.cluster.product import Product, Ran
from tests.cluster.targets import Thing, echo, service
from tests.cluster.truth import TruthOf
from tests.cluster.truth import told as told_by_pod

APP = "app=echo"
AWAY_S = 60.0
MOST_S = 120.0
RECOVERY_LIMIT_S = 240.0
LATE_NODE: Thing = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": "late"},
    "spec": {"unschedulable": True},
}
"""Without a machine behind it: no pod may come to it."""


@pytest.fixture
def url(cluster: Cluster, namespace: str) -> str:
    """Three pods behind a Service that knows them, which takes longer than usual once the API server was away."""
    cluster.apply([echo(3, environment={"LOG": "none"}), service("echo")], namespace)
    cluster.wait_for_pods(namespace, APP, 3)
    return cluster.url_of("echo", namespace)


def told(product: Product, test_id: str) -> list[tuple[str, str]]:
    """(pod or subject, change) of all that happened, in order."""
    status, page = product.ask(f"/api/v1/runs/{test_id}/events?limit=500")
    assert status == 200, page
    events: list[dict[str, Any]] = [each.get("event", each) for each in page["events"]]
    return [(each.get("pod", each.get("subject", "")), each["change"]) for each in events if "change" in each]


def wait_until_told(product: Product, test_id: str, subject: str, change: str) -> None:
    until(lambda: (subject, change) in told(product, test_id), f"it is told of {subject}: {change}")


def sent_some(product: Product, test_id: str) -> None:
    until(lambda: (product.look(test_id)["last"] or {}).get("requests"), "the run sends load")


def stopped(product: Product, test_id: str) -> Ran:
    """End a run that has seen enough."""
    status, answer = product.ask(f"/api/load-test/{test_id}/stop", {})
    assert status == 200, answer
    ran = product.ended(test_id)
    assert ran.status == "stopped", ran.message
    return ran


def recovered(cluster: Cluster, namespace: str, pods: int) -> None:
    """Wait until the cluster makes pods again, and its proxies and name server know what is new: its own parts ask more
    and more seldom while the API server is away, so a minute of that costs it more than another one."""
    until(
        lambda: sum(pod.ready for pod in cluster.pods(namespace, APP)) == pods,
        f"{pods} pods are ready after the outage",
        RECOVERY_LIMIT_S,
    )
    cluster.apply([service("afterwards", "echo")], namespace)
    url = f"http://afterwards.{namespace}.svc/healthz"
    until(lambda: answers(url), "a Service of after the outage answers", RECOVERY_LIMIT_S)


def problem_of(product: Product, test_id: str) -> str:
    return str(product.look(test_id)["last"]["pods_problem"])


def test_pods_that_come_crash_and_end_are_told_and_nothing_else(
    cluster: Cluster, product: Product, namespace: str, url: str
) -> None:
    first, second, third = cluster.pods(namespace, APP)
    test_id = product.start(url, users=5, requests_per_connection=5, think_time_s=0.05, duration=MOST_S)
    sent_some(product, test_id)
    with suppress(OSError, HTTPException):  # it may die before its last word is out
        told_by_pod(first.ip, "crash")
    until(lambda: cluster.pods(namespace, APP)[0].restarts, "the container is started again")
    cluster.kubectl("delete", "pod", second.name, "-n", namespace, "--wait=false")
    cluster.wait_for_pods(namespace, APP, 3)
    cluster.kubectl("scale", "deployment/echo", "--replicas=4", "-n", namespace)
    cluster.wait_for_pods(namespace, APP, 4)
    wait_until_told(product, test_id, second.name, "left")
    ran = stopped(product, test_id)
    happened = told(product, test_id)
    new = {pod.name for pod in cluster.pods(namespace, APP)} - {first.name, second.name, third.name}
    assert (first.name, "restarted") in happened
    assert [change for pod, change in happened if pod == second.name] == ["terminating", "unready", "left"]
    assert ("Deployment echo", "scaled") in happened
    assert {pod for pod, change in happened if change == "joined"} == new
    assert third.name not in {pod for pod, _ in happened}
    assert ran.last["pods_problem"] == ""


def test_an_api_server_that_is_away_for_a_minute_costs_no_run_and_no_count(
    cluster: Cluster, product: Product, namespace: str, url: str
) -> None:
    with TruthOf(cluster, namespace, APP) as truth:
        test_id = product.start(url, users=5, requests_per_connection=5, think_time_s=0.05, duration=MOST_S + AWAY_S)
        sent_some(product, test_id)
        cluster.stop("apiserver")
        try:
            problem = until(lambda: problem_of(product, test_id), "the run says that it is away")
            time.sleep(AWAY_S)
            assert product.look(test_id)["status"] == "running"
        finally:
            cluster.start("apiserver")
        until(lambda: not problem_of(product, test_id), "the run says that it is back")
        cluster.kubectl("scale", "deployment/echo", "--replicas=4", "-n", namespace)
        wait_until_told(product, test_id, "Deployment echo", "scaled")
        ran = stopped(product, test_id)
    assert "could not be asked" in problem
    assert {name: count for name, count in ran.counted.items() if count} == {
        name: count for name, count in truth.answered.items() if count
    }
    changes = [change for _, change in told(product, test_id)]
    assert changes.index("watch_lost") < changes.index("watch_back") < changes.index("scaled")
    recovered(cluster, namespace, 4)


def test_nodes_that_come_fail_and_go_are_told(cluster: Cluster, product: Product, namespace: str, url: str) -> None:
    test_id = product.start(url, users=2, think_time_s=0.1, duration=MOST_S)
    sent_some(product, test_id)
    cluster.apply([LATE_NODE])
    try:
        wait_until_told(product, test_id, "late", "node_joined")
        for ready, change in (("True", "node_ready"), ("False", "node_unready")):
            condition = {"type": "Ready", "status": ready, "reason": "Said", "message": "by the test"}
            patch = json.dumps({"status": {"conditions": [condition]}})
            cluster.kubectl("patch", "node", "late", "--subresource=status", "-p", patch)
            wait_until_told(product, test_id, "late", change)
    finally:
        cluster.kubectl("delete", "node", "late")
    wait_until_told(product, test_id, "late", "node_left")
    assert stopped(product, test_id).last["pods_problem"] == ""
    happened = told(product, test_id)
    assert [what for node, what in happened if node == "late"] == [
        "node_joined",
        "node_ready",
        "node_unready",
        "node_left",
    ]
    assert {node for node, what in happened if what.startswith("node_")} == {"late"}


def test_settings_nodes_and_zones_are_kept_with_the_run(
    cluster: Cluster, product: Product, namespace: str, url: str
) -> None:
    patch = '{"spec": {"sessionAffinity": "ClientIP", "trafficDistribution": "PreferSameNode"}}'
    cluster.kubectl("patch", "service", "echo", "-n", namespace, "-p", patch)
    ran = product.run(url, users=5, duration=5)
    settings = ran.last["service"]
    assert (settings["session_affinity"], settings["traffic_distribution"]) == ("ClientIP", "PreferSameNode")
    assert settings["readiness_probe"] is True
    assert {pod["name"]: pod["node"] for pod in ran.last["pods"]} == {
        pod.name: pod.node for pod in cluster.pods(namespace, APP)
    }
    assert {pod["zone"] for pod in ran.last["pods"]} <= {"zone-a", "zone-b"}
    assert "session_affinity" in ran.causes


def test_a_service_that_cannot_be_loaded_is_refused_with_the_reason(
    cluster: Cluster, product: Product, namespace: str
) -> None:
    odd: dict[str, tuple[dict[str, Any], str]] = {
        "headless": ({"clusterIP": "None"}, "is headless"),
        "apart": ({"selector": None}, "has no selector"),
        "renamed": ({"type": "ExternalName", "externalName": "shop.example"}, "is of type ExternalName"),
        "empty": ({"selector": {"app": "nobody"}}, "no pod matches its selector"),
    }
    cluster.apply([service(name, **spec) for name, (spec, _) in odd.items()], namespace)
    plan = {"target_url": "http://127.0.0.1/", "users": 1, "spawn_rate": 1, "duration": 1}
    for name, (_, said) in odd.items():
        status, answer = product.ask("/api/load-test/start", {**plan, "service": f"{namespace}/{name}"})
        assert status == 503
        assert said in answer["error"]
