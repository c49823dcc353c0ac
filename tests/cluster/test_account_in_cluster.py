"""The product with its pod's own account: the image, the manifests and their components, and only the rights chosen."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.handle import Cluster, until
from tests.cluster.layout import PROJECT
from tests.cluster.product import Product
from tests.cluster.product_image import IMAGE_BY
from tests.cluster.targets import echo, namespace, service
from tests.serving import fetch

SCALE, SHOP = "scale", "watched-shop"
NODE = "n2"
PORT = 8000
# What docs/kubernetes.md says to write, the image and a volume that ends with the pod apart.
INSTALLATION = f"""
resources: [k8s]
components: [k8s/in-cluster]
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
            nodeName: {NODE}
            containers:
              - name: scale
                imagePullPolicy: Never
                env:
                  - {{name: SCALE_KUBE_NAMESPACES, value: {SHOP}}}
                  - {{name: SCALE_ALLOWED_TARGETS, value: "kubernetes:{SHOP}/*"}}
            volumes:
              - {{name: data, persistentVolumeClaim: null, emptyDir: {{}}}}
"""
RIGHTS = f"""
namespace: {SHOP}
components: [k8s/rights/targets, k8s/rights/pods]
"""


@pytest.fixture(scope="module")
def installed(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The product in its pod, reached at the pod's own address."""
    image = os.environ.get(IMAGE_BY)
    if not image:
        pytest.skip(f"needs the product's image: `make test-cluster`, or its archive in {IMAGE_BY}")
    cluster.import_image(Path(image), NODE)
    cluster.apply([namespace(SCALE, "restricted"), namespace(SHOP, "restricted")])
    cluster.apply([echo(3), service("echo"), service("closed", app="nobody")], SHOP)
    for name, text in (("installation", INSTALLATION), ("rights", RIGHTS)):
        apply_written(cluster, tmp_path_factory.mktemp(name), text)
    cluster.kubectl("rollout", "status", "deployment/scale", "-n", SCALE, "--timeout=50s")
    cluster.wait_for_pods(SHOP, "app=echo", 3)
    pod = cluster.wait_for_pods(SCALE, "app.kubernetes.io/name=scale", 1)[0]
    url = f"http://{pod.ip}:{PORT}"
    until(lambda: fetch(f"{url}/readyz")[0] == 200, "Scale is ready")
    yield Product(url)
    cluster.kubectl("delete", "namespace", SCALE, SHOP)


def apply_written(cluster: Cluster, folder: Path, kustomization: str) -> None:
    (folder / "k8s").symlink_to(PROJECT / "k8s")
    (folder / "kustomization.yaml").write_text(kustomization)
    made = cluster.kubectl("kustomize", "--load-restrictor=LoadRestrictionsNone", str(folder))
    cluster.kubectl("apply", "-f", "-", given=made)


def test_the_account_sees_what_it_was_granted_and_names_the_rest(installed: Product) -> None:
    status, targets = installed.ask("/api/v1/targets")
    assert status == 200
    urls = {target["service"]["name"]: target["url"] for target in targets["targets"]}
    assert urls == {"echo": f"http://echo.{SHOP}.svc/", "closed": ""}
    status, rights = installed.ask("/api/v1/sources")
    assert status == 200
    assert [row["source"] for row in rights["rows"] if row["allowed"]] == ["targets", "pods"]


def test_a_run_of_a_service_admitted_by_its_name_knows_its_pods_and_its_own_node(
    cluster: Cluster, installed: Product
) -> None:
    ran = installed.run(f"http://echo.{SHOP}.svc/", users=5, requests_per_connection=1, duration=8)
    assert {pod["name"]: pod["node"] for pod in ran.last["pods"]} == {
        pod.name: pod.node for pod in cluster.pods(SHOP, "app=echo")
    }
    assert ran.last["service"]["client_node"] == NODE
    assert "list nodes" in ran.last["pods_problem"]


def test_a_service_of_another_namespace_stays_closed(installed: Product) -> None:
    plan = {"target_url": "https://kubernetes.default.svc/", "users": 1, "spawn_rate": 1, "duration": 1}
    status, answer = installed.ask("/api/load-test/start", plan)
    assert status == 403
    assert "kubernetes.default.svc" in answer["error"]
