"""The product as people deploy it: the image of the Dockerfile, and the manifests of k8s/ with what docs/kubernetes.md
tells an operator to write over them."""

from __future__ import annotations

from pathlib import Path

from tests.cluster.handle import Cluster
from tests.cluster.ingress import proxy_for
from tests.cluster.layout import NODES, PROJECT
from tests.cluster.product import Product
from tests.cluster.targets import NGINX_PORT, Thing, echo, namespace, service

SCALE, SHOP, EDGE = "scale", "shop", "edge"
NODE = "n1"
"""Where the disk for the history is, and so the pod."""
HOST = "scale.example.com"
TARGET = f"http://echo.{SHOP}.svc.cluster.local/"
GRANTED = ("targets", "pods", "prometheus")
WORKERS = 2
"""As many as k8s/workers asks for."""
# The image comes from this machine; all else is what an operator writes.
IMAGE = "images: [{name: scale, newName: docker.io/library/scale, newTag: latest}]"
INSTALLATION = f"""
namespace: {SCALE}
resources: [k8s]
components: [k8s/in-cluster, k8s/workers]
{IMAGE}
patches:
  - target: {{kind: Deployment, name: scale-worker}}
    patch: |-
      apiVersion: apps/v1
      kind: Deployment
      metadata: {{name: scale-worker}}
      spec: {{template: {{spec: {{containers: [{{name: worker, imagePullPolicy: Never}}]}}}}}}
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
components: [{", ".join(f"k8s/rights/{name}" for name in GRANTED)}]
"""
SECRET: Thing = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "scale-workers"},
    "stringData": {"secret": "0f" * 32},
}
ROLL_OUT = "--timeout=50s"


def install(cluster: Cluster, image: Path, scratch: Path) -> Product:
    """Scale in its pod, two workers, five echo pods, and a proxy in front of Scale; reached by its host name there.

    image: the archive of the product's image. scratch: an empty folder. Raises AssertionError when a pod does not come.
    """
    cluster.import_image(image, *NODES)
    cluster.apply([namespace(name, "restricted") for name in (SCALE, SHOP, EDGE)])
    cluster.apply([echo(5), service("echo"), service("closed", app="nobody")], SHOP)
    cluster.apply([volume(cluster, "scale")])
    cluster.apply([SECRET], SCALE)
    for name, written in (("scale", INSTALLATION), ("rights", RIGHTS)):
        (scratch / name).mkdir()
        cluster.kubectl("apply", "-f", "-", given=made_of(cluster, scratch / name, written))
    for deployment in ("scale", "scale-worker"):
        cluster.kubectl("rollout", "status", f"deployment/{deployment}", "-n", SCALE, ROLL_OUT)
    ingress = cluster.get("ingress", "scale-ingress", "-n", SCALE)
    cluster.apply(proxy_for(ingress, lambda name, port: _port_of(cluster, name, port)), EDGE)
    proxy = cluster.wait_for_pods(EDGE, "app=edge", 1)[0]
    cluster.wait_for_pods(SHOP, "app=echo", 5)
    cluster.url_of("echo", SHOP)
    return Product(f"http://{proxy.ip}:{NGINX_PORT}", {"Host": HOST})


def uninstall(cluster: Cluster) -> None:
    """Take it all away again."""
    cluster.kubectl("delete", "namespace", SCALE, SHOP, EDGE)
    cluster.kubectl("delete", "persistentvolume", "scale")


def made_of(cluster: Cluster, folder: Path, kustomization: str) -> str:
    """What `kubectl kustomize` makes of a text that names the project's manifests as `k8s`. folder: an empty one."""
    (folder / "k8s").symlink_to(PROJECT / "k8s")
    (folder / "kustomization.yaml").write_text(kustomization)
    return cluster.kubectl("kustomize", "--load-restrictor=LoadRestrictionsNone", str(folder))


def volume(cluster: Cluster, name: str, **more: object) -> Thing:
    """A disk of one node for a claim: what a cloud would provide. more: of its spec, such as claimRef."""
    folder = cluster.layout.of_node(NODE) / f"volume-{name}"
    folder.mkdir(exist_ok=True)
    on_node = {"key": "kubernetes.io/hostname", "operator": "In", "values": [NODE]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            **more,
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "local": {"path": str(folder)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [on_node]}]}},
        },
    }


def _port_of(cluster: Cluster, service: str, name: str) -> int:
    ports = cluster.get("service", service, "-n", SCALE)["spec"]["ports"]
    return next(int(port["port"]) for port in ports if port["name"] == name)
