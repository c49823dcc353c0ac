"""The API on real sockets: a real server, real WebSocket clients, bodies in pieces, a client that takes nothing."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

ROOT = Path(__file__).parents[2]
START_LIMIT_S = 20.0
ALLOWED = "https://scale.example"
WHOLE = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A server of its own process over a fake hub that publishes a large snapshot a hundred times a second."""
    port = _free_port()
    command = [sys.executable, "-m", "tests.integration.api_application", str(port)]
    server = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})
    try:
        _wait_until_it_listens(server, port)
        yield port
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(timeout=10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


async def test_the_feed_comes_over_a_real_socket(port: int) -> None:
    async with connect(f"ws://127.0.0.1:{port}/ws/metrics") as feed:
        first, second = [json.loads(await asyncio.wait_for(feed.recv(), 5)) for _ in range(2)]
    assert first["type"] == second["type"] == "metrics_update"
    assert first["data"]["timestamp"] <= second["data"]["timestamp"]


@pytest.mark.parametrize("origin", [None, ALLOWED])
async def test_an_accepted_origin_gets_the_feed(port: int, origin: str | None) -> None:
    headers = {} if origin is None else {"Origin": origin}
    async with connect(f"ws://127.0.0.1:{port}/ws/metrics", additional_headers=headers) as feed:
        assert await asyncio.wait_for(feed.recv(), 5)


async def test_a_foreign_pages_handshake_is_answered_with_403(port: int) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"ws://127.0.0.1:{port}/ws/metrics", additional_headers={"Origin": "http://evil.example"})
    assert refused.value.response.status_code == 403


async def test_an_unknown_test_is_closed_with_4404_and_why(port: int) -> None:
    async with connect(f"ws://127.0.0.1:{port}/ws/metrics?test_id=no-such") as feed:
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(feed.recv(), 5)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, "no-such" in closed.value.rcvd.reason) == (4404, True)


async def test_a_body_in_pieces_is_cut_off_at_the_cap(port: int) -> None:
    async with _connection(port) as (reader, writer):
        writer.write(_head("POST", "/api/load-test/start", "Transfer-Encoding: chunked"))
        piece = b"x" * 4096
        for _ in range(17):
            writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        await writer.drain()
        assert b" 413 " in await asyncio.wait_for(reader.readline(), 5)


@pytest.mark.parametrize("chunks", [b"ZZ\r\nabc\r\n", b"5\r\nabcdefgh\r\n", b"ffffffffffffffffff\r\nabc\r\n"])
async def test_a_bad_chunk_is_a_bad_request(port: int, chunks: bytes) -> None:
    assert b"broke off" in await _refused(port, "Transfer-Encoding: chunked", b"2\r\n{}\r\n" + chunks)


@pytest.mark.parametrize(
    ("framing", "body"), [("Transfer-Encoding: chunked", b"5\r\nabc"), ("Content-Length: 50", b"abc")]
)
async def test_a_body_whose_sender_ends_early_is_a_bad_request(port: int, framing: str, body: bytes) -> None:
    assert b"broke off" in await _refused(port, framing, body, ends=True)


async def _refused(port: int, framing: str, body: bytes, ends: bool = False) -> bytes:
    """What such a request is answered, which must be 400. ends: its sender says that no more comes."""
    async with _connection(port) as (reader, writer):
        writer.write(_head("POST", "/api/load-test/start", framing) + body)
        if ends:
            writer.write_eof()
        assert b" 400 " in await asyncio.wait_for(reader.readline(), 10)
        return await asyncio.wait_for(reader.read(), 10)


async def test_start_and_list_over_a_real_socket(port: int) -> None:
    body = json.dumps({"target_url": "demo", "users": 1, "spawn_rate": 1, "duration": 5}).encode()
    async with _connection(port) as (reader, writer):
        length = f"Content-Type: application/json\r\nContent-Length: {len(body)}"
        writer.write(_head("POST", "/api/load-test/start", length) + body)
        assert b" 200 " in await asyncio.wait_for(reader.readline(), 5)


@pytest.mark.parametrize("says", [b"", b"G", b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-", WHOLE])
async def test_a_client_that_says_no_whole_request_is_let_go(port: int, says: bytes) -> None:
    async with _connection(port) as (reader, writer):
        writer.write(says)
        answer = await asyncio.wait_for(reader.read(), 60)
    assert answer.startswith(b"HTTP/1.1 200 ") == (says == WHOLE)


async def test_a_client_that_takes_nothing_holds_up_nobody(port: int) -> None:
    async with _connection(port) as (stalled, writer):
        writer.write(_head("GET", "/ws/metrics", HANDSHAKE))
        assert b" 101 " in await asyncio.wait_for(stalled.readline(), 5)
        stalled._transport.pause_reading()  # type: ignore[attr-defined]
        async with connect(f"ws://127.0.0.1:{port}/ws/metrics") as feed:
            for _ in range(100):
                await asyncio.wait_for(feed.recv(), 5)


async def test_a_client_that_takes_nothing_is_cut_off_though_it_takes_no_close_either(port: int) -> None:
    with socket.socket() as stalled:
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        stalled.connect(("127.0.0.1", port))
        stalled.sendall(_head("GET", "/ws/metrics", HANDSHAKE))
        own_port = stalled.getsockname()[1]
        deadline = time.monotonic() + 60
        while _is_connected(port, own_port) and time.monotonic() < deadline:
            await asyncio.sleep(0.2)
        assert not _is_connected(port, own_port)


def _is_connected(port: int, client_port: int) -> bool:
    """True while the system keeps the server's side of this connection."""
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return any((row[1], row[2]) == (f"0100007F:{port:04X}", f"0100007F:{client_port:04X}") for row in rows)


HANDSHAKE = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
)


def _head(method: str, path: str, headers: str) -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n\r\n".encode()


@asynccontextmanager
async def _connection(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        # One turn of the loop, so that the socket is closed before the test ends.
        await asyncio.sleep(0)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_it_listens(server: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"The server did not listen on port {port} within {START_LIMIT_S:g} s.")
