"""The worker's counts against those of a server that counts by itself: equal, for every pod, in every case."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from scale_app.adapters.locust_process import LocustProcess
from scale_app.adapters.this_machine import SystemClock
from scale_app.domain.plan import LoadPlan, PlanEdit
from scale_app.domain.samples import LoadEnded, Sample, TrafficSample
from scale_app.domain.snapshot import Source
from scale_app.ports import Admitted, Load

PODS = ("pod-a", "pod-b", "pod-c")
LOOPBACK = ("127.0.0.0/8", "::1/128")


class CountingServer:
    """Pods behind one port, picked at random for each connection; every answer is counted for its pod."""

    def __init__(self, delay_s: float = 0.0, close_after: int | None = None) -> None:
        self.answered: Counter[str] = Counter()
        self.connections = 0
        self.open = 0
        self._delay_s = delay_s
        self._close_after = close_after
        self._random = random.Random(7)
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pod, served = self._random.choice(PODS), 0
        self.connections += 1
        self.open += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while served != self._close_after:
                await reader.readuntil(b"\r\n\r\n")
                await asyncio.sleep(self._delay_s)
                served += 1
                self.answered[pod] += 1
                writer.write(b"HTTP/1.1 200 OK\r\nX-Pod-Name: %s\r\nContent-Length: 2\r\n\r\nhi" % pod.encode())
        self.open -= 1
        writer.close()

    @contextlib.asynccontextmanager
    async def running(self, host: str = "127.0.0.1") -> AsyncIterator[CountingServer]:
        server = await asyncio.start_server(self.serve, host, 0, backlog=1_000)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            await until(lambda: self.open == 0)


async def until(true: object, limit_s: float = 5.0) -> None:
    """Wait for a condition, at most so long."""
    async with asyncio.timeout(limit_s):
        while not true():  # type: ignore[operator]
            await asyncio.sleep(0.02)


async def started(plan: LoadPlan, url: str, networks: tuple[str, ...] = LOOPBACK) -> Load:
    return await LocustProcess(SystemClock()).start(plan, Admitted(url, Source.HEADER, networks))


async def last_of(load: Load) -> TrafficSample:
    """The last traffic sample of a load that must end as planned."""
    samples: list[Sample] = [sample async for sample in load.samples()]
    assert isinstance(samples[-1], LoadEnded)
    assert samples[-1].error == ""
    assert isinstance(samples[-2], TrafficSample)
    return samples[-2]


def check_equal(seen: TrafficSample, server: CountingServer) -> None:
    assert {name: pod.requests for name, pod in seen.pods.items()} == dict(server.answered)
    assert seen.requests == server.answered.total() > 0
    assert seen.connections == server.connections == sum(pod.connections for pod in seen.pods.values())
    assert all(pod.latency.total == pod.requests for pod in seen.pods.values())
    assert (dict(seen.errors), seen.unnamed.requests, seen.users) == ({}, 0, 0)


@pytest.mark.parametrize("most", [None, 4, 1], ids=["keep-alive", "every 4", "new each"])
async def test_every_answer_is_counted_for_its_pod_over_edits_and_a_stop(most: int | None) -> None:
    plan = LoadPlan(users=10, spawn_rate=100, think_time_s=0.01, requests_per_connection=most, timeout_s=5)
    async with CountingServer(delay_s=0.005).running() as server:
        load = await started(plan, f"http://127.0.0.1:{server.port}/")
        ending = asyncio.create_task(last_of(load))
        await asyncio.sleep(0.6)
        await load.edit(PlanEdit(users=25))
        await asyncio.sleep(0.6)
        await load.edit(PlanEdit(users=5))
        await asyncio.sleep(0.6)
        await load.stop()
        seen = await ending
    check_equal(seen, server)
    per_connection = seen.requests / seen.connections
    assert per_connection == 1 if most == 1 else 2 < per_connection <= (most or 1_000)


async def test_requests_in_flight_at_a_stop_are_answered_and_counted() -> None:
    plan = LoadPlan(users=20, spawn_rate=100, think_time_s=0, requests_per_connection=None, timeout_s=5)
    async with CountingServer(delay_s=0.7).running() as server:
        load = await started(plan, f"http://127.0.0.1:{server.port}/")
        ending = asyncio.create_task(last_of(load))
        await until(lambda: server.open == 20)
        await load.stop()
        seen = await ending
    check_equal(seen, server)
    assert seen.requests == 20


async def test_requests_of_users_that_an_edit_removed_are_counted_too() -> None:
    plan = LoadPlan(users=20, spawn_rate=100, think_time_s=0, requests_per_connection=None, timeout_s=5)
    async with CountingServer(delay_s=0.7).running() as server:
        load = await started(plan, f"http://127.0.0.1:{server.port}/")
        ending = asyncio.create_task(last_of(load))
        await until(lambda: server.open == 20)
        await load.edit(PlanEdit(users=1))
        await until(lambda: server.open == 1)
        await load.stop()
        seen = await ending
    check_equal(seen, server)


async def test_users_come_back_at_once_after_a_removal_that_still_waits_for_answers() -> None:
    plan = LoadPlan(users=20, spawn_rate=100, think_time_s=0, requests_per_connection=None, timeout_s=5)
    async with CountingServer(delay_s=1.0).running() as server:
        load = await started(plan, f"http://127.0.0.1:{server.port}/")
        ending = asyncio.create_task(last_of(load))
        await until(lambda: server.open == 20)
        await load.edit(PlanEdit(users=10))
        await asyncio.sleep(0.1)
        await load.edit(PlanEdit(users=20))
        await until(lambda: server.connections == 30)
        await until(lambda: server.open == 20)
        await load.stop()
        check_equal(await ending, server)


async def test_a_server_that_closes_after_some_answers_costs_no_request() -> None:
    plan = LoadPlan(users=10, spawn_rate=100, think_time_s=0.02, requests_per_connection=None, duration_s=1.5)
    async with CountingServer(close_after=3).running() as server:
        seen = await last_of(await started(plan, f"http://127.0.0.1:{server.port}/"))
    check_equal(seen, server)
    assert seen.loads is not None
    assert max(seen.loads.short) == 3


async def test_without_think_time_a_connection_closed_under_the_request_is_replaced() -> None:
    plan = LoadPlan(users=5, spawn_rate=100, think_time_s=0, requests_per_connection=None, duration_s=1)
    async with CountingServer(close_after=2, delay_s=0.01).running() as server:
        seen = await last_of(await started(plan, f"http://127.0.0.1:{server.port}/"))
    check_equal(seen, server)


async def test_a_name_and_ipv6_are_reached() -> None:
    plan = LoadPlan(users=2, spawn_rate=100, duration_s=1)
    async with CountingServer().running("::1") as server:
        seen = await last_of(await started(plan, f"http://[::1]:{server.port}/"))
        check_equal(seen, server)
    async with CountingServer().running("127.0.0.1") as server:
        seen = await last_of(await started(plan, f"http://localhost:{server.port}/"))
        check_equal(seen, server)


async def test_users_start_at_the_spawn_rate() -> None:
    plan = LoadPlan(users=100, spawn_rate=5, think_time_s=0.1, requests_per_connection=None, duration_s=2.5)
    async with CountingServer().running() as server:
        load = await started(plan, f"http://127.0.0.1:{server.port}/")
        users = [sample.users async for sample in load.samples() if isinstance(sample, TrafficSample)]
    assert users[-1] == 0
    assert 5 <= users[0] <= 10
    assert 10 <= users[1] <= 15
