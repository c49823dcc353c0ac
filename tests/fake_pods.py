"""A fake API server whose pods answer requests: their pages, logs, kubelets and commands, as real ones give them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from aiohttp import WSMsgType, web

from tests.fake_api_server import FakeApiServer
from tests.kubernetes_objects import NAMESPACE, endpoint, endpoint_slice, pod, service

AT_POD = re.compile(
    r"/api/v1/namespaces/[^/]+/pods/(?P<pod>[^/:]+)(:(?P<port>\d+))?(/(?P<what>proxy|log|exec|ephemeralcontainers)(/(?P<path>.*))?)?"
)
SUMMARY = re.compile(r"/api/v1/nodes/(?P<node>[^/]+)/proxy/stats/summary")
LOG_LINE = '10.0.0.9 - - [24/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 2 "-" "scale-load-test"'
LOOK_EVERY_S = 0.05


@dataclass
class PodLife:
    """One pod. page: given in place of its own, None for its own. table: what `cat /proc/net/...` writes in it.

    admin: Envoy's page /clusters, "" for none. denied: "proxy", "log" or "exec" that is forbidden for it.
    commands: programs that its image has. uid: of its own, "" for one that follows from its name.
    behind_s: its node's clock is late by so much.
    """

    requests: int = 0
    started: int = 1
    received: int = 0
    page: bytes | None = None
    table: str = ""
    denied: set[str] = field(default_factory=set)
    commands: set[str] = field(default_factory=lambda: {"cat"})
    log: list[tuple[str, str]] = field(default_factory=list)
    entered: bool = False
    admin: str = ""
    uid: str = ""
    behind_s: float = 0.0


class FakePods(FakeApiServer):
    """streams: logs that are being followed now. asked: what was asked of pods, in order. pod_port: of the Service."""

    def __init__(self) -> None:
        super().__init__()
        self.lives: dict[str, PodLife] = {}
        self.streams = 0
        self.pod_port = 8080
        self.asked: list[tuple[str, str]] = []
        self.lagging_s = 0.0
        self._stamps = 0
        self._logged = asyncio.Condition()
        self._cut_logs = 0

    def shop(self, *names: str, ending: Collection[str] = ()) -> None:
        """A Service cart with these pods, and no others. ending: those that were asked to end."""
        for name in names:
            life = self.lives.setdefault(name, PodLife())
            self.put("pods", pod(name, restarts=life.started - 1, uid=life.uid))
        # Addresses of this machine: nothing that a test does may leave it.
        addresses = {name: [f"127.1.{number // 250}.{number % 250}"] for number, name in enumerate(self.lives, 1)}
        document = endpoint_slice(
            *(
                endpoint(
                    name,
                    addresses=addresses[name],
                    targetRef={"kind": "Pod", "name": name, "uid": self.lives[name].uid or f"uid-{name}"},
                    conditions={"ready": name not in ending, "terminating": name in ending},
                )
                for name in names
            )
        )
        document["ports"] = [{"name": "http", "port": self.pod_port, "protocol": "TCP"}]
        self.put("services", service())
        self.put("endpointslices", document)

    async def answered(self, name: str, requests: int, line: str = LOG_LINE) -> None:
        """The pod has answered so many more."""
        life = self.lives[name]
        life.requests += requests
        life.received += 700 * requests
        for _ in range(requests):
            life.log.append((self._stamp(life.behind_s), line))
        async with self._logged:
            self._logged.notify_all()

    def restart(self, name: str) -> None:
        """Its container was killed and began anew: its counters are at zero; its log goes on in another file."""
        life = self.lives[name]
        life.requests, life.started = 0, life.started + 1
        self.put("pods", pod(name, restarts=life.started - 1, uid=life.uid))

    async def cut_logs(self) -> None:
        """End every stream of a log, as a kubelet does that rotates or restarts."""
        self._cut_logs += 1
        async with self._logged:
            self._logged.notify_all()

    def _stamp(self, behind_s: float) -> str:
        self._stamps += 1
        at = datetime.now(UTC) + timedelta(microseconds=self._stamps, seconds=-behind_s)
        return at.strftime("%Y-%m-%dT%H:%M:%S.%f").rstrip("0") + "Z"

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        authorized = request.headers.get("Authorization") == f"Bearer {self.token}"
        if authorized and (found := AT_POD.fullmatch(request.path)):
            return await self._at_pod(request, found)
        if authorized and SUMMARY.fullmatch(request.path):
            return self._summary()
        return await super()._answer(request)

    async def _at_pod(self, request: web.Request, found: re.Match[str]) -> web.StreamResponse:
        name, what = found["pod"], found["what"] or "get"
        self.asked.append((what, name))
        life = self.lives.get(name)
        if life is None:
            return web.json_response({"message": f'pods "{name}" not found'}, status=404)
        if what in life.denied or f"{what} pods" in self.denied:
            return _forbidden(f'pods "{name}"', f"pods/{what}")
        if what == "proxy":
            return self._page(life, found["port"], found["path"])
        if what == "log":
            return await self._follow_log(request, life)
        if what == "exec":
            return await self._execute(request, life)
        if what == "ephemeralcontainers":
            life.entered = request.content_type == "application/strategic-merge-patch+json"
        return web.json_response(self._document(name, life))

    def _document(self, name: str, life: PodLife) -> dict[str, object]:
        states = [{"name": "scale-connections-1", "state": {"running": {}}}] if life.entered else []
        return {"metadata": {"name": name}, "spec": {}, "status": {"ephemeralContainerStatuses": states}}

    def _page(self, life: PodLife, port: str, path: str) -> web.Response:
        if port == "9901" and path == "clusters" and life.admin:
            return web.Response(text=life.admin)
        if port != str(self.pod_port) or path != "metrics":
            return web.Response(status=404, text="404 page not found")
        own = (
            "# TYPE http_requests_total counter\n"
            f'http_requests_total{{code="200",path="/"}} {life.requests}\n'
            f"# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds {life.started}\n"
        )
        return web.Response(body=life.page if life.page is not None else own.encode())

    def _summary(self) -> web.Response:
        if "get nodes/proxy" in self.denied:
            return _forbidden('nodes "n1"', "nodes/proxy")
        at = (datetime.now(UTC) - timedelta(seconds=self.lagging_s)).isoformat()
        return web.json_response(
            {
                "pods": [
                    {
                        "podRef": {"name": name, "namespace": NAMESPACE},
                        "network": {"time": at, "rxBytes": life.received},
                    }
                    for name, life in self.lives.items()
                ]
            }
        )

    async def _follow_log(self, request: web.Request, life: PodLife) -> web.StreamResponse:
        query, cut = request.query, self._cut_logs
        since = query.get("sinceTime", "")
        begin = max(0, len(life.log) - int(query["tailLines"])) if "tailLines" in query else 0
        lines = [(stamp, text) for stamp, text in life.log[begin:] if stamp[:19] >= since[:19]]
        sent = len(life.log)
        response = web.StreamResponse()
        await response.prepare(request)
        self.streams += 1
        try:
            await response.write("".join(f"{stamp} {text}\n" for stamp, text in lines).encode())
            while "follow" in query and cut == self._cut_logs and request.transport is not None:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_EVERY_S), self._logged:
                        await self._logged.wait()
                new, sent = life.log[sent:], len(life.log)
                await response.write("".join(f"{stamp} {text}\n" for stamp, text in new).encode())
        except ConnectionError:
            pass
        finally:
            self.streams -= 1
        return response

    async def _execute(self, request: web.Request, life: PodLife) -> web.StreamResponse:
        socket = web.WebSocketResponse(protocols=("v4.channel.k8s.io",))
        await socket.prepare(request)
        command = request.query.getall("command")[0]
        added = request.query.get("container") == "scale-connections-1"
        if command in life.commands or (added and life.entered):
            await socket.send_bytes(b"\x01" + life.table.encode())
            await socket.send_bytes(b"\x03" + json.dumps({"status": "Success"}).encode())
        else:
            message = f'exec failed: "{command}": executable file not found in $PATH'
            await socket.send_bytes(b"\x03" + json.dumps({"status": "Failure", "message": message}).encode())
        await socket.close()
        async for message_back in socket:
            if message_back.type is WSMsgType.CLOSE:
                break
        return socket


def _forbidden(what: str, resource: str) -> web.Response:
    said = f'{what} is forbidden: User "x" cannot get resource "{resource}" in API group ""'
    return web.json_response({"kind": "Status", "message": said}, status=403)
