"""The running server is no target, nor is the demo by its port, by any name and any form of an address; and the gate on
this machine's own sockets and resolver."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from scale_app.adapters import own_answer
from scale_app.adapters.gatekeeper import TargetGatekeeper, is_own_address
from scale_app.adapters.own_answer import answers_as_scale
from scale_app.adapters.this_machine import listening_ports
from scale_app.domain.errors import TargetRefused, TargetUnavailable
from scale_app.domain.plan import LoadPlan
from tests.serving import PROJECT, Served, fetch, free_port, served
from tests.tiny_server import served as tiny_served

JSON = {"Content-Type": "application/json"}
FAMILIES = (socket.AF_INET, socket.AF_INET6)
OWN = [each.address for found in psutil.net_if_addrs().values() for each in found if each.family in FAMILIES]
ADDRESSES = [address for address in OWN if "%" not in address]
LISTED = ["localhost", "scale.test", "127.0.0.0/8", "::1", *ADDRESSES]
FORMS = ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "017700000001", "127.9.9.9", "localhost", "LOCALHOST"]
SIX = ["[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]"]
LISTEN = (
    "import socket, sys; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True); input()"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    settings = {
        "SCALE_ALLOWED_TARGETS": ",".join((*LISTED, "*.team.test")),
        "SCALE_PUBLIC_URL": "https://scale.test",
        "SCALE_ALLOWED_HOSTS": "*.team.test",
    }
    with served(
        [sys.executable, "-m", "tests.integration.hub_application"],
        environment=os.environ | {"PYTHONPATH": str(PROJECT)} | settings,
        scratch=tmp_path_factory.mktemp("doors"),
    ) as running:
        yield running


def started(server: Served, url: str, **plan: object) -> tuple[int, dict[str, str]]:
    """Status and answer of a start."""
    body = {"target_url": url, "users": 1, "duration_s": 1, **plan}
    status, answer = fetch(f"{server.url}/api/v1/runs", JSON, json.dumps(body).encode())
    return status, json.loads(answer)


@pytest.mark.parametrize("host", [*FORMS, *SIX, *(f"[{each}]" if ":" in each else each for each in ADDRESSES)])
def test_the_servers_own_port_is_refused_in_every_form(server: Served, host: str) -> None:
    status, answer = started(server, f"http://{host}:{server.port}/api/v1/plans/stolen")
    assert (status, "is Scale itself" in answer["detail"]) == (403, True), answer


def test_the_servers_public_name_is_refused_and_no_other_host_may_be_asked_for(server: Served) -> None:
    status, answer = started(server, "https://scale.test/")
    assert (status, "is Scale itself" in answer["detail"]) == (403, True)
    for host in ("scale.test", "admin.internal"):
        status, answer = started(server, "http://127.0.0.1:9/", headers={"Host": host})
        assert (status, "the Host header" in answer["detail"] or "its Host header" in answer["detail"]) == (403, True)


def test_the_demo_is_reached_as_the_demo_alone(server: Served) -> None:
    status, run = started(server, "demo", duration_s=30)
    assert status == 201
    demo = [child for child in psutil.Process(server.process.pid).children() if "scale_app.demo" in child.cmdline()]
    ports = [each.laddr.port for each in demo[0].net_connections("tcp") if each.status == psutil.CONN_LISTEN]
    assert ports
    for port in ports:
        status, answer = started(server, f"http://127.0.0.1:{port}/")
        assert (status, "is Scale itself" in answer["detail"]) == (403, True)
    fetch(f"{server.url}/api/v1/runs/{run['run_id']}/stop", JSON, b"")


def test_another_port_of_a_listed_machine_is_loaded(server: Served) -> None:
    status, run = started(server, f"http://127.0.0.1:{free_port()}/")
    assert status == 201
    fetch(f"{server.url}/api/v1/runs/{run['run_id']}/stop", JSON, b"")


@contextlib.contextmanager
def looking() -> Iterator[list[str]]:
    """The hosts that this process asks its resolver for, until the block ends; a hook cannot be taken away again."""
    asked: list[str] = []
    seeing = True

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event == "socket.getaddrinfo" and seeing:
            asked.append(str(arguments[0]))

    sys.addaudithook(hook)
    try:
        yield asked
    finally:
        seeing = False


async def unused() -> str:
    raise AssertionError


async def test_the_resolver_hears_of_listed_names_only() -> None:
    gate = TargetGatekeeper(("10.0.0.0/8", "0.0.0.0/0", "listed.invalid", "kubernetes:*/*"), unused)
    with looking() as asked:
        unlisted = ("secret.evil.invalid", "cart.shop.svc", "localhost", "10.0.0.1.", "10.0.0.1%secret.evil.invalid")
        for host in (*unlisted, "metadata.google.internal"):
            with pytest.raises(TargetRefused):
                await gate.admit(LoadPlan(f"http://{host}/"))
        assert asked == []
        with pytest.raises(TargetUnavailable):
            await gate.admit(LoadPlan("http://listed.invalid/"))
    assert set(asked) == {"listed.invalid"}


def test_own_ports_are_those_on_which_this_process_and_its_children_listen() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.socket() as bound,
        subprocess.Popen(
            [sys.executable, "-c", LISTEN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as child,
    ):
        assert child.stdout is not None
        bound.bind(("127.0.0.1", 0))
        of_child, found = int(child.stdout.readline()), listening_ports()
        child.communicate("\n")
        of_both = {listening.getsockname()[1], of_child}
        assert of_both <= found
        assert bound.getsockname()[1] not in found
    assert not of_both & listening_ports()


@pytest.mark.parametrize("address", ADDRESSES)
async def test_each_address_of_an_interface_is_this_machine(address: str) -> None:
    assert is_own_address(address)
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(TargetRefused, match="is this machine"):
        await TargetGatekeeper(("0.0.0.0/0", "::/0"), unused).admit(LoadPlan(f"http://{host}:9/"))
    listed = TargetGatekeeper((address,), unused, own_ports=lambda: (8000,))
    assert (await listed.admit(LoadPlan(f"http://{host}:9/"))).one_port
    with pytest.raises(TargetRefused, match="is Scale itself"):
        await listed.admit(LoadPlan(f"http://{host}:8000/"))


def test_a_load_that_comes_back_by_an_unknown_way_is_refused_at_the_door(server: Served) -> None:
    status, answer = fetch(f"{server.url}/api/v1/runs", {"X-Scale-Load": "1"})
    assert (status, b"is Scale itself" in answer) == (508, True)
    assert fetch(f"{server.url}/api/v1/runs")[0] == 200


async def test_scale_is_known_by_its_answer_and_nothing_else_is(server: Served) -> None:
    there = f"http://x.team.test:{server.port}/any/path?a=b"
    assert await answers_as_scale(there, ["127.0.0.1"])
    assert await answers_as_scale(there, ["::1", "127.0.0.1"])  # it listens on the second alone
    assert await answers_as_scale(f"http://api.test:{server.port}/", ["127.0.0.1"], "x.team.test")
    assert not await answers_as_scale(f"http://127.0.0.1:{free_port()}/", ["127.0.0.1"])
    heads = []

    async def pod(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere.test/\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async with tiny_served(pod) as port:
        assert not await answers_as_scale(f"http://cart.team.test:{port}/a?b", ["127.0.0.1"])
    assert len(heads) == 1
    assert heads[0].startswith(b"HEAD /a?b HTTP/1.1\r\n")
    assert f"Host: cart.team.test:{port}".encode() in heads[0]


async def test_a_silent_target_holds_a_start_up_for_a_moment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_answer, "LIMIT_S", 0.3)
    silent = asyncio.Event()

    async def never(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await silent.wait()

    async with tiny_served(never) as port:
        assert not await answers_as_scale(f"http://x.team.test:{port}/", ["127.0.0.1"])


async def test_the_server_behind_a_proxy_under_a_name_of_its_own_domain_is_refused(server: Served) -> None:
    async def passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", server.port)
        back.write(await reader.readuntil(b"\r\n\r\n"))
        writer.write(await there.readuntil(b"\r\n\r\n"))
        await writer.drain()
        back.close()

    async with tiny_served(passed_on) as port:
        plan = {"url": f"http://127.0.0.1:{port}/", "headers": {"Host": "x.team.test"}}
        status, answer = await asyncio.to_thread(lambda: started(server, **plan))
    assert (status, "Scale itself answers there" in answer["detail"]) == (403, True), answer
