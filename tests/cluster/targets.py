"""The objects that the tests deploy: the echo service, and proxies in front of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Thing = dict[str, Any]

ECHO_PORT = 8080
NGINX_PORT = 8080
NGINX_LOG = '$remote_addr - - [$time_local] "$request" $status $body_bytes_sent "$upstream_addr" $request_time'


RESTRICTED: Thing = {
    "runAsNonRoot": True,
    "runAsUser": 65534,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


def namespace(name: str, pod_security: str = "") -> Thing:
    """pod_security: the level that is enforced there, "" for none."""
    labels = {"pod-security.kubernetes.io/enforce": pod_security} if pod_security else {}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def echo(
    replicas: int,
    name: str = "echo",
    environment: Mapping[str, str] | None = None,
    pod: Mapping[str, Any] | None = None,
    image: str = "scale.test/echo:1",
) -> Thing:
    """The echo Deployment. environment: see echo/main.go. pod: more of the pods' spec, such as a nodeName.
    image: "scale.test/echo-cat:1" for one with a `cat`."""
    variables = [{"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]
    variables += [{"name": key, "value": value} for key, value in (environment or {}).items()]
    container = {
        "name": "echo",
        "image": image,
        "imagePullPolicy": "Never",
        "ports": [{"name": "http", "containerPort": ECHO_PORT}],
        "env": variables,
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "20m", "memory": "16Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": RESTRICTED,
    }
    spec = {"automountServiceAccountToken": False, "terminationGracePeriodSeconds": 12, "containers": [container]}
    return deployment(name, replicas, {**spec, **(pod or {})})


def deployment(name: str, replicas: int, pod: Mapping[str, Any]) -> Thing:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": dict(pod)},
        },
    }


def service(name: str, app: str = "echo", target_port: int = ECHO_PORT, **settings: Any) -> Thing:
    """A Service on port 80 in front of the pods of an app. settings: more of its spec, such as sessionAffinity."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {
            "selector": {"app": app},
            "ports": [{"name": "http", "port": 80, "targetPort": target_port}],
            **settings,
        },
    }


def nginx(name: str, server: str, http: str = "") -> list[Thing]:
    """A real nginx as one pod behind a Service. server: lines of its server block. http: lines beside it, such as an
    upstream; its log, on standard output, says which pod answered."""
    configuration = f"""
worker_processes 1;
error_log /dev/stderr warn;
pid /tmp/nginx.pid;
events {{ worker_connections 1024; }}
http {{
  log_format upstream '{NGINX_LOG}';
  access_log /dev/stdout upstream;
  client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy; fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi; scgi_temp_path /tmp/scgi;
  keepalive_requests 1000000;
  map $http_upgrade $connection_upgrade {{ default upgrade; "" ""; }}
  {http}
  server {{
    listen {NGINX_PORT};
    {server}
  }}
}}
"""
    program = ["-g", "daemon off;"]
    return proxy(name, "nginx", program, {"http": NGINX_PORT}, {"nginx.conf": configuration})


def proxy(
    name: str, program: str, arguments: Sequence[str], ports: Mapping[str, int], files: Mapping[str, str]
) -> list[Thing]:
    """A proxy as one pod behind a Service. program: of its image. ports: {name: number}, "http" among them.
    files: {name: text} in /config."""
    container = {
        "name": program,
        "image": f"scale.test/{program}:1",
        "imagePullPolicy": "Never",
        "args": list(arguments),
        "ports": [{"name": port, "containerPort": number} for port, number in ports.items()],
        "readinessProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 1},
        "securityContext": RESTRICTED,
        "volumeMounts": [{"name": "config", "mountPath": "/config"}, {"name": "tmp", "mountPath": "/tmp"}],
    }
    volumes = [{"name": "config", "configMap": {"name": name}}, {"name": "tmp", "emptyDir": {}}]
    pod = {"automountServiceAccountToken": False, "containers": [container], "volumes": volumes}
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": dict(files)}
    return [config_map, deployment(name, 1, pod), service(name, name, ports["http"])]
