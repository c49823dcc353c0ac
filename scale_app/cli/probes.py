"""A listener of their own for Kubernetes' probes, so that nobody who fills the server's port makes it look dead.

It has a thread and a loop of its own, yet says nothing itself: each answer is the application's, made on the main
loop, where the runs are. A main loop that hangs fails its probes. All who ask within a moment get one answer, so that
nobody keeps the main loop, or the database, busy with such questions.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
from concurrent.futures import Future
from http import HTTPStatus
from threading import Thread
from typing import NamedTuple

from starlette.types import ASGIApp, Message

from scale_app.api.problems import error_body
from scale_app.cli.commands import CannotStart

ASKED = re.compile(rb"(GET|HEAD) (/healthz|/readyz)(?:\?\S*)? HTTP/1\.[01]\r\n")
MOST_OPEN = 32
"""More than a kubelet ever opens; the oldest is cut for a new one."""
MAIN_LOOP_LIMIT_S = 4.0
"""Less than the five seconds that k8s/deployment.yaml gives a probe."""
REQUEST_LIMIT_S = 5.0
SHARED_S = 0.5
"""For so long an answer is given to others, too."""
HANGS = "the server's main loop hangs, or for /readyz the database does. Look at its log and at its CPU."


class ProbeAnswer(NamedTuple):
    """status: HTTP's. body: JSON. kind: its content type."""

    status: int
    body: bytes
    kind: str


class ProbeListener:
    """Answers /healthz and /readyz, and nothing else."""

    def __init__(self, application: ASGIApp, host: str, port: int) -> None:
        """Listens at once; answers from `start` on. Raises CannotStart."""
        self._application = application
        self._open: list[asyncio.StreamWriter] = []
        self._shared: dict[str, asyncio.Future[ProbeAnswer]] = {}
        family, both = socket.AF_INET6 if ":" in host else socket.AF_INET, host == "::" and socket.has_dualstack_ipv6()
        try:
            self._socket = socket.create_server((host, port), family=family, backlog=MOST_OPEN, dualstack_ipv6=both)
        except OSError as error:
            raise CannotStart(
                f"Cannot listen for probes on {host}:{port}: {error.strerror or error}; "
                "stop what uses it or set SCALE_PROBE_PORT to a free port."
            ) from error

    def start(self) -> None:
        """Answer from a thread; the running loop is the one that is probed."""
        self._main_loop = asyncio.get_running_loop()
        begun: Future[asyncio.AbstractEventLoop] = Future()
        self._thread = Thread(target=lambda: asyncio.run(self._serve(begun)), name="probes", daemon=True)
        self._thread.start()
        self._loop = begun.result()

    def stop(self) -> None:
        """Listen no longer."""
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()

    async def _serve(self, begun: Future[asyncio.AbstractEventLoop]) -> None:
        self._ended = asyncio.Event()
        async with await asyncio.start_server(self._on_connection, sock=self._socket, limit=8_192):
            begun.set_result(asyncio.get_running_loop())
            await self._ended.wait()
            for writer in self._open:
                writer.transport.abort()

    async def _on_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.append(writer)
        if len(self._open) > MOST_OPEN:
            self._open[0].transport.abort()
        try:
            async with asyncio.timeout(REQUEST_LIMIT_S):
                await self._answer(await reader.readuntil(b"\r\n\r\n"), writer)
        except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
            writer.transport.abort()
        finally:
            self._open.remove(writer)
            writer.close()

    async def _answer(self, head: bytes, writer: asyncio.StreamWriter) -> None:
        asked = ASKED.match(head)
        path = asked[2].decode() if asked else ""
        status, body, kind = await self._of_all(path) if path else NOTHING_ELSE
        lines = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
            "Connection: close\r\n\r\n"
        )
        writer.write(lines.encode() + (b"" if head.startswith(b"HEAD ") else body))
        await writer.drain()

    async def _of_all(self, path: str) -> ProbeAnswer:
        """The answer that somebody waits for, or has just got, else a new one."""
        if path not in self._shared:
            self._shared[path] = asking = asyncio.ensure_future(self._of_main_loop(path))
            asking.add_done_callback(lambda _: self._loop.call_later(SHARED_S, self._shared.pop, path))
        return await asyncio.shield(self._shared[path])

    async def _of_main_loop(self, path: str) -> ProbeAnswer:
        answer = asyncio.run_coroutine_threadsafe(answered(self._application, path), self._main_loop)
        try:
            async with asyncio.timeout(MAIN_LOOP_LIMIT_S):
                return await asyncio.wrap_future(answer)
        except TimeoutError:
            return _problem(path, 503, f"{path} was not answered within {MAIN_LOOP_LIMIT_S:g} s: {HANGS}")


async def answered(application: ASGIApp, path: str) -> ProbeAnswer:
    """What the application answers to a GET of this path from this machine."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "state": {},
        "headers": [(b"host", b"localhost")], "client": ("127.0.0.1", 0), "server": ("localhost", 0),
    }  # fmt: skip
    await application(scope, receive, send)
    headers = dict(sent[0]["headers"])
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return ProbeAnswer(sent[0]["status"], body, headers[b"content-type"].decode())


def _problem(path: str, status: int, sentence: str) -> ProbeAnswer:
    body, kind = error_body(path, status, sentence)
    return ProbeAnswer(status, json.dumps(body).encode(), kind)


NOTHING_ELSE = _problem("/healthz", 404, "Only GET /healthz and GET /readyz are answered here.")
