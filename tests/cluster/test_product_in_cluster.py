"""The product as people deploy it: the image of the Dockerfile, the manifests of k8s/ as they are written, reached
through a real proxy, loading a Service of the same cluster."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import urlsplit

import pytest
import websockets

from tests.cluster.handle import Cluster, until
from tests.cluster.installation import HOST, ROLL_OUT, SCALE, SHOP, TARGET
from tests.cluster.product import Product
from tests.cluster.truth import TruthOf
from tests.serving import fetch


def test_the_page_and_its_health_come_through_the_proxy(installed: Product) -> None:
    assert installed.ask("/healthz") == (200, {"status": "ok"})
    assert installed.ask("/readyz") == (200, {"status": "ready"})
    status, page = fetch(f"{installed.url}/", {"Host": HOST})
    assert status == 200
    assert b"<html" in page


def test_the_container_runs_as_nobody_on_a_file_system_it_cannot_write(cluster: Cluster, installed: Product) -> None:
    pod = cluster.get("pods", "-n", SCALE, "-l", "app.kubernetes.io/name=scale")["items"][0]
    told = cluster.kubectl(
        *("exec", "-n", SCALE, pod["metadata"]["name"], "--", "python", "-c"),
        "import os; print(os.getuid(), os.access('/app', os.W_OK), os.access('/data', os.W_OK))",
    )
    assert told.split() == ["10001", "False", "True"]


def test_a_token_is_made_in_the_running_pod_and_opens_the_server(cluster: Cluster, installed: Product) -> None:
    make = ("scale", "tokens", "make", "first", "--role", "admin", "--json")
    made = json.loads(cluster.kubectl("exec", "-n", SCALE, "deploy/scale", "-c", "scale", "--", *make))
    headers = {"Host": HOST, "Authorization": f"Bearer {made['text']}"}
    until(lambda: fetch(f"{installed.url}/api/v1/me", headers)[0] == 200, "the server knows the token")
    assert json.loads(fetch(f"{installed.url}/api/v1/me", headers)[1])["principal"]["role"] == "admin"
    revoke = ("scale", "tokens", "revoke", made["token"]["id"])
    cluster.kubectl("exec", "-n", SCALE, "deploy/scale", "-c", "scale", "--", *revoke)
    until(lambda: fetch(f"{installed.url}/api/v1/me", headers)[0] == 401, "the server knows of the token's end")


@pytest.mark.parametrize("host", [f"scale.{SCALE}.svc", f"scale.{SCALE}.svc.cluster.local", HOST])
def test_scale_is_no_target_by_any_of_its_names(installed: Product, host: str) -> None:
    status, answer = installed.ask(
        "/api/load-test/start", {"target_url": f"http://{host}/", "users": 1, "spawn_rate": 1, "duration": 1}
    )
    assert (status, "is Scale itself" in answer["error"]) == (403, True), answer


def test_a_run_against_a_service_ends_with_the_right_verdict(cluster: Cluster, installed: Product) -> None:
    with TruthOf(cluster, SHOP, "app=echo") as truth:
        ran = installed.run(TARGET, requests_per_connection=1, duration=10)
    assert ran.counted == truth.answered
    assert ran.verdict in ("EVEN", "UNDECIDED")
    assert len(ran.counted) == 5


def test_a_service_that_the_operator_did_not_allow_is_refused(installed: Product) -> None:
    plan = {"target_url": "http://kubernetes.default.svc.cluster.local/", "users": 1, "spawn_rate": 1, "duration": 1}
    status, answer = installed.ask("/api/load-test/start", plan)
    assert status == 403
    assert "kubernetes.default.svc.cluster.local" in answer["error"]


async def test_the_live_feed_passes_the_proxy_as_a_websocket(installed: Product) -> None:
    test_id = await asyncio.to_thread(installed.start, TARGET, duration=6)
    proxy = urlsplit(installed.url)
    url = f"ws://{HOST}/ws/metrics?test_id={test_id}"
    async with websockets.connect(url, host=proxy.hostname, port=proxy.port) as feed:
        messages = [json.loads(text) async for text in feed]  # it closes with the test
    updates = [message for message in messages if message["type"] == "metrics_update"]
    assert len(updates) >= 5
    assert updates[-1]["data"]["metrics"]["total_requests"] > 0


def test_a_service_is_counted_at_its_pods_with_the_account_of_the_pod(cluster: Cluster, installed: Product) -> None:
    with TruthOf(cluster, SHOP, "app=echo") as truth:
        ran = installed.run(TARGET, requests_per_connection=1, counting="prometheus")
    assert ran.counted == truth.answered
    assert ran.last["counting"]["now"]["source"] == "prometheus"


def test_two_runs_at_once_are_told_apart(cluster: Cluster, installed: Product) -> None:
    with TruthOf(cluster, SHOP, "app=echo") as truth:
        spread = installed.start(TARGET, requests_per_connection=1, duration=8)
        kept = installed.start(TARGET, requests_per_connection=None, users=3, duration=8)
        runs = [installed.ended(each) for each in (spread, kept)]
    assert [run.status for run in runs] == ["finished", "finished"]
    together = {name: sum(run.counted.get(name, 0) for run in runs) for name in truth.answered}
    assert together == truth.answered
    assert min(runs[0].counted.values()) > 0
    assert sum(1 for count in runs[1].counted.values() if count) <= 3


def test_the_history_outlives_the_pod(cluster: Cluster, installed: Product) -> None:
    ran = installed.run(TARGET, duration=3)
    cluster.kubectl("delete", "pod", "-n", SCALE, "-l", "app.kubernetes.io/name=scale")
    cluster.kubectl("rollout", "status", "deployment/scale", "-n", SCALE, ROLL_OUT)
    until(lambda: installed.ask("/readyz")[0] == 200, "the product is back behind the proxy")
    assert installed.look(ran.test_id)["total_requests"] == ran.sent
