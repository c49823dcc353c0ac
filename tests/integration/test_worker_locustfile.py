"""Locustfiles as people have them: unchanged, counted per pod, and kept inside what was admitted."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from scale_app.adapters.locust_process import LocustProcess
from scale_app.adapters.this_machine import SystemClock
from scale_app.domain.errors import GeneratorFailed
from scale_app.domain.plan import LoadPlan
from scale_app.domain.snapshot import Source
from scale_app.ports import Admitted
from tests.integration.test_worker_counts import CountingServer, until
from tests.integration.test_worker_processes import following
from tests.tiny_server import served

PLAN = LoadPlan(users=6, spawn_rate=100, requests_per_connection=None, timeout_s=2, locustfile="shop.py")

SHOP = """
from locust import FastHttpUser, HttpUser, constant, events, task

@events.test_start.add_listener
def started(environment, **_):
    print("a file may print as it likes", flush=True)

class Visitor(HttpUser):
    wait_time = constant(0.02)
    @task
    def look(self):
        self.client.get("/")

class Buyer(FastHttpUser):
    wait_time = constant(0.02)
    @task(3)
    def buy(self):
        self.client.post("/buy", json={"id": 1})
    @task
    def check(self):
        with self.client.get("/", catch_response=True) as answer:
            answer.failure("the basket is empty")
"""

LEAVING = """
from locust import FastHttpUser, HttpUser, constant, task
class Leaving(HttpUser):
    wait_time = constant(0.1)
    @task
    def leave(self):
        self.client.get("http://127.0.0.2:1/")
    @task
    def refused(self):
        self.client.get("http://127.0.0.1:1/")
class LeavingFast(FastHttpUser):
    network_timeout = 0.1
    wait_time = constant(0.1)
    @task
    def leave(self):
        self.client.get("http://127.0.0.2:1/")
    @task
    def refused(self):
        self.client.get("http://127.0.0.1:1/")
    @task
    def hang(self):
        self.client.get("/")
"""


BUSY = """
from time import perf_counter
from locust import FastHttpUser, constant, task
class Busy(FastHttpUser):
    wait_time = constant(0.02)
    @task
    def compute(self):
        self.client.get("/")
        until_s = perf_counter() + 2.5
        while perf_counter() < until_s:
            pass
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SCALE_LOCUSTFILES", str(tmp_path))
    return tmp_path


class CountingWithBodies(CountingServer):
    """Reads bodies too."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        class Requests:
            async def readuntil(self, _: bytes) -> bytes:
                head = await reader.readuntil(b"\r\n\r\n")
                _, found, length = head.lower().partition(b"content-length: ")
                await reader.readexactly(int(length.partition(b"\r\n")[0]) if found else 0)
                return head

        await super().serve(Requests(), writer)  # type: ignore[arg-type]


@pytest.mark.parametrize("processes", [1, 2])
async def test_users_of_both_kinds_are_counted_for_the_pods_that_answered(folder: Path, processes: int) -> None:
    (folder / "shop.py").write_text(SHOP)
    plan = LoadPlan(**{name: getattr(PLAN, name) for name in PLAN.__slots__} | {"processes": processes})
    async with CountingWithBodies(delay_s=0.005).running() as server:
        run = await following(plan, server.port)
        await until(lambda: run.users() == 6 and run.traffic[-1].requests > 150, 20)
        await run.load.stop()
        assert (await run.ended()).error == ""
    end = run.traffic[-1]
    assert {name: pod.requests for name, pod in end.pods.items()} == dict(server.answered)
    assert end.requests == server.answered.total()
    assert end.connections == server.connections
    assert end.loads is None
    assert set(end.errors) == {"the basket is empty"}
    assert sum(pod.failures for pod in end.pods.values()) == end.errors["the basket is empty"]
    assert all(pod.latency.total == pod.requests for pod in end.pods.values())


async def test_processes_that_are_too_busy_to_answer_for_seconds_are_not_taken_for_dead(folder: Path) -> None:
    (folder / "busy.py").write_text(BUSY)
    plan = replace(PLAN, locustfile="busy.py", users=2, processes=2, duration_s=6)
    async with CountingWithBodies().running() as server:
        run = await following(plan, server.port)
        assert (await asyncio.wait_for(run.ended(), 40)).error == ""
    assert run.notices == []
    assert run.traffic[-1].generator.lost_processes == 0


async def test_what_goes_wrong_has_the_same_names_and_no_connection_leaves_the_admitted_networks(folder: Path) -> None:
    (folder / "shop.py").write_text(LEAVING)

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with served(hang) as port:
        target = Admitted(f"http://127.0.0.1:{port}/", Source.HEADER, ("127.0.0.1/32",))
        load = await LocustProcess(SystemClock()).start(PLAN, target)
        errors: dict[str, int] = {}
        async for sample in load.samples():
            errors = dict(getattr(sample, "errors", errors))
            if len(errors) >= 3:
                await load.stop()
    assert set(errors) == {"address not allowed", "connection refused", "timeout"}


@pytest.mark.parametrize("one_port", [True, False])
async def test_a_redirect_to_another_port_of_this_machine_is_followed_only_where_that_may_be(
    folder: Path, one_port: bool
) -> None:
    (folder / "shop.py").write_text(SHOP)
    elsewhere = CountingWithBodies()

    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        where = f"http://127.0.0.1:{elsewhere.port}/"
        writer.write(f"HTTP/1.1 302 Found\r\nLocation: {where}\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    async with elsewhere.running(), served(redirect) as port:
        target = Admitted(f"http://127.0.0.1:{port}/", Source.HEADER, ("127.0.0.1/32",), one_port=one_port)
        load = await LocustProcess(SystemClock()).start(PLAN, target)
        async for sample in load.samples():
            if elsewhere.answered.total() >= 5 or getattr(sample, "errors", {}).get("address not allowed", 0) >= 5:
                await load.stop()
    assert (elsewhere.answered.total() > 0) is not one_port
    assert (elsewhere.connections > 0) is not one_port


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, r"one of the files in SCALE_LOCUSTFILES \(other.py\)"),
        ("import no_such_module", r"it cannot be loaded \(ModuleNotFoundError"),
    ],
)
async def test_a_file_that_cannot_be_used_is_said_before_anything_is_sent(
    folder: Path, text: str | None, said: str
) -> None:
    (folder / "other.py").write_text("")
    if text is not None:
        (folder / "shop.py").write_text(text)
    else:
        (folder / "shop.py").symlink_to("/etc/hostname")
    target = Admitted("http://127.0.0.1:1/", Source.HEADER, ("127.0.0.1/32",))
    with pytest.raises(GeneratorFailed, match=said):
        await LocustProcess(SystemClock()).start(PLAN, target)
