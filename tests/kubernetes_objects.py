"""Documents as a Kubernetes API server has them, each with what a test does not care about filled in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.fake_api_server import Document, FakeApiServer

NAMESPACE = "shop"
LABELS = {"app": "cart"}


def service(name: str = "cart", namespace: str = NAMESPACE, **spec: Any) -> Document:
    whole = {
        "type": "ClusterIP",
        "clusterIP": "127.0.0.9",
        "clusterIPs": ["127.0.0.9"],
        "selector": LABELS,
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
        "sessionAffinity": "None",
        "internalTrafficPolicy": "Cluster",
    }
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {**whole, **spec}}


def endpoint(pod: str, *, ready: bool = True, node: str = "n1", zone: str = "", **more: Any) -> Document:
    return {
        "addresses": ["10.0.0.1"],
        "targetRef": {"kind": "Pod", "name": pod, "uid": f"uid-{pod}"},
        "nodeName": node,
        "zone": zone,
        "conditions": {"ready": ready},
        **more,
    }


def endpoint_slice(*endpoints: Document, service: str = "cart", name: str = "", namespace: str = NAMESPACE) -> Document:
    labels = {"kubernetes.io/service-name": service}
    return {
        "metadata": {"name": name or f"{service}-abc", "namespace": namespace, "labels": labels},
        "endpoints": list(endpoints),
    }


def pod(name: str, *, node: str = "n1", restarts: int = 0, uid: str = "", probed: bool = True, **more: Any) -> Document:
    container = {"name": "app", **({"readinessProbe": {"httpGet": {"path": "/"}}} if probed else {})}
    metadata = {"name": name, "namespace": NAMESPACE, "uid": uid or f"uid-{name}", "labels": LABELS}
    return {
        "metadata": {**metadata, "ownerReferences": [{"kind": "ReplicaSet", "name": "cart-1"}], **more},
        "spec": {"nodeName": node, "containers": [container]},
        "status": {"phase": "Running", "containerStatuses": [{"restartCount": restarts}]},
    }


def node(name: str, *, ready: bool = True, zone: str = "") -> Document:
    return {
        "metadata": {"name": name, "labels": {"topology.kubernetes.io/zone": zone}},
        "status": {"conditions": [{"type": "Ready", "status": "True" if ready else "Unknown"}]},
    }


def deployment(replicas: int, name: str = "cart", labels: Document = LABELS) -> Document:
    template = {"metadata": {"labels": {**labels, "tier": "back"}}}
    return {
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"replicas": replicas, "template": template},
    }


def shop(server: FakeApiServer, pods: Sequence[str] = ("cart-1", "cart-2", "cart-3")) -> None:
    """A Service with so many ready pods."""
    server.put("services", service())
    server.put("deployments", deployment(len(pods)))
    server.put("nodes", node("n1", zone="z1"))
    for name in pods:
        server.put("pods", pod(name))
    server.put("endpointslices", endpoint_slice(*(endpoint(name) for name in pods)))
