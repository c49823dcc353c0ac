"""The command line of each component of the control plane, and of kube-proxy, which watches over a node's rules."""

from __future__ import annotations

import json
from typing import Literal

from tests.cluster.layout import API_SERVER, CONTROL_PLANE_IP, DNS_SERVICE_IP, POD_RANGE, SERVICE_RANGE, Layout
from tests.cluster.network import in_network

ETCD = "http://127.0.0.1:2379"
ProxyMode = Literal["iptables", "nftables"]


def etcd(layout: Layout) -> list[str]:
    """Debian's; nothing is synced to disk, since nothing is to outlive the cluster."""
    return [
        "etcd",
        *("--data-dir", str(layout.folder / "etcd")),
        *("--listen-client-urls", ETCD, "--advertise-client-urls", ETCD),
        *("--listen-peer-urls", "http://127.0.0.1:2380"),
        "--unsafe-no-fsync",
    ]


def apiserver(layout: Layout) -> list[str]:
    def file(name: str) -> str:
        return str(layout.certificates / name)

    flags = {
        "etcd-servers": ETCD,
        "service-cluster-ip-range": SERVICE_RANGE,
        "authorization-mode": "Node,RBAC",
        "enable-admission-plugins": "NodeRestriction",
        "bind-address": "0.0.0.0",
        "advertise-address": CONTROL_PLANE_IP,
        "client-ca-file": file("ca.crt"),
        "tls-cert-file": file("apiserver.crt"),
        "tls-private-key-file": file("apiserver.key"),
        "service-account-issuer": "https://kubernetes.default.svc",
        "service-account-key-file": file("service-accounts.pub"),
        "service-account-signing-key-file": file("service-accounts.key"),
        "kubelet-client-certificate": file("kubelet-client.crt"),
        "kubelet-client-key": file("kubelet-client.key"),
        "kubelet-certificate-authority": file("ca.crt"),
        "kubelet-preferred-address-types": "InternalIP",
        "requestheader-client-ca-file": file("ca.crt"),
        "requestheader-allowed-names": "front-proxy-client",
        "requestheader-extra-headers-prefix": "X-Remote-Extra-",
        "requestheader-group-headers": "X-Remote-Group",
        "requestheader-username-headers": "X-Remote-User",
        "proxy-client-cert-file": file("front-proxy.crt"),
        "proxy-client-key-file": file("front-proxy.key"),
        "enable-aggregator-routing": "true",
        "allow-privileged": "true",
        # A stop must be one for those who are watching too, not a minute of grace.
        "shutdown-delay-duration": "0s",
    }
    return [layout.binary("kube"), "kube-apiserver", *_flags(flags)]


def controller_manager(layout: Layout) -> list[str]:
    flags = {
        "kubeconfig": str(layout.certificates / "controller-manager.conf"),
        "use-service-account-credentials": "true",
        "root-ca-file": str(layout.certificates / "ca.crt"),
        "service-account-private-key-file": str(layout.certificates / "service-accounts.key"),
        "cluster-signing-cert-file": str(layout.certificates / "ca.crt"),
        "cluster-signing-key-file": str(layout.certificates / "ca.key"),
        "leader-elect": "false",
        "bind-address": "127.0.0.1",
    }
    return [layout.binary("kube"), "kube-controller-manager", *_flags(flags)]


def scheduler(layout: Layout) -> list[str]:
    flags = {
        "kubeconfig": str(layout.certificates / "scheduler.conf"),
        "leader-elect": "false",
        "bind-address": "127.0.0.1",
    }
    return [layout.binary("kube"), "kube-scheduler", *_flags(flags)]


def coredns(layout: Layout) -> list[str]:
    """The cluster's names, served beside the control plane instead of from a pod."""
    file = layout.folder / "Corefile"
    kubeconfig = layout.certificates / "admin.conf"
    file.write_text(
        f".:53 {{\n  bind {CONTROL_PLANE_IP}\n  errors\n"
        f"  kubernetes cluster.local {{\n    endpoint {API_SERVER}\n    kubeconfig {kubeconfig} test\n  }}\n}}\n"
    )
    return [layout.binary("coredns"), "-conf", str(file)]


def dns_objects() -> list[dict[str, object]]:
    """The Service at the usual address that leads to it."""
    name = {"namespace": "kube-system"}
    ports = [{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53, "protocol": "TCP"}]
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "kube-dns", **name},
            "spec": {"clusterIP": DNS_SERVICE_IP, "ports": ports},
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": "kube-dns-1", "labels": {"kubernetes.io/service-name": "kube-dns"}, **name},
            "addressType": "IPv4",
            "ports": ports,
            "endpoints": [{"addresses": [CONTROL_PLANE_IP], "conditions": {"ready": True}}],
        },
    ]


def kube_proxy(layout: Layout, node: str, mode: ProxyMode) -> list[str]:
    """It needs the node's network alone, so it runs beside the node and can be restarted in its other mode."""
    file = layout.of_node(node) / "kube-proxy.yaml"
    configuration = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(layout.certificates / "proxy.conf")},
        "mode": mode,
        "clusterCIDR": POD_RANGE,
        "detectLocalMode": "ClusterCIDR",
        "hostnameOverride": node,
        # Connection tracking's limits belong to the machine.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "0.0.0.0:10249",  # where the API server may ask for the mode
    }
    file.write_text(json.dumps(configuration))
    return [*in_network(node), layout.binary("kube"), "kube-proxy", f"--config={file}", "--v=2"]


def kube_proxy_cleanup(layout: Layout, node: str) -> list[str]:
    """Takes away every rule that kube-proxy made on the node, in either mode."""
    return [*in_network(node), layout.binary("kube"), "kube-proxy", "--cleanup"]


def _flags(flags: dict[str, str]) -> list[str]:
    return [f"--{name}={value}" for name, value in flags.items()]
