"""Targets that refuse, hang, lie or break: each gives its own cause, in bounded time and memory."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import os
import shlex
import socket
import ssl
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from scale_app.adapters.locust_process import LocustLoad, LocustProcess
from scale_app.adapters.this_machine import SystemClock
from scale_app.domain.plan import LoadPlan
from scale_app.domain.samples import LoadEnded, TrafficSample
from scale_app.domain.snapshot import Source
from scale_app.ports import Admitted
from tests.tiny_server import served

PLAN = LoadPlan(users=3, spawn_rate=100, duration_s=1, think_time_s=0.05, timeout_s=0.4, requests_per_connection=None)
HEAD = b"HTTP/1.1 200 OK\r\nX-Pod-Name: pod-a\r\n"
MEBIBYTE = 2**20
BOMB = gzip.compress(bytes(512 * MEBIBYTE // 8), 9) * 8
"""Half a megabyte that unpacks to half a gigabyte."""

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Conversations:
    """How a bad server treats a connection after it has read the request. Each takes the writer."""

    @staticmethod
    async def hang(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    @staticmethod
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"Content-Length: 1000\r\n\r\n")
        for _ in range(1_000):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)

    @staticmethod
    async def endless_body(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"\r\n")
        while True:
            writer.write(bytes(10_000))
            await writer.drain()
            await asyncio.sleep(0.001)

    @staticmethod
    async def close(writer: asyncio.StreamWriter) -> None: ...

    @staticmethod
    async def reset_in_body(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"Content-Length: 100\r\n\r\nhalf")
        await writer.drain()
        await asyncio.sleep(0.02)
        connected = writer.get_extra_info("socket")
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    @staticmethod
    async def promise_too_much(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"Content-Length: 100\r\n\r\nhalf")

    @staticmethod
    async def garble(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 two hundred\r\n\r\n")

    @staticmethod
    async def huge_header(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"X-Big: ")
        for _ in range(16):
            writer.write(b"x" * MEBIBYTE)
            await writer.drain()

    @staticmethod
    async def gzip_bomb(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB) + BOMB)

    @staticmethod
    async def say_a_wrong_length(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"Content-Length: 2\r\n\r\nhi, and much more than that")

    @staticmethod
    async def unavailable(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 503 No\r\nX-Pod-Name: pod-a\r\nContent-Length: 0\r\n\r\n")


@contextlib.asynccontextmanager
async def bad_server(
    answer: Callable[[asyncio.StreamWriter], Awaitable[None]], tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """A server that reads each request and then does `answer` and closes; gives its port."""
    at_work: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        at_work.add(asyncio.current_task())
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            await reader.readuntil(b"\r\n\r\n")
            await answer(writer)
        writer.close()
        at_work.discard(asyncio.current_task())

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in at_work:
            if task is not None:
                task.cancel()
        await asyncio.sleep(0)


async def last_of(url: str, plan: LoadPlan = PLAN, networks: tuple[str, ...] = ("127.0.0.0/8",)) -> TrafficSample:
    load = await LocustProcess(SystemClock()).start(plan, Admitted(url, Source.HEADER, networks))
    samples = [sample async for sample in load.samples()]
    assert isinstance(samples[-1], LoadEnded)
    assert samples[-1].error == ""
    assert isinstance(samples[-2], TrafficSample)
    return samples[-2]


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (Conversations.hang, "timeout"),
        (Conversations.drip, "timeout"),
        (Conversations.endless_body, "timeout"),
        (Conversations.close, "closed early"),
        (Conversations.reset_in_body, "connection reset"),
        (Conversations.promise_too_much, "closed early"),
        (Conversations.garble, "malformed answer"),
        (Conversations.huge_header, "header too large"),
    ],
)
async def test_a_bad_answer_is_counted_under_its_cause(
    answer: Callable[[asyncio.StreamWriter], Awaitable[None]], cause: str
) -> None:
    async with bad_server(answer) as port:
        seen = await last_of(f"http://127.0.0.1:{port}/")
    assert set(seen.errors) == {cause}
    assert seen.errors[cause] == seen.requests >= 3
    assert seen.pods == {}
    # No hot loop: 3 users that wait 0.1, 0.2, 0.4, ... s after each failure.
    assert seen.requests <= 3 * 8


async def test_an_error_status_is_a_failure_of_the_pod_that_gave_it() -> None:
    async with bad_server(Conversations.unavailable) as port:
        seen = await last_of(f"http://127.0.0.1:{port}/")
    assert seen.errors == {"HTTP 503": seen.requests}
    assert seen.pods["pod-a"].failures == seen.pods["pod-a"].requests == seen.requests > 10


async def test_a_refused_connection_is_tried_again_with_patience() -> None:
    async with bad_server(Conversations.close) as port:
        pass
    seen = await last_of(f"http://127.0.0.1:{port}/")
    assert set(seen.errors) == {"connection refused"}
    assert 3 <= seen.requests <= 3 * 8
    assert seen.connections == 0


async def test_more_than_the_announced_length_counts_as_the_answer_and_ends_the_connection() -> None:
    async with bad_server(Conversations.say_a_wrong_length) as port:
        seen = await last_of(f"http://127.0.0.1:{port}/")
    assert seen.errors == {}
    assert seen.pods["pod-a"].requests == seen.requests == seen.connections > 10


async def test_a_compressed_bomb_is_counted_by_its_bytes_and_never_unpacked() -> None:
    async with bad_server(Conversations.gzip_bomb) as port:
        resident, seen = await watched(LoadPlan(users=2, spawn_rate=100, duration_s=2, timeout_s=5), port)
    assert seen.errors == {}
    assert seen.pods["pod-a"].requests == seen.requests > 2
    assert max(resident) < resident[0] + 30


async def test_without_a_free_local_port_it_says_so_and_waits() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may make a network namespace")
    process = await asyncio.create_subprocess_exec(
        "unshare", "--net", sys.executable, "-m", "tests.integration.nine_ports", stdout=asyncio.subprocess.PIPE
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    requests, connections, errors = json.loads(output)
    assert set(errors) == {"no free local port"}
    assert 0 < connections <= 9
    assert 0 < errors["no free local port"] == requests - connections
    assert errors["no free local port"] <= 11 * 8  # patience, no hot loop


async def test_no_connection_is_opened_outside_the_admitted_networks() -> None:
    touched = asyncio.Event()

    async def touch(writer: asyncio.StreamWriter) -> None:
        touched.set()

    async with bad_server(touch) as port:
        for url in (f"http://127.0.0.1:{port}/", f"http://localhost:{port}/"):
            seen = await last_of(url, networks=("10.0.0.0/8",))
            assert set(seen.errors) == {"address not allowed"}
            assert seen.connections == 0
    assert not touched.is_set()


async def test_a_name_that_does_not_exist_says_so() -> None:
    seen = await last_of("http://no-such-name.invalid/", LoadPlan(users=1, duration_s=1, timeout_s=20))
    assert set(seen.errors) == {"name not resolved"}


def self_signed(folder: Path, days: int = 2) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS for localhost, and its certificate's file. days: of its life; negative: it is over."""
    key, request, certificate = folder / "key.pem", folder / "request.pem", folder / "certificate.pem"
    names = folder / "names"
    names.write_text("subjectAltName=DNS:localhost")
    asked = "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost"
    openssl(asked, "-keyout", key, "-out", request)
    openssl(f"x509 -req -days {days}", "-in", request, "-signkey", key, "-extfile", names, "-out", certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, certificate


def openssl(asked: str, *files: str | Path) -> None:
    subprocess.run(["openssl", *shlex.split(asked), *map(str, files)], check=True, capture_output=True)


async def test_an_expired_certificate_says_so(tmp_path: Path) -> None:
    context, certificate = self_signed(tmp_path, days=-1)
    async with bad_server(Conversations.unavailable, context) as port:
        seen = await last_of(f"https://localhost:{port}/", replace(PLAN, ca_pem=certificate.read_text()))
    assert set(seen.errors) == {"TLS: certificate has expired"}
    assert seen.requests <= 3 * 8


async def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    context, _ = self_signed(tmp_path)
    async with bad_server(Conversations.unavailable, context) as port:
        seen = await last_of(f"https://localhost:{port}/")
    assert set(seen.errors) == {"TLS: self-signed certificate"}


async def test_a_trusted_certificate_is_accepted_for_its_own_name_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, certificate = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with bad_server(Conversations.unavailable, context) as port:
        good = await last_of(f"https://localhost:{port}/")
        bad = await last_of(f"https://127.0.0.1:{port}/")
    assert good.errors == {"HTTP 503": good.pods["pod-a"].requests}
    (cause,) = bad.errors
    assert cause.startswith("TLS: ip address mismatch")


async def test_a_server_without_tls_on_an_https_url_says_so() -> None:
    async def speak_plainly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with served(speak_plainly) as port:
        seen = await last_of(f"https://127.0.0.1:{port}/")
    assert all(cause.startswith("TLS: ") for cause in seen.errors)


async def test_an_endless_body_does_not_fill_the_memory() -> None:
    async def flood(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"\r\n")
        while True:
            writer.write(bytes(MEBIBYTE))
            await writer.drain()

    async with bad_server(flood) as port:
        resident, _ = await watched(LoadPlan(users=2, spawn_rate=100, duration_s=2, timeout_s=5), port)
    assert max(resident) < resident[0] + 30


async def watched(plan: LoadPlan, port: int) -> tuple[list[float], TrafficSample]:
    """The worker's memory in MiB at each sample but the last, and the last sample."""
    load = await LocustProcess(SystemClock()).start(
        plan, Admitted(f"http://127.0.0.1:{port}/", Source.HEADER, ("127.0.0.0/8",))
    )
    assert isinstance(load, LocustLoad)
    resident: list[float] = []
    seen: list[TrafficSample] = []
    async for sample in load.samples():
        if isinstance(sample, TrafficSample):
            seen.append(sample)
            resident.append(resident_mib(load.pid))
    return resident[:-1], seen[-1]


def resident_mib(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:  # it has ended
        return 0.0
    return pages * 4_096 / MEBIBYTE
