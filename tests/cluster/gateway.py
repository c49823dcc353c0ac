"""A real Gateway before pods: Contour, which tells an Envoy what the Gateway API's objects say; both in one pod."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from scale_app.domain.source import GATEWAY
from tests.cluster.envoy import PORT
from tests.cluster.handle import Cluster
from tests.cluster.layout import cache_folder
from tests.cluster.oci import Image, write_archive
from tests.cluster.targets import RESTRICTED, Thing, deployment, service

KINDS = ("gatewayclasses", "gateways", "httproutes", "referencegrants")
MODULES = {
    "sigs.k8s.io/gateway-api": [f"config/crd/standard/{GATEWAY}_{kind}.yaml" for kind in KINDS],
    "github.com/projectcontour/contour": ["examples/contour/01-crds.yaml"],
}
"""{module: where in it the kinds are defined that Contour works with}"""
NAME, CLASS = "gateway", "contour"
XDS_PORT = 8001
UNUSED = ("extensionservices", "tlsroutes", "grpcroutes", "tcproutes", "backendtlspolicies")
FETCH_LIMIT_S = 300


def contour_archive() -> Path:
    """Where Contour's image is."""
    return cache_folder() / "images" / "contour.tar-on-demand"


def kinds_file() -> Path:
    """Where the definitions of its kinds are, as their projects publish them."""
    return cache_folder() / "gateway-kinds.yaml"


def make_gateway(program: Path, source: Path) -> None:
    """Pack Contour's image and keep the definitions of its kinds, once for each build of it.

    program: built from the Go module in the folder source.
    """
    made_of, mark = program.resolve().name, contour_archive().with_suffix(".made-of")
    if mark.exists() and mark.read_text() == made_of:
        return
    write_archive(Image("scale.test/contour:1", {"/contour": program}, ["/contour"]), contour_archive())
    kinds = (_folder_of(module, source) / path for module, paths in MODULES.items() for path in paths)
    kinds_file().write_text("\n---\n".join(file.read_text() for file in kinds))
    mark.write_text(made_of)


def _folder_of(module: str, source: Path) -> Path:
    """Where Go keeps a module that was just built with."""
    command = ["go", "mod", "download", "-json", module]
    environment = {**os.environ, "GOFLAGS": "-mod=readonly"}
    done = subprocess.run(
        command, cwd=source, env=environment, capture_output=True, text=True, timeout=FETCH_LIMIT_S, check=True
    )
    return Path(json.loads(done.stdout)["Dir"])


@contextmanager
def gateway_kinds(cluster: Cluster) -> Iterator[None]:
    """A block in which the cluster has the kinds that it has only when somebody installed them."""
    cluster.kubectl("apply", "--server-side", "-f", str(kinds_file()))
    names = [f"customresourcedefinition/{kind}.{GATEWAY}" for kind in KINDS]
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", *names)
    try:
        yield
    finally:
        cluster.kubectl("delete", "-f", str(kinds_file()))


def route(name: str, host: str, weights: Mapping[str, int], headers: Mapping[str, str] | None = None) -> Thing:
    """An HTTPRoute of the Gateway. weights: {Service: its weight}. headers: of the requests that it is for, if not of
    all."""
    conditions = [{"name": header, "value": value} for header, value in (headers or {}).items()]
    backends = [{"name": to, "port": 80, "weight": weight} for to, weight in weights.items()]
    rule = {"matches": [{"headers": conditions}], "backendRefs": backends} if headers else {"backendRefs": backends}
    return {
        "apiVersion": f"{GATEWAY}/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name},
        "spec": {"parentRefs": [{"name": NAME}], "hostnames": [host], "rules": [rule]},
    }


def gateway(namespace: str, account: str, node: str) -> list[Thing]:
    """The Gateway, and what makes it so. account: of Contour, which reads all that it asks for. node: with the images
    of Contour and Envoy."""
    spec = {"gatewayClassName": CLASS, "listeners": [{"name": "web", "protocol": "HTTP", "port": 80}]}
    settings = {"gateway": {"gatewayRef": {"namespace": namespace, "name": NAME}}}
    return [
        {
            "apiVersion": f"{GATEWAY}/v1",
            "kind": "GatewayClass",
            "metadata": {"name": CLASS},
            "spec": {"controllerName": "projectcontour.io/gateway-controller"},
        },
        {"apiVersion": f"{GATEWAY}/v1", "kind": "Gateway", "metadata": {"name": NAME}, "spec": spec},
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": NAME},
            "data": {"contour.yaml": json.dumps(settings)},
        },
        deployment(NAME, 1, _pod(namespace, account, node)),
        service(NAME, NAME, PORT),
    ]


def _pod(namespace: str, account: str, node: str) -> Thing:
    xds = ["--xds-address=127.0.0.1", f"--xds-port={XDS_PORT}"]
    serve = ["serve", "--incluster", "--insecure", "--disable-leader-election", "--config-path=/given/contour.yaml"]
    less = [f"--disable-feature={kind}" for kind in UNUSED]
    begin = ["bootstrap", "/config/envoy.json", "--admin-address=/tmp/admin.sock", "--resources-dir=/config/resources"]
    here = ["--service-cluster", NAME, "--service-node", NAME, "--concurrency", "1"]
    probe = {"tcpSocket": {"port": PORT}, "periodSeconds": 1}
    return {
        "nodeName": node,
        "serviceAccountName": account,
        "initContainers": [_container("bootstrap", "contour", [*begin, *xds])],
        "containers": [
            {
                **_container("contour", "contour", [*serve, *less, *xds]),
                "env": [{"name": "CONTOUR_NAMESPACE", "value": namespace}],
            },
            {**_container("envoy", "envoy", here), "readinessProbe": probe},
        ],
        "volumes": [
            {"name": "given", "configMap": {"name": NAME}},
            {"name": "config", "emptyDir": {}},
            {"name": "tmp", "emptyDir": {}},
        ],
    }


def _container(name: str, program: str, arguments: list[str]) -> Thing:
    return {
        "name": name,
        "image": f"scale.test/{program}:1",
        "imagePullPolicy": "Never",
        "args": arguments,
        "securityContext": RESTRICTED,
        "volumeMounts": [{"name": each, "mountPath": f"/{each}"} for each in ("given", "config", "tmp")],
    }
