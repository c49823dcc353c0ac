"""The chart on a real cluster: its API server takes every object as written, and what Helm installs works and goes.

The server itself judges, strictly, instead of kubeconform, which would fetch its schemas from elsewhere and knows less.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.handle import Cluster, until
from tests.cluster.installation import NODE, volume
from tests.cluster.layout import PROJECT
from tests.cluster.product import Product
from tests.cluster.product_image import IMAGE_BY
from tests.cluster.targets import echo, namespace, service
from tests.helm import CHART, helm, rendered

HERE, SHOP = "charted", "charted-shop"
CLAIM = "scale-data"
HELM_LIMIT = "--timeout=100s"
VALUES: dict[str, Any] = {
    "auth": {"mode": "none"},
    "image": {"repository": "docker.io/library/scale", "tag": "latest", "pullPolicy": "Never"},
    "allowedTargets": [f"kubernetes:{SHOP}/*"],
    "cluster": {"enabled": True, "namespaces": [SHOP], "rights": {"targets": [], "pods": [], "prometheus": []}},
    "nodeSelector": {"kubernetes.io/hostname": NODE},
    "networkPolicy": {"namespaces": []},
}
STRICT = ("--dry-run=server", "--validate=strict")


@pytest.fixture
def spaces(cluster: Cluster) -> Iterator[None]:
    cluster.apply([namespace(name, "restricted") for name in (HERE, SHOP)])
    yield
    cluster.kubectl("delete", "namespace", HERE, SHOP)


@pytest.fixture
def disk(cluster: Cluster, spaces: None) -> Iterator[None]:
    cluster.apply([volume(cluster, "charted", claimRef={"namespace": HERE, "name": CLAIM})])
    yield
    cluster.kubectl("delete", "persistentvolume", "charted", "--wait=false")


@pytest.mark.parametrize("how", ["-f", "-k"])
def test_k8s_is_applied_by_either_way_and_its_chart_is_not_read(cluster: Cluster, spaces: None, how: str) -> None:
    said = cluster.kubectl("apply", "-n", HERE, *STRICT, how, f"{PROJECT / 'k8s'}/")
    names = sorted(line.split()[0] for line in said.splitlines())
    assert names == [
        "deployment.apps/scale",
        "ingress.networking.k8s.io/scale-ingress",
        "networkpolicy.networking.k8s.io/scale",
        "persistentvolumeclaim/scale-data",
        "service/scale",
        "serviceaccount/scale",
    ]


def test_the_api_server_takes_every_object_that_it_has_a_kind_for(cluster: Cluster, spaces: None) -> None:
    everything = {
        **VALUES,
        "ingress": {"enabled": True, "tlsSecret": "scale-tls"},
        "podDisruptionBudget": {"enabled": True},
        "existingSecret": "scale",
        "secretSettings": {"SCALE_DATABASE_URL": "url"},
        "tolerations": [{"key": "load", "operator": "Exists"}],
        "cluster": {"enabled": True, "rights": {"targets": [SHOP], "nodes": [], "connections": ["*"]}},
    }
    objects = rendered(everything, namespace=HERE)
    for (kind, _, _), each in objects.items():
        if not kind.startswith("Cluster"):
            each["metadata"].setdefault("namespace", HERE)
    said = cluster.kubectl("apply", *STRICT, "-f", "-", given=yaml.safe_dump_all(objects.values()))
    assert len(said.splitlines()) == len(objects)


def test_the_pod_of_the_example_for_argo_rollouts_is_let_in_under_the_restricted_standard(
    cluster: Cluster, spaces: None
) -> None:
    _, template = yaml.safe_load_all((PROJECT / "docs/examples/argo-analysis.yaml").read_text())
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "balance"},
        "spec": template["spec"]["metrics"][0]["provider"]["job"]["spec"],
    }
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": job["metadata"], "spec": job["spec"]["template"]["spec"]}
    for each in (job, pod):
        cluster.kubectl("apply", "-n", HERE, *STRICT, "-f", "-", given=yaml.safe_dump(each))


def test_what_helm_installs_tests_a_service_is_upgraded_and_goes_without_its_history(
    cluster: Cluster, disk: None
) -> None:
    image = os.environ.get(IMAGE_BY)
    if not image:
        pytest.skip(f"needs the product's image: `make test-cluster`, or its archive in {IMAGE_BY}")
    cluster.import_image(Path(image), NODE)
    cluster.apply([echo(3), service("echo")], SHOP)
    _helm(cluster, "install", "scale", str(CHART), "--wait", HELM_LIMIT, values=VALUES)
    cluster.wait_for_pods(SHOP, "app=echo", 3)
    product = Product(f"http://scale.{HERE}.svc")
    until(lambda: product.ask("/readyz")[0] == 200, "the installed Scale is ready")
    ran = product.run(f"http://echo.{SHOP}.svc/", duration=4, requests_per_connection=1, counting="prometheus")
    assert len(ran.counted) == 3
    assert min(ran.counted.values()) > 0

    changed = {**VALUES, "settings": {"SCALE_MAX_USERS": "7"}}
    _helm(cluster, "upgrade", "scale", str(CHART), "--wait", HELM_LIMIT, values=changed)
    until(lambda: product.ask("/readyz")[0] == 200, "the upgraded Scale is ready")
    assert product.ask("/api/v1/installation")[1]["limits"]["users"] == 7
    assert product.look(ran.test_id)["total_requests"] == ran.sent

    _helm(cluster, "uninstall", "scale", "--wait", HELM_LIMIT)
    left = cluster.kubectl("get", "all,pvc,networkpolicy,role,rolebinding", "-A", "-o", "name", "-l", "helm.sh/chart")
    assert left.split() == [f"persistentvolumeclaim/{CLAIM}"]


def _helm(cluster: Cluster, *arguments: str, values: dict[str, Any] | None = None) -> None:
    done = helm(*arguments, "--kubeconfig", str(cluster.kubeconfig), "-n", HERE, values=values, limit_s=150)
    assert done.returncode == 0, done.stdout + done.stderr
