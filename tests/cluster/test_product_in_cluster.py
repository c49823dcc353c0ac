"""The product as people deploy it: the image of the Dockerfile, the manifests of k8s/ as they are written, reached
through a real proxy, loading a Service of the same cluster."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import websockets

from tests.cluster.handle import Cluster, until
from tests.cluster.ingress import proxy_for
from tests.cluster.layout import PROJECT
from tests.cluster.product import Product
from tests.cluster.product_image import IMAGE_BY
from tests.cluster.targets import NGINX_PORT, echo, namespace, service
from tests.cluster.truth import TruthOf
from tests.serving import fetch

SCALE, SHOP, EDGE = "scale", "shop", "edge"
NODE = "n1"
HOST = "scale.example.com"
TARGET = f"http://echo.{SHOP}.svc.cluster.local/"
# What docs/kubernetes.md tells an operator to write, and where this machine has its image from.
INSTALLATION = f"""
resources: [manifests]
components: [manifests/in-cluster]
namespace: {SCALE}
images:
  - {{name: scale, newName: docker.io/library/scale, newTag: latest}}
patches:
  - target: {{kind: Deployment, name: scale}}
    patch: |-
      apiVersion: apps/v1
      kind: Deployment
      metadata: {{name: scale}}
      spec:
        template:
          spec:
            containers:
              - name: scale
                imagePullPolicy: Never
                env:
                  - {{name: SCALE_KUBE_NAMESPACES, value: {SHOP}}}
                  - {{name: SCALE_ALLOWED_TARGETS, value: "kubernetes:{SHOP}/*"}}
"""
RIGHTS = f"""
namespace: {SHOP}
components: [manifests/rights/targets, manifests/rights/pods, manifests/rights/prometheus]
"""


@pytest.fixture(scope="module")
def deployed(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The product, reached as from outside: by its host name at the proxy."""
    image = os.environ.get(IMAGE_BY)
    if not image:
        pytest.skip(f"needs the product's image: `make test-cluster`, or its archive in {IMAGE_BY}")
    cluster.import_image(Path(image), NODE)
    cluster.apply([namespace(SCALE, "restricted"), namespace(SHOP, "restricted"), namespace(EDGE, "restricted")])
    cluster.apply([echo(5), service("echo")], SHOP)
    cluster.apply([volume(cluster)])
    folder = tmp_path_factory.mktemp("kustomize")
    deploy(cluster, folder / "scale", INSTALLATION)
    deploy(cluster, folder / "rights", RIGHTS)
    cluster.kubectl("rollout", "status", "deployment/scale", "-n", SCALE, "--timeout=50s")
    ingress = cluster.get("ingress", "scale-ingress", "-n", SCALE)
    cluster.apply(proxy_for(ingress, lambda name, port: port_of(cluster, name, port)), EDGE)
    proxy = cluster.wait_for_pods(EDGE, "app=edge", 1)[0]
    cluster.wait_for_pods(SHOP, "app=echo", 5)
    cluster.url_of("echo", SHOP)
    yield Product(f"http://{proxy.ip}:{NGINX_PORT}", {"Host": HOST})
    cluster.kubectl("delete", "namespace", SCALE, SHOP, EDGE)
    cluster.kubectl("delete", "persistentvolume", "scale")


def deploy(cluster: Cluster, folder: Path, kustomization: str) -> None:
    """`kubectl apply -k` of a kustomization over the manifests as they are."""
    folder.mkdir()
    (folder / "manifests").symlink_to(PROJECT / "k8s")
    (folder / "kustomization.yaml").write_text(kustomization)
    made = cluster.kubectl("kustomize", "--load-restrictor=LoadRestrictionsNone", str(folder))
    cluster.kubectl("apply", "-f", "-", given=made)


def volume(cluster: Cluster) -> dict[str, object]:
    """A disk of one node for the claim: what a cloud would provide."""
    folder = cluster.layout.of_node(NODE) / "volume"
    folder.mkdir(exist_ok=True)
    on_node = {"key": "kubernetes.io/hostname", "operator": "In", "values": [NODE]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": "scale"},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "local": {"path": str(folder)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [on_node]}]}},
        },
    }


def port_of(cluster: Cluster, service: str, name: str) -> int:
    ports = cluster.get("service", service, "-n", SCALE)["spec"]["ports"]
    return next(int(port["port"]) for port in ports if port["name"] == name)


def test_the_page_and_its_health_come_through_the_proxy(deployed: Product) -> None:
    assert deployed.ask("/healthz") == (200, {"status": "ok"})
    assert deployed.ask("/readyz") == (200, {"status": "ready"})
    status, page = fetch(f"{deployed.url}/", {"Host": HOST})
    assert status == 200
    assert b"<html" in page


def test_the_container_runs_as_nobody_on_a_file_system_it_cannot_write(cluster: Cluster, deployed: Product) -> None:
    pod = cluster.get("pods", "-n", SCALE, "-l", "app.kubernetes.io/name=scale")["items"][0]
    told = cluster.kubectl(
        *("exec", "-n", SCALE, pod["metadata"]["name"], "--", "python", "-c"),
        "import os; print(os.getuid(), os.access('/app', os.W_OK), os.access('/data', os.W_OK))",
    )
    assert told.split() == ["10001", "False", "True"]


def test_a_run_against_a_service_ends_with_the_right_verdict(cluster: Cluster, deployed: Product) -> None:
    with TruthOf(cluster, SHOP, "app=echo") as truth:
        ran = deployed.run(TARGET, requests_per_connection=1, duration=10)
    assert ran.counted == truth.answered
    assert ran.verdict in ("EVEN", "UNDECIDED")
    assert len(ran.counted) == 5


def test_a_service_that_the_operator_did_not_allow_is_refused(deployed: Product) -> None:
    plan = {"target_url": "http://kubernetes.default.svc.cluster.local/", "users": 1, "spawn_rate": 1, "duration": 1}
    status, answer = deployed.ask("/api/load-test/start", plan)
    assert status == 403
    assert "kubernetes.default.svc.cluster.local" in answer["error"]


async def test_the_live_feed_passes_the_proxy_as_a_websocket(deployed: Product) -> None:
    test_id = await asyncio.to_thread(deployed.start, TARGET, duration=6)
    proxy = urlsplit(deployed.url)
    url = f"ws://{HOST}/ws/metrics?test_id={test_id}"
    async with websockets.connect(url, host=proxy.hostname, port=proxy.port) as feed:
        messages = [json.loads(text) async for text in feed]  # it closes with the test
    updates = [message for message in messages if message["type"] == "metrics_update"]
    assert len(updates) >= 5
    assert updates[-1]["data"]["metrics"]["total_requests"] > 0


def test_a_service_is_counted_at_its_pods_with_the_account_of_the_pod(cluster: Cluster, deployed: Product) -> None:
    with TruthOf(cluster, SHOP, "app=echo") as truth:
        ran = deployed.run(TARGET, requests_per_connection=1, counting="prometheus")
    assert ran.counted == truth.answered
    assert ran.last["counting"]["now"]["source"] == "prometheus"


def test_two_runs_at_once_are_told_apart(cluster: Cluster, deployed: Product) -> None:
    with TruthOf(cluster, SHOP, "app=echo") as truth:
        spread = deployed.start(TARGET, requests_per_connection=1, duration=8)
        kept = deployed.start(TARGET, requests_per_connection=None, users=3, duration=8)
        runs = [deployed.ended(each) for each in (spread, kept)]
    assert [run.status for run in runs] == ["finished", "finished"]
    together = {name: sum(run.counted.get(name, 0) for run in runs) for name in truth.answered}
    assert together == truth.answered
    assert min(runs[0].counted.values()) > 0
    assert sum(1 for count in runs[1].counted.values() if count) <= 3


def test_the_history_outlives_the_pod(cluster: Cluster, deployed: Product) -> None:
    ran = deployed.run(TARGET, duration=3)
    cluster.kubectl("delete", "pod", "-n", SCALE, "-l", "app.kubernetes.io/name=scale")
    cluster.kubectl("rollout", "status", "deployment/scale", "-n", SCALE, "--timeout=50s")
    until(lambda: deployed.ask("/readyz")[0] == 200, "the product is back behind the proxy")
    assert deployed.look(ran.test_id)["total_requests"] == ran.sent
