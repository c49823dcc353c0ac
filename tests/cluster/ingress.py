"""A real nginx that does what an Ingress says. The ingress-nginx controller cannot be had without an image registry, so
its translation is done here, for what this project's Ingress uses: hosts, path prefixes, a Service's named port, and
the two time-out annotations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.cluster.targets import Thing, nginx

TIMEOUTS = ("proxy-read-timeout", "proxy-send-timeout")
ANNOTATION = "nginx.ingress.kubernetes.io/"

Port = Callable[[str, str], int]


def proxy_for(ingress: Thing, port_of: Port, name: str = "edge") -> list[Thing]:
    """The objects of a proxy. port_of: the number of a Service's named port."""
    annotations = ingress["metadata"].get("annotations", {})
    timeouts = [
        f"{timeout.replace('-', '_')} {annotations[ANNOTATION + timeout]}s;"
        for timeout in TIMEOUTS
        if ANNOTATION + timeout in annotations
    ]
    namespace = ingress["metadata"]["namespace"]
    blocks = [
        f"server_name {rule['host']};\n{_locations(rule['http']['paths'], namespace, port_of, timeouts)}"
        for rule in ingress["spec"]["rules"]
    ]
    assert len(blocks) == 1, "one host is enough for this project's Ingress"
    return nginx(name, blocks[0])


def _locations(paths: list[dict[str, Any]], namespace: str, port_of: Port, timeouts: list[str]) -> str:
    return "\n".join(
        _location(each["path"], each["backend"]["service"], namespace, port_of, timeouts) for each in paths
    )


def _location(path: str, service: dict[str, Any], namespace: str, port_of: Port, timeouts: list[str]) -> str:
    port = service["port"].get("number") or port_of(service["name"], service["port"]["name"])
    return f"""
location {path} {{
  proxy_pass http://{service["name"]}.{namespace}.svc.cluster.local:{port};
  proxy_http_version 1.1;
  proxy_set_header Upgrade $http_upgrade;
  proxy_set_header Connection $connection_upgrade;
  proxy_set_header Host $http_host;
  proxy_set_header X-Forwarded-For $remote_addr;
  proxy_set_header X-Forwarded-Proto $scheme;
  {" ".join(timeouts)}
}}"""
