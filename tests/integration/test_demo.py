"""The built-in target on real sockets: HTTP as a client sees it, policies, faults, and counts that are exact."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import chain
from urllib.parse import urlsplit

import pytest

from scale_app.adapters.demo_cluster import DemoCluster
from scale_app.adapters.this_machine import SystemClock
from scale_app.demo.cluster import SLOW_ANSWER_S
from scale_app.domain.demo import DemoChange, Fault, Policy

GET = b"GET /orders/7?x=1 HTTP/1.1\r\nHost: demo\r\n\r\n"
CLOSE = b"GET / HTTP/1.1\r\nHost: demo\r\nConnection: close\r\n\r\n"
Answer = tuple[int, dict[str, str], bytes]


@pytest.fixture
async def demo() -> AsyncIterator[DemoCluster]:
    cluster = DemoCluster(SystemClock())
    yield cluster
    await cluster.close()


class Caller:
    """One connection that sends what it is told and reads whole answers."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def answer(self, *, body: bool = True) -> Answer:
        head = (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 5)).decode()
        first, *lines = head.strip().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        content = await self.reader.readexactly(int(headers["content-length"])) if body else b""
        return int(first.split()[1]), headers, content

    async def ask(self, request: bytes = GET) -> Answer:
        self.send(request)
        return await self.answer()

    async def closed(self) -> bool:
        """True when the peer has ended the connection in order, nothing more having arrived."""
        return await asyncio.wait_for(self.reader.read(), 5) == b""


@asynccontextmanager
async def call(demo: DemoCluster, source: str = "127.0.0.1") -> AsyncIterator[Caller]:
    port = urlsplit(await demo.url()).port
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
    try:
        yield Caller(reader, writer)
    finally:
        writer.transport.abort()
        await asyncio.sleep(0)


async def pod_of_new_connection(demo: DemoCluster, source: str = "127.0.0.1") -> str:
    async with call(demo, source) as caller:
        return (await caller.ask())[1]["x-pod-name"]


async def pods_of_new_connections(demo: DemoCluster, connections: int) -> Counter[str]:
    return Counter([await pod_of_new_connection(demo) for _ in range(connections)])


async def soon(condition: Callable[[], Awaitable[bool]], limit_s: float) -> bool:
    """True as soon as the condition holds; False when it never does within the limit."""
    end_s = time.monotonic() + limit_s
    while not await condition():
        if time.monotonic() > end_s:
            return False
        await asyncio.sleep(0.05)
    return True


# HTTP


async def test_one_connection_is_answered_by_one_pod_that_gives_its_name(demo: DemoCluster) -> None:
    async with call(demo) as caller:
        answers = [await caller.ask() for _ in range(20)]
    names = {pod.name for pod in (await demo.status()).pods}
    assert {status for status, _, _ in answers} == {200}
    (name,) = {headers["x-pod-name"] for _, headers, _ in answers}
    assert name in names
    assert answers[0][1]["content-type"].startswith("text/plain")
    assert name.encode() in answers[0][2]


async def test_pipelined_requests_are_answered_in_order(demo: DemoCluster) -> None:
    async with call(demo) as caller:
        caller.send(GET * 50 + CLOSE + GET)
        answers = [await caller.answer() for _ in range(51)]
        assert [headers.get("connection") for _, headers, _ in answers] == [None] * 50 + ["close"]
        assert await caller.closed()
    assert sum((await demo.status()).answered.values()) == 51


async def test_head_is_answered_without_a_body_and_a_posted_body_is_read_over(demo: DemoCluster) -> None:
    async with call(demo) as caller:
        caller.send(GET.replace(b"GET", b"HEAD", 1))
        status, headers, _ = await caller.answer(body=False)
        assert (status, int(headers["content-length"]) > 0) == (200, True)
        post = b"POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1_000_000
        assert (await caller.ask(post))[0] == 200
        assert (await caller.ask())[0] == 200


async def test_a_body_is_sent_once_the_pod_says_continue(demo: DemoCluster) -> None:
    async with call(demo) as caller:
        caller.send(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
        assert await asyncio.wait_for(caller.reader.readuntil(b"\r\n\r\n"), 5) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert (await caller.ask(b"body"))[0] == 200


@pytest.mark.parametrize(
    "garbage", [b"hello\n", b"\x16\x03\x01\x00\xa5", b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"]
)
async def test_what_cannot_be_read_is_answered_400_and_closed(demo: DemoCluster, garbage: bytes) -> None:
    async with call(demo) as caller:
        caller.send(GET + garbage)
        assert (await caller.answer())[0] == 200
        status, headers, _ = await caller.answer()
        assert (status, headers["connection"]) == (400, "close")
        assert await caller.closed()
    assert (await demo.status()).answered[headers["x-pod-name"]] == 2


# Policies


async def test_round_robin_deals_new_connections_out_evenly(demo: DemoCluster) -> None:
    await demo.change(DemoChange(policy=Policy.ROUND_ROBIN))
    assert set((await pods_of_new_connections(demo, 25)).values()) == {5}


async def test_random_reaches_every_pod(demo: DemoCluster) -> None:
    await demo.change(DemoChange(policy=Policy.RANDOM))
    counts = await pods_of_new_connections(demo, 200)
    assert len(counts) == 5
    assert min(counts.values()) > 10


async def test_least_connections_levels_out_the_connections_that_are_open(demo: DemoCluster) -> None:
    await demo.change(DemoChange(policy=Policy.LEAST_CONNECTIONS))
    port = urlsplit(await demo.url()).port
    callers = [Caller(*await asyncio.open_connection("127.0.0.1", port)) for _ in range(25)]
    counts = Counter([(await caller.ask())[1]["x-pod-name"] for caller in callers])
    for caller in callers:
        caller.writer.close()
        await caller.writer.wait_closed()
    assert set(counts.values()) == {5}


async def test_source_sticky_keeps_a_client_and_spreads_clients(demo: DemoCluster) -> None:
    await demo.change(DemoChange(policy=Policy.SOURCE_STICKY))
    first = [await pod_of_new_connection(demo, f"127.0.1.{n}") for n in range(1, 31)]
    again = [await pod_of_new_connection(demo, f"127.0.1.{n}") for n in range(1, 31)]
    assert first == again
    assert len(set(first)) >= 3


async def test_weighted_prefers_the_first_pod_by_its_weight(demo: DemoCluster) -> None:
    status = await demo.change(DemoChange(policy=Policy.WEIGHTED, weight=16.0))
    counts = await pods_of_new_connections(demo, 200)
    assert counts[status.pods[0].name] == pytest.approx(160, abs=30)


async def test_a_layer_7_policy_answers_one_connection_from_every_pod_in_turn(demo: DemoCluster) -> None:
    status = await demo.change(DemoChange(policy=Policy.LAYER7_ROUND_ROBIN))
    async with call(demo) as caller:
        counts = Counter([(await caller.ask())[1]["x-pod-name"] for _ in range(25)])
        caller.send(GET * 25)  # pipelined requests are picked for one by one as well
        counts += Counter([(await caller.answer())[1]["x-pod-name"] for _ in range(25)])
    assert counts == {pod.name: 10 for pod in status.pods} == (await demo.status()).answered


async def test_a_local_policy_reaches_the_clients_node_only(demo: DemoCluster) -> None:
    status = await demo.change(DemoChange(policy=Policy.LOCAL))
    near = {pod.name for pod in status.pods if pod.node == "node-a"}
    assert set(await pods_of_new_connections(demo, 60)) == near
    assert len(near) == 2


# Faults


async def test_a_slow_pod_takes_its_time_for_each_request_and_only_that_pod(demo: DemoCluster) -> None:
    status = await demo.change(DemoChange(policy=Policy.ROUND_ROBIN, fault=Fault.SLOW_POD))
    for _ in status.pods:
        async with call(demo) as caller:
            begin_s = time.monotonic()
            caller.send(GET * 2)
            _, headers, _ = await caller.answer()
            await caller.answer()
            took_s = time.monotonic() - begin_s
        slow = headers["x-pod-name"] == status.pods[0].name
        assert took_s >= 2 * SLOW_ANSWER_S if slow else took_s < 2 * SLOW_ANSWER_S


async def test_a_failing_pod_answers_500_at_times_and_the_connection_stays_open(demo: DemoCluster) -> None:
    failing = (await demo.change(DemoChange(pods=1, fault=Fault.FAILING_POD))).pods[0].name
    async with call(demo) as caller:
        statuses = Counter([(await caller.ask())[0] for _ in range(400)])
        await demo.change(DemoChange(fault=Fault.NONE))
        assert {(await caller.ask())[0] for _ in range(50)} == {200}
    assert set(statuses) == {200, 500}
    assert statuses[500] == pytest.approx(120, abs=45)
    assert (await demo.status()).answered[failing] == 450


async def test_a_killed_pod_resets_its_connections_and_is_replaced(demo: DemoCluster) -> None:
    await demo.change(DemoChange(pods=1))
    async with call(demo) as caller:
        victim = (await caller.ask())[1]["x-pod-name"]
        begin_s = time.monotonic()
        status = await demo.change(DemoChange(kill_pod=victim))
        with pytest.raises(ConnectionResetError):
            await caller.closed()
    (newcomer,) = status.pods
    assert newcomer.name != victim
    assert not newcomer.ready
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):  # no pod is ready: nobody answers
        await pod_of_new_connection(demo)

    async def ready() -> bool:
        return (await demo.status()).pods[0].ready

    assert await soon(ready, 5)
    assert time.monotonic() - begin_s >= 1.9
    assert await pod_of_new_connection(demo) == newcomer.name
    assert (await demo.status()).answered == {victim: 1, newcomer.name: 1} | dict.fromkeys(
        (await demo.status()).answered.keys() - {victim, newcomer.name}, 0
    )


# Scaling


async def test_scaling_down_answers_what_is_in_flight_and_says_close(demo: DemoCluster) -> None:
    await demo.change(DemoChange(pods=2, policy=Policy.ROUND_ROBIN))
    async with call(demo) as one, call(demo) as other:
        names = [(await caller.ask())[1]["x-pod-name"] for caller in (one, other)]
        kept = (await demo.change(DemoChange(pods=1))).pods[0].name
        stays, leaves = (one, other) if names[0] == kept else (other, one)
        assert (await leaves.ask())[1]["connection"] == "close"
        assert await leaves.closed()
        assert "connection" not in (await stays.ask())[1]


async def test_scaling_down_closes_idle_connections_after_a_moment(demo: DemoCluster) -> None:
    await demo.change(DemoChange(policy=Policy.ROUND_ROBIN))
    port = urlsplit(await demo.url()).port
    callers = [Caller(*await asyncio.open_connection("127.0.0.1", port)) for _ in range(5)]
    names = [(await caller.ask())[1]["x-pod-name"] for caller in callers]
    kept = (await demo.change(DemoChange(pods=1))).pods[0].name
    gone = [await caller.closed() for caller, name in zip(callers, names, strict=True) if name != kept]
    assert gone == [True] * 4
    for caller in callers:
        caller.writer.close()


# Counts


class AnswersByPod(asyncio.Protocol):
    """A closed-loop client that counts answers by pod as they arrive, so that a reset afterwards loses none."""

    def __init__(self, requests: int, counts: Counter[str]) -> None:
        self.left = requests
        self.counts = counts
        self.ended = asyncio.get_running_loop().create_future()
        self.unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(GET)

    def data_received(self, data: bytes) -> None:
        self.unread += data
        if not self.unread.endswith(b"\n") or b"\r\n\r\n" not in self.unread[:-4]:
            return
        pod = self.unread.split(b"X-Pod-Name: ")[1].split(b"\r\n")[0].decode()
        self.counts[pod] += 1
        self.unread = b""
        self.left -= 1
        if self.left:
            self.transport.write(GET)
        else:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set_result(self.left == 0)


async def user(port: int, counts: Counter[str], over: asyncio.Event) -> list[bool]:
    """Opens one connection after the other until it is over; for each, whether it carried all its requests."""
    complete = []
    while not over.is_set():
        _, answers = await asyncio.get_running_loop().create_connection(
            lambda: AnswersByPod(25, counts), "127.0.0.1", port
        )
        complete.append(await answers.ended)
    return complete


async def test_the_pods_own_counts_equal_what_clients_counted_through_every_change(demo: DemoCluster) -> None:
    status = await demo.status()
    port = urlsplit(status.url).port
    assert port
    counts: Counter[str] = Counter()
    over = asyncio.Event()
    users = [asyncio.create_task(user(port, counts, over)) for _ in range(20)]
    for change in (
        DemoChange(policy=Policy.ROUND_ROBIN),
        DemoChange(kill_pod=status.pods[1].name),
        DemoChange(pods=8),
        DemoChange(fault=Fault.FAILING_POD, policy=Policy.WEIGHTED, weight=3.0),
        DemoChange(pods=3),
        DemoChange(policy=Policy.LEAST_CONNECTIONS),
    ):
        await asyncio.sleep(0.15)
        await demo.change(change)
    await asyncio.sleep(0.15)
    over.set()
    complete = Counter(chain.from_iterable(await asyncio.gather(*users)))
    answered = {pod: n for pod, n in (await demo.status()).answered.items() if n}
    assert answered == dict(counts)
    assert len(answered) >= 8
    assert complete[True] > complete[False] > 0  # the kill and the scaling down did cut connections short
