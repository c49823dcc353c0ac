"""Process 1 of a cluster: starts every component inside namespaces of its own, and stops or starts one when asked.

`python -m tests.cluster.supervisor CLUSTER`, started by the keeper under `unshare`. When it dies, the kernel ends
everything that it started, and with the last process the networks and mounts are gone too.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tests.cluster.components as components
from tests.cluster.api import api_get
from tests.cluster.certificates import make_certificates
from tests.cluster.components import ProxyMode
from tests.cluster.layout import DNS_SERVICE_IP, NODES, Layout
from tests.cluster.metrics_server import NAME as METRICS_SERVER
from tests.cluster.metrics_server import metrics_server, metrics_server_objects
from tests.cluster.network import in_network, make_network

START_LIMIT_S = 150.0
STOP_LIMIT_S = 10.0
LOG_LINES = 25


class StartFailed(Exception):
    """A component is not up; says which, and what it printed last."""


class Supervisor:
    """The components by name: etcd, apiserver, controller-manager, scheduler, dns, metrics-server, n1, n1-proxy, ..."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._proxy_mode: ProxyMode = "iptables"
        self._began = time.monotonic()
        self._commands: dict[str, Callable[[], list[str]]] = {
            "etcd": lambda: components.etcd(layout),
            "apiserver": lambda: components.apiserver(layout),
            "controller-manager": lambda: components.controller_manager(layout),
            "scheduler": lambda: components.scheduler(layout),
            "dns": lambda: components.coredns(layout),
            METRICS_SERVER: lambda: metrics_server(layout),
        }
        for node in NODES:
            self._commands[node] = lambda node=node: _node(layout, node)
            self._commands[f"{node}-proxy"] = lambda node=node: components.kube_proxy(layout, node, self._proxy_mode)

    async def bring_up(self) -> None:
        """Everything, in the order of need. Raises StartFailed."""
        _own_mounts(self._layout)
        make_certificates(self._layout.certificates)
        make_network(self._layout)
        self._say("certificates and networks made")
        await self.start("etcd")
        await self.start("apiserver")
        for node in NODES:
            await self.start(node)  # images are unpacked while the API server starts
        await self._until(lambda: self._get("/readyz") == "ok", "apiserver")
        (self._layout.folder / "apiserver.ready").touch()
        self._say("API server ready")
        for name in ("controller-manager", "scheduler", *(f"{node}-proxy" for node in NODES)):
            await self.start(name)
        await self._create([*components.dns_objects(), *metrics_server_objects(self._layout)])
        await self.start("dns")
        await self.start(METRICS_SERVER)
        await self._until(self._nodes_ready, *NODES)
        self._say(f"{len(NODES)} nodes ready")

    async def start(self, name: str) -> None:
        """Start a component; nothing when it runs."""
        if self._alive(name):
            return
        with (self._layout.logs / f"{name}.log").open("ab") as log:
            self._running[name] = await asyncio.create_subprocess_exec(
                *self._commands[name](), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )

    async def stop(self, name: str, grace_s: float = STOP_LIMIT_S) -> None:
        """End a component: at once with no grace, as a crash would; a node always so."""
        process = self._running.get(name)
        if process is None or process.returncode is not None:
            return
        if grace_s > 0 and name not in NODES:
            process.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), grace_s)
        if process.returncode is None:
            process.kill()
        await process.wait()

    async def proxy_mode(self, mode: ProxyMode) -> None:
        """Let kube-proxy make its rules by other means, on every node."""
        self._proxy_mode = mode
        for node in NODES:
            await self.stop(f"{node}-proxy")
            clean = await asyncio.create_subprocess_exec(
                *components.kube_proxy_cleanup(self._layout, node),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            await clean.wait()
            await self.start(f"{node}-proxy")

    async def serve(self) -> None:
        """Answer the control socket for as long as the cluster lives: one JSON line asks, one answers."""
        server = await asyncio.start_unix_server(self._answer, self._layout.control_socket)
        async with server:
            self._layout.ready.touch()
            await server.serve_forever()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked = json.loads(await reader.readline())
            answer = await self._obey(asked)
        except (ValueError, KeyError, TypeError, RuntimeError, OSError) as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        writer.write(json.dumps(answer).encode() + b"\n")
        await writer.drain()
        writer.close()

    async def _obey(self, asked: dict[str, Any]) -> dict[str, Any]:
        do = asked["do"]
        if do == "start":
            await self.start(asked["name"])
        elif do == "stop":
            await self.stop(asked["name"], float(asked.get("grace_s", STOP_LIMIT_S)))
        elif do == "proxy_mode":
            await self.proxy_mode(asked["mode"])
        elif do != "status":
            raise ValueError(f"{do!r} is not one of start, stop, proxy_mode, status")
        return {
            "running": sorted(name for name in self._running if self._alive(name)),
            "pids": {node: _first_process(self._running[node].pid) for node in NODES if self._alive(node)},
            "proxy_mode": self._proxy_mode,
        }

    def _alive(self, name: str) -> bool:
        process = self._running.get(name)
        return process is not None and process.returncode is None

    async def _create(self, things: list[dict[str, Any]]) -> None:
        objects = json.dumps({"apiVersion": "v1", "kind": "List", "items": things})
        kubectl = (self._layout.binary("kube"), "kubectl", f"--kubeconfig={self._layout.kubeconfig}")
        creating = await asyncio.create_subprocess_exec(*kubectl, "create", "-f", "-", stdin=subprocess.PIPE)
        await creating.communicate(objects.encode())

    def _nodes_ready(self) -> bool:
        answer = json.loads(self._get("/api/v1/nodes") or "{}")
        conditions = [each for node in answer.get("items", ()) for each in node["status"].get("conditions", ())]
        ready = [each for each in conditions if each["type"] == "Ready" and each["status"] == "True"]
        return len(ready) == len(NODES)

    async def _until(self, there: Callable[[], bool], *names: str) -> None:
        """Wait for it. Raises StartFailed when it takes too long or any component ends."""
        while not there():
            for name in list(self._running):
                if not self._alive(name):
                    code = self._running[name].returncode
                    raise StartFailed(f"{name} ended with exit code {code}.\n{self._last_words(name)}")
            if time.monotonic() - self._began > START_LIMIT_S:
                words = "\n".join(self._last_words(name) for name in names)
                raise StartFailed(f"{', '.join(names)}: not ready within {START_LIMIT_S:g} s.\n{words}")
            await asyncio.sleep(0.2)

    def _last_words(self, name: str) -> str:
        logs = sorted(self._layout.logs.glob(f"{name}*.log"))
        return "\n".join(f"-- {log.name}\n{_tail(log)}" for log in logs)

    def _get(self, path: str) -> str:
        """The body of a GET to the API server, "" while it has none to give."""
        return api_get(self._layout, path)

    def _say(self, what: str) -> None:
        print(f"{time.monotonic() - self._began:5.1f} s  {what}", flush=True)


def _own_mounts(layout: Layout) -> None:
    """Networks get their names, and the cluster its name server, without the machine's files being touched."""
    Path("/run/netns").mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "cluster", "/run/netns"], check=True)
    names = layout.folder / "resolv.conf"
    search = "default.svc.cluster.local svc.cluster.local cluster.local"
    names.write_text(f"nameserver {DNS_SERVICE_IP}\nsearch {search}\noptions ndots:5\n")
    if Path("/etc/resolv.conf").exists():
        subprocess.run(["mount", "--bind", str(names), "/etc/resolv.conf"], check=True)


def _node(layout: Layout, node: str) -> list[str]:
    layout.of_node(node).mkdir(exist_ok=True)
    apart = ("unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc")
    return [*in_network(node), *apart, sys.executable, "-m", "tests.cluster.node", layout.name, node]


def _first_process(unshare: int) -> int:
    """The node's process 1, as this cluster's processes see it; 0 while it is not there."""
    children = Path(f"/proc/{unshare}/task/{unshare}/children").read_text().split()
    return int(children[0]) if children else 0


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-LOG_LINES:])


async def main() -> None:
    layout = Layout.of(sys.argv[1])
    supervisor = Supervisor(layout)
    try:
        await supervisor.bring_up()
    except (StartFailed, RuntimeError, OSError, subprocess.CalledProcessError) as error:
        layout.failed.write_text(str(error))
        sys.exit(1)
    await supervisor.serve()


if __name__ == "__main__":
    os.environ["PATH"] = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
    asyncio.run(main())
