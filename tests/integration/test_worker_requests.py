"""What is asked for, over plain and encrypted connections, against servers that note what they got."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import ssl
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from scale_app.adapters.locust_process import LocustProcess
from scale_app.adapters.this_machine import SystemClock
from scale_app.domain.errors import GeneratorFailed
from scale_app.domain.plan import LoadPlan
from scale_app.domain.samples import LoadEnded, TrafficSample
from scale_app.domain.snapshot import Source
from scale_app.ports import Admitted

PLAN = LoadPlan(users=3, spawn_rate=100, duration_s=1, think_time_s=0.02, timeout_s=5, requests_per_connection=None)
OK = b"HTTP/1.1 200 OK\r\nX-Pod-Name: pod-a\r\nContent-Length: 2\r\n\r\nhi"


class NotingServer:
    """Notes each request and gives the same answer to all of them; closes after so many on a connection."""

    def __init__(self, answer: bytes = OK, close_after: int | None = None) -> None:
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self._answer = answer
        self._close_after = close_after
        self._at_work: set[asyncio.Task[None] | None] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._at_work.add(asyncio.current_task())
        served = 0
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError, ssl.SSLError):
            while served != self._close_after:
                head = await reader.readuntil(b"\r\n\r\n")
                _, found, length = head.lower().partition(b"content-length: ")
                body = await reader.readexactly(int(length.partition(b"\r\n")[0])) if found else b""
                self.heads.append(head)
                self.bodies.append(body)
                served += 1
                writer.write(self._answer)
            await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError, asyncio.CancelledError):
            await writer.wait_closed()

    @contextlib.asynccontextmanager
    async def running(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0, ssl=tls)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            tasks = [task for task in self._at_work if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.sleep(0)


async def last_of(url: str, plan: LoadPlan) -> TrafficSample:
    load = await LocustProcess(SystemClock()).start(plan, Admitted(url, Source.HEADER, ("127.0.0.0/8",)))
    samples = [sample async for sample in load.samples()]
    assert isinstance(samples[-1], LoadEnded)
    assert samples[-1].error == ""
    assert isinstance(samples[-2], TrafficSample)
    return samples[-2]


def tls_of(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS for localhost, and its certificate's file."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    asked = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", *shlex.split(asked), *names], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, certificate


async def test_a_large_body_arrives_whole_and_in_order() -> None:
    server, body = NotingServer(), "".join(chr(97 + i % 26) for i in range(1_000_000))
    async with server.running() as port:
        seen = await last_of(f"http://127.0.0.1:{port}/", replace(PLAN, method="POST", body=body, users=2))
    assert seen.requests == len(server.bodies) > 2
    assert set(server.bodies) == {body.encode()}
    assert seen.errors == {}


async def test_headers_of_the_plan_are_sent() -> None:
    server = NotingServer()
    async with server.running() as port:
        await last_of(f"http://127.0.0.1:{port}/", replace(PLAN, headers={"Host": "shop", "X-Tenant": "blue"}))
    assert all(b"\r\nHost: shop\r\n" in head and b"\r\nX-Tenant: blue\r\n" in head for head in server.heads)


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nX-Pod-Name: pod-a\r\nContent-Length: 500\r\n\r\n"),
        ("DELETE", b"HTTP/1.1 204 No Content\r\nX-Pod-Name: pod-a\r\n\r\n"),
        ("GET", b"HTTP/1.1 302 Found\r\nX-Pod-Name: pod-a\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n"),
        ("GET", b"HTTP/1.1 200 OK\r\nX-Pod-Name: pod-a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"),
        ("GET", b"HTTP/1.1 100 Continue\r\n\r\n" + OK),
    ],
    ids=["head", "204", "redirect", "chunked", "interim"],
)
async def test_answers_of_every_form_keep_the_connection(method: str, answer: bytes) -> None:
    server = NotingServer(answer)
    async with server.running() as port:
        seen = await last_of(f"http://127.0.0.1:{port}/", replace(PLAN, method=method))
    assert seen.requests == seen.pods["pod-a"].requests == len(server.heads) > 30
    assert (seen.connections, server.connections, seen.errors) == (3, 3, {})
    assert all(head.startswith(f"{method} / ".encode()) for head in server.heads)


async def test_a_request_that_is_not_idempotent_is_never_sent_twice() -> None:
    server = NotingServer(close_after=2)
    plan = replace(PLAN, method="POST", body="x", think_time_s=0, users=1)
    async with server.running() as port:
        seen = await last_of(f"http://127.0.0.1:{port}/", plan)
    assert seen.pods["pod-a"].requests == len(server.heads)
    assert set(seen.errors) <= {"closed early"}


@pytest.mark.parametrize("most", [None, 1], ids=["keep-alive", "new each"])
async def test_every_encrypted_answer_is_counted(tmp_path: Path, most: int | None) -> None:
    tls, certificate = tls_of(tmp_path)
    server = NotingServer()
    plan = replace(PLAN, ca_pem=certificate.read_text(), requests_per_connection=most)
    async with server.running(tls) as port:
        seen = await last_of(f"https://localhost:{port}/", plan)
    assert seen.requests == seen.pods["pod-a"].requests == len(server.heads) > 10
    assert (seen.connections, seen.errors) == (server.connections, {})


async def test_large_bodies_cross_an_encrypted_connection_both_ways(tmp_path: Path) -> None:
    tls, certificate = tls_of(tmp_path)
    size, body = 300_000, "b" * 500_000
    head = b"HTTP/1.1 200 OK\r\nX-Pod-Name: pod-a\r\nContent-Length: %d\r\n\r\n" % size
    server = NotingServer(head + bytes(size))
    plan = replace(PLAN, ca_pem=certificate.read_text(), method="PUT", body=body, users=2)
    async with server.running(tls) as port:
        seen = await last_of(f"https://localhost:{port}/", plan)
    assert seen.requests == len(server.bodies) > 2
    assert set(server.bodies) == {body.encode()}
    assert seen.errors == {}


async def test_certificates_are_not_verified_when_the_plan_says_so(tmp_path: Path) -> None:
    tls, _ = tls_of(tmp_path)
    async with NotingServer().running(tls) as port:
        seen = await last_of(f"https://127.0.0.1:{port}/", replace(PLAN, verify_tls=False))
    assert seen.errors == {}
    assert seen.requests > 10


async def test_authorities_that_cannot_be_read_are_said_before_anything_is_sent() -> None:
    broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    target = Admitted("https://localhost:1/", Source.HEADER, ("127.0.0.0/8",))
    with pytest.raises(GeneratorFailed, match=r"ca_pem = .*OpenSSL cannot read it"):
        await LocustProcess(SystemClock()).start(replace(PLAN, ca_pem=broken), target)
