"""A running cluster in the hand: ask it, change it, stop parts of it, run programs inside it.

Most of this is for programs inside the cluster's namespaces (`python -m tests.cluster test` runs pytest there, as a
client whose address every pod sees). From outside, `entering` says how to come in.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from tests.cluster.api import api_get
from tests.cluster.components import ProxyMode
from tests.cluster.layout import CLIENT, PROJECT, Layout

T = TypeVar("T")
NAMED_BY = "SCALE_CLUSTER"
"""The environment variable that names the cluster that a program is inside of."""
KUBECTL_LIMIT_S = 60.0
WAIT_LIMIT_S = 90.0


@dataclass(frozen=True, slots=True)
class Pod:
    name: str
    node: str
    ip: str
    ready: bool
    restarts: int


class Cluster:
    """One cluster, by its name."""

    def __init__(self, name: str) -> None:
        self.layout = Layout.of(name)

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.layout.kubeconfig

    def kubectl(self, *arguments: str, given: str = "") -> str:
        """What kubectl prints. Raises AssertionError with its complaint."""
        command = [self.layout.binary("kube"), "kubectl", f"--kubeconfig={self.kubeconfig}", *arguments]
        done = subprocess.run(
            command, input=given, capture_output=True, text=True, timeout=KUBECTL_LIMIT_S, check=False
        )
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr.strip()}"
        return done.stdout

    def get(self, *arguments: str) -> Any:
        """`kubectl get` as JSON."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def apply(self, things: Iterable[Mapping[str, object]], namespace: str = "default") -> None:
        """Make the objects so."""
        listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(things)})
        self.kubectl("apply", "-n", namespace, "-f", "-", given=listed)

    def pods(self, namespace: str, selector: str) -> list[Pod]:
        """Those that are not on their way out, by name."""
        return _staying(self._listed(namespace, selector))

    def wait_for_pods(self, namespace: str, selector: str, count: int) -> list[Pod]:
        """Exactly so many, all ready, once none is on its way out any more. Raises AssertionError.

        Connections still go for a moment to a pod that has been told to end, and it takes its last counts with it.
        """

        def all_ready() -> list[Pod]:
            listed = self._listed(namespace, selector)
            pods = _staying(listed)
            return pods if len(listed) == len(pods) == count and all(pod.ready for pod in pods) else []

        return until(all_ready, f"{count} ready pods of {selector} in {namespace}")

    def _listed(self, namespace: str, selector: str) -> list[dict[str, Any]]:
        path = f"/api/v1/namespaces/{namespace}/pods?labelSelector={quote(selector)}"
        items: list[dict[str, Any]] = json.loads(api_get(self.layout, path) or '{"items": []}')["items"]
        return items

    def url_of(self, service: str, namespace: str, port: int = 80) -> str:
        """A Service's URL, once its name is known and its pods answer there."""
        url = f"http://{service}.{namespace}.svc{'' if port == 80 else f':{port}'}/"
        until(lambda: answers(f"{url}healthz"), f"{url} answers")
        return url

    def address_of(self, service: str, namespace: str) -> str:
        """A Service's cluster address."""
        return str(self.get("service", service, "-n", namespace)["spec"]["clusterIP"])

    def stop(self, component: str, grace_s: float = 5.0) -> None:
        """End etcd, apiserver, controller-manager, scheduler, dns, metrics-server, n1 .. n3 or n1-proxy .. n3-proxy."""
        self._control(do="stop", name=component, grace_s=grace_s)

    def start(self, component: str) -> None:
        """Start what was stopped."""
        self._control(do="start", name=component)

    @contextmanager
    def without(self, component: str) -> Iterator[None]:
        """A block in which a component is away; afterwards it is back, and the API server answers."""
        self.stop(component)
        try:
            yield
        finally:
            self.start(component)
            until(lambda: api_get(self.layout, "/readyz") == "ok", "the API server answers again")

    def proxy_mode(self, mode: ProxyMode) -> None:
        """Let kube-proxy make its rules so, on every node; the old rules are gone."""
        self._control(do="proxy_mode", mode=mode)

    def status(self) -> dict[str, Any]:
        """running: names of components. pids: of each node's process 1. proxy_mode."""
        return self._control(do="status")

    def on_node(self, node: str, *command: str) -> str:
        """What a command prints that runs on a node, in all of its namespaces."""
        pid = self.status()["pids"][node]
        inside = ["nsenter", "-t", str(pid), "--net", "--mount", "--uts", "--pid", "--", *command]
        done = subprocess.run(inside, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, f"{' '.join(command)} on {node}: {done.stderr.strip()}"
        return done.stdout

    def import_image(self, archive: Path, *nodes: str) -> None:
        """Make an image known to the nodes."""
        for node in nodes:
            self.on_node(node, "ctr", "-n", "k8s.io", "images", "import", str(archive))

    def entering(self) -> list[str]:
        """What to put before a command, outside of the cluster, so that it runs as the client inside."""
        pid = self.layout.supervisor_pid.read_text()
        network = f"--net=/proc/{pid}/root/run/netns/{CLIENT}"
        return ["nsenter", "-t", pid, network, "--mount", "--pid", f"--wdns={os.getcwd()}", "--"]

    def environment(self) -> dict[str, str]:
        """For a program inside: which cluster it is in, and where the kubeconfig is."""
        own = {NAMED_BY: self.layout.name, "KUBECONFIG": str(self.kubeconfig), "PYTHONPATH": str(PROJECT)}
        return {**os.environ, **own}

    def _control(self, **asked: object) -> dict[str, Any]:
        with socket.socket(socket.AF_UNIX) as door:
            door.settimeout(60)
            door.connect(str(self.layout.control_socket))
            door.sendall(json.dumps(asked).encode() + b"\n")
            answer: dict[str, Any] = json.loads(door.makefile().readline())
        assert "error" not in answer, f"{asked}: {answer['error']}"
        return answer


def until(there: Callable[[], T], what: str, limit_s: float = WAIT_LIMIT_S) -> T:
    """The first true value of it; asked five times a second. Raises AssertionError with `what` after the limit.

    A connection that is refused is none yet: kube-proxy refuses those to a Service until it knows of a ready pod.
    """
    deadline, problem = time.monotonic() + limit_s, ""
    while True:
        try:
            if value := there():
                return value
        except OSError as error:
            problem = f" ({error})"
        assert time.monotonic() < deadline, f"not within {limit_s:g} s: {what}{problem}"
        time.sleep(0.2)


def answers(url: str) -> bool:
    """Whether this is answered with status 200 now."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _staying(items: Iterable[dict[str, Any]]) -> list[Pod]:
    return sorted((_pod(item) for item in items if not item["metadata"].get("deletionTimestamp")), key=_name)


def _pod(item: dict[str, Any]) -> Pod:
    status = item["status"]
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions", ()))
    restarts = sum(each["restartCount"] for each in status.get("containerStatuses", ()))
    return Pod(item["metadata"]["name"], item["spec"].get("nodeName", ""), status.get("podIP", ""), ready, restarts)


def _name(pod: Pod) -> str:
    return pod.name
