"""What happens to pods while a run sends load: each change as a real cluster makes it, seen and counted right."""

from __future__ import annotations

import re
import time

import pytest

from tests.cluster.handle import Cluster, until
from tests.cluster.layout import CLIENT_NODE
from tests.cluster.product import Product, Ran
from tests.cluster.targets import echo, service
from tests.cluster.truth import TruthOf

APP = "app=echo"
BEFORE_CHANGE_S = 3.0
USERS = 10
LOOKS_S = 5.0
LEARNS_AFTER_S = 14.0
"""Of new pods: longer than the patience with a normal change."""
STARTS_WITHIN_S = 10.0


@pytest.fixture
def url(cluster: Cluster, namespace: str) -> str:
    """Three pods behind a Service."""
    cluster.apply([echo(3, environment={"LOG": "none"}), service("echo")], namespace)
    cluster.wait_for_pods(namespace, APP, 3)
    return cluster.url_of("echo", namespace)


def wrong(ran: Ran, truth: TruthOf) -> dict[str, int]:
    """{pod: counted minus answered} of every pod that is not counted exactly."""
    names = ran.counted.keys() | truth.answered.keys()
    differences = {name: ran.counted.get(name, 0) - truth.answered.get(name, 0) for name in names}
    return {name: difference for name, difference in differences.items() if difference}


def test_pods_that_come_later_get_nothing_of_kept_connections(
    cluster: Cluster, product: Product, namespace: str, url: str
) -> None:
    old = {pod.name for pod in cluster.pods(namespace, APP)}
    with TruthOf(cluster, namespace, APP) as truth:
        test_id = product.start(url, users=USERS, requests_per_connection=None, duration=25)
        time.sleep(BEFORE_CHANGE_S)
        cluster.kubectl("scale", "deployment/echo", "--replicas=6", "-n", namespace)
        pods = cluster.wait_for_pods(namespace, APP, 6)
        ran = product.ended(test_id)
    new = {pod.name for pod in pods} - old
    assert not wrong(ran, truth)
    assert [truth.answered[name] for name in new] == [0, 0, 0]
    assert [ran.counted.get(name) for name in new] == [0, 0, 0]
    assert "late_pods" in ran.causes


def alerts(product: Product, ran: Ran) -> list[str]:
    """What the run alerted of."""
    status, page = product.ask(f"/api/v1/runs/{ran.test_id}/events?limit=500")
    assert status == 200, page
    events = [each.get("event", each) for each in page["events"]]
    return [each["alert"]["message"] for each in events if each["kind"] == "alert_raised"]


def test_a_scale_up_under_short_connections_raises_no_alert(
    cluster: Cluster, product: Product, namespace: str, url: str
) -> None:
    with TruthOf(cluster, namespace, APP) as truth:
        test_id = product.start(url, users=50, requests_per_connection=5, think_time_s=0.1, duration=25)
        time.sleep(BEFORE_CHANGE_S)
        cluster.kubectl("scale", "deployment/echo", "--replicas=9", "-n", namespace)
        ran = product.ended(test_id)
    assert not wrong(ran, truth)
    assert len(ran.counted) == 9
    assert not alerts(product, ran)
    assert ran.verdict in ("EVEN", "UNDECIDED"), ran.last["verdict"]["sentence"]
    assert "taken_up_late" not in ran.causes


def test_new_pods_of_which_the_proxy_learns_late_are_called_late_with_the_seconds(
    cluster: Cluster, product: Product, namespace: str, url: str
) -> None:
    old = {pod.name for pod in cluster.pods(namespace, APP)}
    with TruthOf(cluster, namespace, APP) as truth:
        with cluster.without(f"{CLIENT_NODE}-proxy"):
            test_id = product.start(url, users=50, requests_per_connection=5, think_time_s=0.1, duration=45)
            cluster.kubectl("scale", "deployment/echo", "--replicas=5", "-n", namespace)
            cluster.wait_for_pods(namespace, APP, 5)
            time.sleep(LEARNS_AFTER_S)
        ran = product.ended(test_id)
    new = ran.counted.keys() - old
    assert not wrong(ran, truth)
    assert min(truth.answered[name] for name in new) > 0
    (late,) = (each for each in ran.last["findings"] if each["code"] == "taken_up_late")
    (said,) = re.findall(r"for up to (\d+) s after that", late["evidence"])
    assert LEARNS_AFTER_S <= int(said) <= LEARNS_AFTER_S + STARTS_WITHIN_S
    assert set(late["pods"]) == new
    assert {each["code"] for each in ran.last["findings"] if each["explains"] == "uneven"} == {"taken_up_late"}
    assert not ran.last["alerts"]


def test_new_pods_of_which_no_proxy_learns_are_named_all_the_same(
    cluster: Cluster, product: Product, namespace: str, url: str
) -> None:
    old = {pod.name for pod in cluster.pods(namespace, APP)}
    with cluster.without(f"{CLIENT_NODE}-proxy"):
        test_id = product.start(url, users=50, requests_per_connection=5, think_time_s=0.1, duration=35)
        cluster.kubectl("scale", "deployment/echo", "--replicas=5", "-n", namespace)
        ran = product.ended(test_id)
    new = ran.counted.keys() - old
    assert [ran.counted[name] for name in new] == [0, 0]
    assert alerts(product, ran)
    assert ran.verdict == "UNEVEN", ran.last["verdict"]["sentence"]
    assert {pod["name"] for pod in ran.last["pods"] if pod["outlier"] and not pod["requests"]} >= new


def test_an_affinity_that_is_removed_in_mid_run_stays_in_the_record_with_its_time(
    cluster: Cluster, product: Product, namespace: str, url: str
) -> None:
    affinity = '{"spec": {"sessionAffinity": "%s"}}'
    cluster.kubectl("patch", "service", "echo", "-n", namespace, "-p", affinity % "ClientIP")
    test_id = product.start(url, users=USERS, requests_per_connection=1, think_time_s=0.1, duration=25)
    until(lambda: product.look(test_id)["last"], "the run is seen")
    until(lambda: "session_affinity" in product.so_far(test_id).causes, "the affinity is named")
    time.sleep(LOOKS_S)
    cluster.kubectl("patch", "service", "echo", "-n", namespace, "-p", affinity % "None")
    ran = product.ended(test_id)
    kept = next(finding for finding in ran.last["findings"] if finding["code"] == "session_affinity")
    assert 0 < kept["over_s"] < 20
    assert f"(until {kept['over_s']:.0f} s)" in kept["title"]


def test_a_crashed_container_is_counted_over_both_of_its_lives(
    cluster: Cluster, product: Product, namespace: str, url: str
) -> None:
    victim = cluster.pods(namespace, APP)[0]
    with TruthOf(cluster, namespace, APP) as truth:
        test_id = product.start(url, users=USERS, requests_per_connection=5, duration=20)
        time.sleep(BEFORE_CHANGE_S)
        truth.crash(victim)
        ran = product.ended(test_id)
    pod = next(pod for pod in cluster.pods(namespace, APP) if pod.name == victim.name)
    assert pod.restarts == 1
    # What a dying pod had in hand, one request a user at most, it may have counted without having answered.
    assert all(-USERS <= difference <= 0 for difference in wrong(ran, truth).values())
    assert ran.counted[victim.name] > 0


def test_a_rolling_update_loses_no_request_and_no_count(
    cluster: Cluster, product: Product, namespace: str, url: str
) -> None:
    old = {pod.name for pod in cluster.pods(namespace, APP)}
    with TruthOf(cluster, namespace, APP) as truth:
        test_id = product.start(url, users=USERS, requests_per_connection=5, duration=40)
        time.sleep(BEFORE_CHANGE_S)
        cluster.kubectl("set", "env", "deployment/echo", "GENERATION=2", "-n", namespace)
        cluster.kubectl("rollout", "status", "deployment/echo", "-n", namespace, "--timeout=60s")
        ran = product.ended(test_id)
    assert not old & {pod.name for pod in cluster.pods(namespace, APP)}
    assert sum(truth.answered.values()) == ran.sent - ran.last["failures"]
    counted_later = {name: count for name, count in truth.answered.items() if name not in old}
    assert {name: ran.counted[name] for name in counted_later} == counted_later
    assert not alerts(product, ran)
    assert ran.verdict in ("EVEN", "UNDECIDED"), ran.last["verdict"]["sentence"]


def test_a_pod_that_is_replaced_under_its_own_name_loses_no_count(
    cluster: Cluster, product: Product, namespace: str
) -> None:
    ordered = echo(2, "ordered", {"LOG": "combined"})
    ordered = {**ordered, "kind": "StatefulSet", "spec": {**ordered["spec"], "serviceName": "ordered"}}
    cluster.apply([ordered, service("ordered", "ordered")], namespace)
    cluster.wait_for_pods(namespace, "app=ordered", 2)
    url = cluster.url_of("ordered", namespace)
    with TruthOf(cluster, namespace, "app=ordered") as truth:
        test_id = product.start(url, users=USERS, requests_per_connection=5, duration=30, counting="access_log")
        time.sleep(BEFORE_CHANGE_S)
        before = cluster.get("pod", "ordered-0", "-n", namespace)["metadata"]["uid"]
        cluster.kubectl("delete", "pod", "ordered-0", "-n", namespace)
        cluster.wait_for_pods(namespace, "app=ordered", 2)
        ran = product.ended(test_id)
    assert cluster.get("pod", "ordered-0", "-n", namespace)["metadata"]["uid"] != before
    assert ran.counted.keys() == {"ordered-0", "ordered-1"}
    assert not wrong(ran, truth)
    assert not alerts(product, ran)
    assert ran.verdict in ("EVEN", "UNDECIDED"), ran.last["verdict"]["sentence"]
