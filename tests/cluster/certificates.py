"""Keys, certificates and kubeconfigs of one cluster, made anew at each start and thrown away with it."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

import tests.cluster.metrics_server as metrics_server
from tests.cluster.layout import API_SERVER, API_SERVICE_IP, CONTROL_PLANE_IP, NODES, node_ip

NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
SIGNED = ("-CA", "ca.crt", "-CAkey", "ca.key", "-addext", "keyUsage=digitalSignature")
API_NAMES = (
    *("IP:127.0.0.1", f"IP:{CONTROL_PLANE_IP}", f"IP:{API_SERVICE_IP}"),
    *("DNS:localhost", "DNS:kubernetes", "DNS:kubernetes.default", "DNS:kubernetes.default.svc"),
)
USERS = {
    "admin": "/O=system:masters/CN=admin",
    "kubelet-client": "/O=system:masters/CN=kube-apiserver-kubelet-client",
    "front-proxy": "/CN=front-proxy-client",
    "controller-manager": "/CN=system:kube-controller-manager",
    "scheduler": "/CN=system:kube-scheduler",
    "proxy": "/CN=system:kube-proxy",
}


def make_certificates(folder: Path) -> None:
    """Fill the folder: NAME.key, NAME.crt and, for whoever talks to the API server, NAME.conf."""
    folder.mkdir(parents=True)
    _openssl(folder, "req", "-x509", *NEW_KEY, "-subj", "/CN=test-cluster", "-keyout", "ca.key", "-out", "ca.crt")
    _openssl(folder, "genpkey", "-algorithm", "RSA", "-out", "service-accounts.key")
    _openssl(folder, "pkey", "-in", "service-accounts.key", "-pubout", "-out", "service-accounts.pub")
    _certificate(folder, "apiserver", "/CN=kube-apiserver", API_NAMES)
    for user, subject in USERS.items():
        _certificate(folder, user, subject)
        _kubeconfig(folder, user)
    _certificate(folder, metrics_server.NAME, f"/CN={metrics_server.NAME}", (f"DNS:{metrics_server.SERVICE_NAME}",))
    _kubeconfig(folder, metrics_server.NAME)
    for node in NODES:
        _certificate(folder, node, f"/O=system:nodes/CN=system:node:{node}", (f"IP:{node_ip(node)}", f"DNS:{node}"))
        _kubeconfig(folder, node)


def _certificate(folder: Path, name: str, subject: str, names: tuple[str, ...] = ()) -> None:
    usage = ("-addext", "extendedKeyUsage=clientAuth,serverAuth", "-addext", "basicConstraints=critical,CA:FALSE")
    also = ("-addext", "subjectAltName=" + ",".join(names)) if names else ()
    files = ("-keyout", f"{name}.key", "-out", f"{name}.crt")
    _openssl(folder, "req", "-x509", *NEW_KEY, *SIGNED, *usage, *also, "-subj", subject, *files)


def _kubeconfig(folder: Path, user: str) -> None:
    def inline(file: str) -> str:
        return base64.b64encode((folder / file).read_bytes()).decode()

    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "test", "cluster": {"server": API_SERVER, "certificate-authority-data": inline("ca.crt")}}
        ],
        "users": [
            {
                "name": user,
                "user": {
                    "client-certificate-data": inline(f"{user}.crt"),
                    "client-key-data": inline(f"{user}.key"),
                },
            }
        ],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
        "current-context": "test",
    }
    path = folder / f"{user}.conf"
    path.touch(mode=0o600)
    path.write_text(json.dumps(config))


def _openssl(folder: Path, *arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"openssl {' '.join(arguments)} failed: {done.stderr.strip()}")
