"""A Kubernetes API server by hand, on a real socket: lists in pages, watches with bookmarks, rights, and its faults.

It keeps documents and a version that rises with each change, as the real one does. What a test breaks, breaks as seen
from outside: an expired version (410), a cut connection, a refused token (401), a missing right (403), silence.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

Document = dict[str, Any]
RESOURCE = re.compile(r"/(?:api/v1|apis/(?P<group>[^/]+)/[^/]+)(?:/namespaces/(?P<namespace>[^/]+))?/(?P<kind>[a-z]+)$")
SERVED = {
    "services",
    "pods",
    "nodes",
    "endpointslices",
    "ingresses",
    "deployments",
    "statefulsets",
    "selfsubjectaccessreviews",
}
USER = "system:serviceaccount:scale:scale"
LIMIT_S = 10.0


@dataclass(frozen=True, slots=True)
class Change:
    version: int
    kind: str
    type: str
    document: Document


@dataclass
class FakeApiServer:
    """token: the one that is accepted. denied: "list pods", "list deployments.apps" and the like.

    served: kinds of objects that exist. broken: kinds that are answered with status 500.
    groups: API groups that are installed. tls: None for plain HTTP. requests: (verb, kind) of every question, in order.
    """

    token: str = "good-token"
    denied: set[str] = field(default_factory=set)
    served: set[str] = field(default_factory=lambda: set(SERVED))
    broken: set[str] = field(default_factory=set)
    groups: set[str] = field(default_factory=lambda: {"metrics.k8s.io", "gateway.networking.k8s.io"})
    silent: bool = False
    port: int = 0
    tls: ssl.SSLContext | None = None
    requests: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._documents: dict[tuple[str, str, str], Document] = {}
        self._changes: list[Change] = []
        self._version = 100
        self._oldest = 0
        self._watchers: dict[web.StreamResponse, tuple[asyncio.Queue[Change | bytes | None], asyncio.Transport]] = {}
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen, at the same port as before if it listened before."""
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.01)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True, ssl_context=self.tls)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Gone from the network, with what it knows kept."""
        self.cut()
        if self._runner:
            await self._runner.cleanup()
        self._runner = None

    def put(self, kind: str, document: Document) -> None:
        """Make or change an object."""
        key = _key(kind, document)
        known = key in self._documents
        self._version += 1
        document["metadata"]["resourceVersion"] = str(self._version)
        self._documents[key] = document
        self._tell(Change(self._version, kind, "MODIFIED" if known else "ADDED", document))

    def remove(self, kind: str, namespace: str, name: str) -> None:
        self._version += 1
        document = self._documents.pop((kind, namespace, name))
        document = {**document, "metadata": {**document["metadata"], "resourceVersion": str(self._version)}}
        self._tell(Change(self._version, kind, "DELETED", document))

    def say(self, line: bytes) -> None:
        """Send this to every watcher as it is."""
        for queue, _ in self._watchers.values():
            queue.put_nowait(line)

    def end_watches(self) -> None:
        """End them as a server does after timeoutSeconds."""
        for queue, _ in self._watchers.values():
            queue.put_nowait(None)

    def cut(self) -> None:
        """Cut every connection that watches, without a word."""
        for _, transport in self._watchers.values():
            transport.abort()

    def forget(self) -> None:
        """Expire every version so far: who watches is told 410, and who asks to go on from one too."""
        self._version += 1
        self._oldest = self._version
        status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
        self.say(json.dumps({"type": "ERROR", "object": status}).encode())

    async def watched(self, kind: str, times: int = 1) -> None:
        """Wait until this kind was watched so often."""
        await self.asked("watch", kind, times)

    async def asked(self, verb: str, kind: str, times: int = 1) -> None:
        """Wait until this was asked of this kind so often."""
        async with asyncio.timeout(LIMIT_S):
            while self.requests.count((verb, kind)) < times:
                await asyncio.sleep(0.005)

    def kubeconfig(self, folder: Path, token: str | None = None, context: str = "test", namespace: str = "shop") -> str:
        """A kubeconfig file for this server."""
        path = folder / f"kubeconfig-{context}"
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": context,
            "contexts": [{"name": context, "context": {"cluster": "c", "user": "u", "namespace": namespace}}],
            "clusters": [{"name": "c", "cluster": {"server": self.url}}],
            "users": [{"name": "u", "user": {"token": token or self.token}}],
        }
        path.write_text(json.dumps(document))
        return str(path)

    def _tell(self, change: Change) -> None:
        self._changes.append(change)
        for queue, _ in self._watchers.values():
            queue.put_nowait(change)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if self.silent:
            await asyncio.sleep(LIMIT_S)
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or token != self.token:
            return _status(401, "Unauthorized")
        if request.path in {f"/apis/{group}" for group in self.groups}:
            return web.json_response({"kind": "APIGroup"})
        found = RESOURCE.match(request.path)
        if found is None or found["kind"] not in self.served:
            return _status(404, "the server could not find the requested resource")
        if found["kind"] == "selfsubjectaccessreviews":
            return self._review(await request.json())
        return await self._list_or_watch(request, found)

    async def _list_or_watch(self, request: web.Request, found: re.Match[str]) -> web.StreamResponse:
        kind, namespace = found["kind"], found["namespace"] or ""
        verb = "watch" if request.query.get("watch") == "true" else "list"
        group = f".{found['group']}" if found["group"] else ""
        forbidden = f"{verb} {kind}{group}" in self.denied
        if found["group"] == "metrics.k8s.io":
            kind = "podmetrics"
        self.requests.append((verb, kind))
        if forbidden:  # a right is asked for before it is asked whether there is anything
            return _forbidden(verb, found["kind"], found["group"] or "", namespace)
        if kind == "podmetrics" and not any(self._of(kind)):  # as without a metrics server
            return _status(404, "the server could not find the requested resource")
        if kind in self.broken:
            return _status(500, "etcdserver: request timed out")
        if verb == "watch":
            return await self._watch(request, kind, namespace)
        return self._list(request, kind, namespace)

    def _list(self, request: web.Request, kind: str, namespace: str) -> web.Response:
        items = [each for each in self._of(kind) if _matches(each, namespace, request.query)]
        begin, limit = int(request.query.get("continue", 0)), int(request.query.get("limit", 0)) or len(items)
        more = {"continue": str(begin + limit)} if begin + limit < len(items) else {}
        metadata = {"resourceVersion": str(self._version), **more}
        return web.json_response({"kind": "List", "metadata": metadata, "items": items[begin : begin + limit]})

    async def _watch(self, request: web.Request, kind: str, namespace: str) -> web.StreamResponse:
        since = int(request.query.get("resourceVersion") or 0)
        if since < self._oldest:
            return _status(410, "too old resource version", "Expired")
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        queue: asyncio.Queue[Change | bytes | None] = asyncio.Queue()
        for change in self._changes:
            if change.version > since:
                queue.put_nowait(change)
        assert isinstance(request.transport, asyncio.Transport)
        self._watchers[response] = queue, request.transport
        try:
            await response.write(self._bookmark(kind))
            while (change := await queue.get()) is not None:
                if isinstance(change, bytes):
                    await response.write(change + b"\n")
                elif change.kind == kind and _matches(change.document, namespace, request.query):
                    await response.write(_line(change.type, change.document))
        except ConnectionError:
            pass
        finally:
            del self._watchers[response]
        return response

    def _bookmark(self, kind: str) -> bytes:
        return _line("BOOKMARK", {"kind": kind, "metadata": {"resourceVersion": str(self._version)}})

    def _of(self, kind: str) -> Iterator[Document]:
        return (document for key, document in self._documents.items() if key[0] == kind)

    def _review(self, review: Document) -> web.Response:
        asked = review["spec"]["resourceAttributes"]
        resource = "/".join(part for part in (asked["resource"], asked.get("subresource")) if part)
        self.requests.append(("review", f"{asked['verb']} {resource}"))
        group = f".{asked['group']}" if asked["group"] else ""
        allowed = f"{asked['verb']} {resource}{group}" not in self.denied
        return web.json_response({**review, "status": {"allowed": allowed}}, status=201)


def _key(kind: str, document: Document) -> tuple[str, str, str]:
    return kind, document["metadata"].get("namespace", ""), document["metadata"]["name"]


def _matches(document: Document, namespace: str, query: Any) -> bool:
    metadata = document["metadata"]
    if namespace and metadata.get("namespace") != namespace:
        return False
    labels = dict(part.split("=", 1) for part in query.get("labelSelector", "").split(",") if part)
    fields = dict(part.split("=", 1) for part in query.get("fieldSelector", "").split(",") if part)
    return labels.items() <= metadata.get("labels", {}).items() and fields.get("metadata.name") in (
        None,
        metadata["name"],
    )


def _line(kind: str, document: Document) -> bytes:
    return json.dumps({"type": kind, "object": document}).encode() + b"\n"


def _status(code: int, message: str, reason: str = "") -> web.Response:
    return web.json_response({"kind": "Status", "code": code, "message": message, "reason": reason}, status=code)


def _forbidden(verb: str, kind: str, group: str, namespace: str) -> web.Response:
    where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    return _status(
        403,
        f'{kind} is forbidden: User "{USER}" cannot {verb} resource "{kind}" in API group "{group}" {where}',
        "Forbidden",
    )
