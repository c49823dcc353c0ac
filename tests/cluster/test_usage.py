"""CPU and memory of the pods, by a real metrics-server behind the API server's aggregation layer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from kubernetes.utils.quantity import parse_quantity

from tests.cluster.accounts import scale_with
from tests.cluster.api import api_get
from tests.cluster.handle import Cluster, until
from tests.cluster.metrics_server import NAME as METRICS_SERVER
from tests.cluster.product import Product
from tests.cluster.targets import echo, service
from tests.cluster.truth import TruthOf

APP = "app=echo"
MOST_S = 240.0
SEEN_LIMIT_S = 90.0
"""The server measures every 10 s and needs two looks at a pod, Scale asks it every 15 s."""
Usage = dict[str, tuple[float | None, int | None]]


@pytest.fixture
def url(cluster: Cluster, namespace: str) -> str:
    """Three pods behind a Service."""
    cluster.apply([echo(3, environment={"LOG": "none"}), service("echo")], namespace)
    cluster.wait_for_pods(namespace, APP, 3)
    return cluster.url_of("echo", namespace)


def shown(product: Product, test_id: str) -> Usage:
    """{pod: cores and bytes that the run shows}."""
    last: dict[str, Any] = product.look(test_id)["last"] or {"pods": []}
    return {pod["name"]: (pod["cpu_cores"], pod["memory_bytes"]) for pod in last["pods"]}


def told(cluster: Cluster, namespace: str) -> Usage:
    """{pod: cores and bytes that the cluster tells}."""
    answer = api_get(cluster.layout, f"/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods")
    found: Usage = {}
    for item in json.loads(answer or '{"items": []}')["items"]:
        (container,) = item["containers"]
        cpu, memory = container["usage"]["cpu"], container["usage"]["memory"]
        found[item["metadata"]["name"]] = round(float(parse_quantity(cpu)), 3), int(parse_quantity(memory))
    return found


def test_a_run_shows_what_the_cluster_tells_of_its_pods_and_goes_on_when_that_ends(
    cluster: Cluster, namespace: str, url: str, tmp_path: Path
) -> None:
    heard: set[tuple[str, tuple[float | None, int | None]]] = set()

    def all_seen() -> Usage:
        heard.update(told(cluster, namespace).items())
        pods = shown(product, test_id)
        return pods if len(pods) == 3 and all(cores and memory for cores, memory in pods.values()) else {}

    with scale_with(cluster, namespace, tmp_path, "usage") as product:
        test_id = product.start(url, users=10, requests_per_connection=1, duration=MOST_S)
        seen = until(all_seen, "CPU and memory of three pods that work", SEEN_LIMIT_S)
        heard.update(told(cluster, namespace).items())
        with cluster.without(METRICS_SERVER):
            until(lambda: set(shown(product, test_id).values()) == {(None, None)}, "they are no longer shown")
        assert product.look(test_id)["status"] == "running"
        product.stop(test_id)
        assert product.ended(test_id).status == "stopped"
    assert seen.items() <= heard
    assert all(memory > 2**20 for _, memory in seen.values() if memory is not None)
    until(lambda: told(cluster, namespace), "the metrics-server answers again", SEEN_LIMIT_S)


def test_without_the_right_to_it_the_run_goes_on_and_names_the_right(
    cluster: Cluster, namespace: str, url: str, tmp_path: Path
) -> None:
    with (
        scale_with(cluster, namespace, tmp_path) as product,
        TruthOf(cluster, namespace, APP) as truth,
    ):
        ran = product.run(url, users=5, requests_per_connection=5, duration=5)
        _, rights = product.ask("/api/v1/sources")
    assert ran.counted == truth.answered
    assert {(pod["cpu_cores"], pod["memory_bytes"]) for pod in ran.last["pods"]} == {(None, None)}
    assert "CPU and memory of the pods (list pods.metrics.k8s.io)" in ran.last["pods_problem"]
    row = next(row for row in rights["rows"] if row["source"] == "usage")
    assert not row["allowed"]
    assert "lacks list pods.metrics.k8s.io" in row["sentence"]
