"""The listener for probes: it answers for the main loop, whatever connects to it."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from scale_app.cli import probes
from scale_app.cli.commands import CannotStart
from scale_app.cli.probes import MOST_OPEN, ProbeListener
from tests.serving import free_port


async def alive(request: Request) -> Response:
    return JSONResponse({"status": "ok", "host": request.headers["host"]})


async def unready(_request: Request) -> Response:
    return JSONResponse({"detail": "The database is away."}, 503, media_type="application/problem+json")


APPLICATION = Starlette(routes=[Route("/healthz", alive), Route("/readyz", unready), Route("/metrics", alive)])


@pytest.fixture
async def port() -> AsyncIterator[int]:
    port = free_port()
    listener = ProbeListener(APPLICATION, "127.0.0.1", port)
    listener.start()
    yield port
    listener.stop()


def ask(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(request)
        answer = b""
        while piece := client.recv(4_096):
            answer += piece
    return answer


async def asked(port: int, request: bytes) -> tuple[bytes, bytes]:
    """First line and body of the answer; nobody but the main loop can give it, so it is not waited for there."""
    head, _, body = (await asyncio.to_thread(ask, port, request)).partition(b"\r\n\r\n")
    return head.partition(b"\r\n")[0], body


async def test_probes_are_answered_by_the_application(port: int) -> None:
    line, body = await asked(port, b"GET /healthz?probe=1 HTTP/1.1\r\nHost: 10.0.0.7:8001\r\n\r\n")
    assert (line, body) == (b"HTTP/1.1 200 OK", b'{"status":"ok","host":"localhost"}')
    line, body = await asked(port, b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert line == b"HTTP/1.1 503 Service Unavailable"
    assert b"The database is away." in body
    assert await asked(port, b"HEAD /healthz HTTP/1.0\r\n\r\n") == (b"HTTP/1.1 200 OK", b"")


@pytest.mark.parametrize(
    "request_line",
    [b"GET /metrics HTTP/1.1", b"POST /healthz HTTP/1.1", b"GET / HTTP/1.1", b"GET //healthz HTTP/1.1"],
)
async def test_nothing_else_is_answered(port: int, request_line: bytes) -> None:
    line, body = await asked(port, request_line + b"\r\nHost: x\r\n\r\n")
    assert line == b"HTTP/1.1 404 Not Found"
    assert b"Only GET /healthz and GET /readyz" in body


class Counting:
    """The application; and how often each path was asked for."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked[scope["path"]] += 1
        await APPLICATION(scope, receive, send)


@pytest.mark.parametrize(("shared_s", "questions"), [(60.0, 1), (0.0, 40)])
async def test_whoever_asks_within_a_moment_gets_one_answer(
    monkeypatch: pytest.MonkeyPatch, shared_s: float, questions: int
) -> None:
    monkeypatch.setattr(probes, "SHARED_S", shared_s)
    application, port = Counting(), free_port()
    listener = ProbeListener(application, "127.0.0.1", port)
    listener.start()
    for _ in range(40):
        line, _ = await asked(port, b"GET /readyz HTTP/1.1\r\n\r\n")
        assert line == b"HTTP/1.1 503 Service Unavailable"
    assert (await asked(port, b"GET /healthz HTTP/1.1\r\n\r\n"))[0] == b"HTTP/1.1 200 OK"
    listener.stop()
    assert application.asked == {"/readyz": questions, "/healthz": 1}


async def test_a_main_loop_that_hangs_fails_its_probe(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "MAIN_LOOP_LIMIT_S", 0.2)
    with ThreadPoolExecutor(1) as another_thread:
        # The wait blocks this loop, which is the main one.
        answer = another_thread.submit(ask, port, b"GET /healthz HTTP/1.1\r\n\r\n").result(20)
    line, _, body = answer.partition(b"\r\n")
    assert line == b"HTTP/1.1 503 Service Unavailable"
    assert b"/healthz was not answered within 0.2 s: the server's main loop hangs" in body


async def test_silent_clients_are_cut_for_new_ones(port: int) -> None:
    silent = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(3 * MOST_OPEN)]
    try:
        line, _ = await asked(port, b"GET /healthz HTTP/1.1\r\n\r\n")
        assert line == b"HTTP/1.1 200 OK"
    finally:
        for each in silent:
            each.close()


async def test_a_client_that_says_half_is_let_go(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "REQUEST_LIMIT_S", 0.05)
    assert await asyncio.to_thread(ask_in_vain, port) == b""


def ask_in_vain(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(b"GET /heal")
        try:
            return client.recv(1)
        except ConnectionResetError:
            return b""


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no socket here takes both")
async def test_all_addresses_are_those_of_both_kinds() -> None:
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as free_on_all:
        port = free_on_all.getsockname()[1]
    listener = ProbeListener(APPLICATION, "::", port)
    listener.start()
    line, _ = await asked(port, b"GET /healthz HTTP/1.1\r\n\r\n")
    listener.stop()
    assert line == b"HTTP/1.1 200 OK"


async def test_a_taken_port_is_a_sentence(port: int) -> None:
    with pytest.raises(CannotStart, match=f"probes on 127.0.0.1:{port}: .*SCALE_PROBE_PORT"):
        ProbeListener(APPLICATION, "127.0.0.1", port)
