"""metrics-server: CPU and memory of pods under metrics.k8s.io, as the API server's aggregation layer serves them.

It runs beside the control plane instead of in a pod, with the rights that its own manifests give it and no others.
"""

from __future__ import annotations

import base64
from typing import Any

from tests.cluster.layout import CONTROL_PLANE_IP, Layout

Thing = dict[str, Any]

NAME = "metrics-server"
NAMESPACE = "kube-system"
SERVICE_NAME = f"{NAME}.{NAMESPACE}.svc"
"""What its certificate must be of: the API server asks for it by its Service."""
PORT = 4443
RBAC = "rbac.authorization.k8s.io"
READS = (("", ["nodes/metrics"], ["get"]), ("", ["pods", "nodes"], ["get", "list", "watch"]))
"""Group, resources and verbs of what it reads itself."""


def metrics_server(layout: Layout) -> list[str]:
    """Figures every 10 s, the most often that it takes."""
    own = str(layout.certificates / f"{NAME}.conf")
    flags = {
        "kubeconfig": own,
        "authentication-kubeconfig": own,
        "authorization-kubeconfig": own,
        "bind-address": CONTROL_PLANE_IP,
        "secure-port": str(PORT),
        "tls-cert-file": str(layout.certificates / f"{NAME}.crt"),
        "tls-private-key-file": str(layout.certificates / f"{NAME}.key"),
        "kubelet-certificate-authority": str(layout.certificates / "ca.crt"),
        "kubelet-preferred-address-types": "InternalIP",
        "kubelet-request-timeout": "8s",
        "metric-resolution": "10s",
    }
    return [layout.binary("kube"), NAME, *(f"--{name}={value}" for name, value in flags.items())]


def metrics_server_objects(layout: Layout) -> list[Thing]:
    """Its rights, its Service, and the API that the Service serves."""
    reads = [{"apiGroups": [group], "resources": kinds, "verbs": verbs} for group, kinds, verbs in READS]
    role = {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": f"system:{NAME}"}, "rules": reads}
    return [
        role,
        _binding("ClusterRoleBinding", f"system:{NAME}", "ClusterRole", f"system:{NAME}"),
        _binding("ClusterRoleBinding", f"{NAME}:system:auth-delegator", "ClusterRole", "system:auth-delegator"),
        _binding("RoleBinding", f"{NAME}-auth-reader", "Role", "extension-apiserver-authentication-reader"),
        *_service(),
        _api_service(layout),
    ]


def _binding(kind: str, name: str, role_kind: str, role: str) -> Thing:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": kind,
        "metadata": {"name": name, **({"namespace": NAMESPACE} if kind == "RoleBinding" else {})},
        "roleRef": {"apiGroup": RBAC, "kind": role_kind, "name": role},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": NAME}],
    }


def _service() -> list[Thing]:
    """Without a selector: it leads to the control plane's address."""
    place = {"namespace": NAMESPACE}
    ports = [{"name": "https", "port": 443, "targetPort": PORT, "protocol": "TCP"}]
    return [
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": NAME, **place}, "spec": {"ports": ports}},
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": f"{NAME}-1", "labels": {"kubernetes.io/service-name": NAME}, **place},
            "addressType": "IPv4",
            "ports": [{"name": "https", "port": PORT, "protocol": "TCP"}],
            "endpoints": [{"addresses": [CONTROL_PLANE_IP], "conditions": {"ready": True}}],
        },
    ]


def _api_service(layout: Layout) -> Thing:
    authority = base64.b64encode((layout.certificates / "ca.crt").read_bytes()).decode()
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": "v1beta1.metrics.k8s.io"},
        "spec": {
            "group": "metrics.k8s.io",
            "version": "v1beta1",
            "service": {"name": NAME, "namespace": NAMESPACE},
            "caBundle": authority,
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
        },
    }
