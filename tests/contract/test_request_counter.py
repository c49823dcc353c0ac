"""What every RequestCounter promises: held by a fake, and by each source at pods of a fake API server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler

from scale_app.adapters.kubernetes.client import Cluster
from scale_app.adapters.kubernetes.counters.access_log import AccessLogCounter
from scale_app.adapters.kubernetes.counters.connection_map import ConnectionMap
from scale_app.adapters.kubernetes.counters.network import NetworkShare
from scale_app.adapters.kubernetes.counters.prometheus import PrometheusCounter
from scale_app.adapters.system_clock import SystemClock
from scale_app.domain.cluster import ServiceRef
from scale_app.domain.errors import CountingFailed, ScaleError
from scale_app.domain.ledger import CounterLedger
from scale_app.domain.plan import LoadPlan
from scale_app.domain.samples import ConnectionsSample, CountsSample
from scale_app.domain.source import Source
from scale_app.ports import Admitted, RequestCounter
from tests.fake_pods import FakePods, PodLife

SERVICE = ServiceRef("shop", "cart")
PLAN = LoadPlan(target_url="http://cart.shop.svc:8080/", counter_name="http_requests_total", enter_pods="exec")
TARGET = Admitted(PLAN.target_url, Source.HEADER, (), SERVICE)
LIMIT_S = 10.0
EVERY_S = 0.02


class World(Protocol):
    """A counter together with the pods that it counts at."""

    counter: RequestCounter
    per_request: int

    def list_pods(self, *names: str) -> None:
        """The Service has these pods from now on."""

    async def answered(self, name: str, requests: int) -> None:
        """The pod answers so many more."""

    def restart(self, name: str) -> None:
        """The pod's container begins anew."""

    def forbid(self, name: str) -> None:
        """The pod cannot be read any more."""


@dataclass
class FakeCounter:
    """Counts in memory; `changed` is set by whoever changes them."""

    counts_now: dict[str, int] = field(default_factory=dict)
    since: dict[str, int] = field(default_factory=dict)
    forbidden: set[str] = field(default_factory=set)

    async def counts(
        self, plan: LoadPlan, target: Admitted, sent: Callable[[], int]
    ) -> AsyncGenerator[CountsSample | ConnectionsSample, None]:
        if self.counts_now and self.forbidden >= self.counts_now.keys():
            raise CountingFailed("None of the fake pods can be read. Allow one.")
        while True:
            readable = {name: count for name, count in self.counts_now.items() if name not in self.forbidden}
            unread = tuple(self.forbidden & self.counts_now.keys())
            since = {name: str(self.since.get(name, 0)) for name in self.counts_now}
            problem = "A fake pod cannot be read. Allow it." if unread else ""
            yield CountsSample(0.0, Source.PROMETHEUS, readable, unread, since, problem=problem)
            await asyncio.sleep(EVERY_S)


class FakeWorld:
    per_request = 1

    def __init__(self) -> None:
        self.fake = FakeCounter()
        self.counter: RequestCounter = self.fake

    def list_pods(self, *names: str) -> None:
        known = self.fake.counts_now
        self.fake.counts_now = {name: known.get(name, 0) for name in names}

    async def answered(self, name: str, requests: int) -> None:
        self.fake.counts_now[name] += requests

    def restart(self, name: str) -> None:
        self.fake.counts_now[name] = 0
        self.fake.since[name] = self.fake.since.get(name, 0) + 1

    def forbid(self, name: str) -> None:
        self.fake.forbidden.add(name)


class ClusterWorld:
    def __init__(self, server: FakePods, counter: RequestCounter, per_request: int = 1) -> None:
        self.server = server
        self.counter = counter
        self.per_request = per_request

    def list_pods(self, *names: str) -> None:
        self.server.shop(*names)

    async def answered(self, name: str, requests: int) -> None:
        await self.server.answered(name, requests)

    def restart(self, name: str) -> None:
        self.server.restart(name)

    def forbid(self, name: str) -> None:
        self.server.lives[name].denied |= {"proxy", "log", "exec"}


@pytest.fixture
async def server() -> AsyncIterator[FakePods]:
    fake = FakePods()
    await fake.start()
    yield fake
    await fake.stop()


@pytest.fixture
async def cluster(server: FakePods, tmp_path: Path) -> AsyncIterator[Cluster]:
    opened = Cluster(server.kubeconfig(tmp_path))
    yield opened
    await opened.close()


@pytest.fixture(params=["fake", "prometheus", "access_log", "network"])
def world(request: pytest.FixtureRequest, server: FakePods, cluster: Cluster) -> World:
    clock = SystemClock()
    made: dict[str, Callable[[], World]] = {
        "fake": FakeWorld,
        "prometheus": lambda: ClusterWorld(server, PrometheusCounter(lambda _: cluster, clock, EVERY_S)),
        "access_log": lambda: ClusterWorld(server, AccessLogCounter(lambda _: cluster, clock, EVERY_S)),
        "network": lambda: ClusterWorld(server, NetworkShare(lambda _: cluster, clock, EVERY_S), 700),
    }
    return made[request.param]()


@asynccontextmanager
async def _reading(
    counter: RequestCounter, plan: LoadPlan = PLAN, sent: int = 0
) -> AsyncIterator[AsyncGenerator[Any, None]]:
    async with asyncio.timeout(LIMIT_S), aclosing(counter.counts(plan, TARGET, lambda: sent)) as samples:
        yield samples


async def _until(samples: AsyncGenerator[Any, None], ledger: CounterLedger, wanted: dict[str, int]) -> CountsSample:
    """Read on until the totals are as wanted."""
    async for sample in samples:
        ledger.observe(sample)
        if ledger.totals == wanted:
            return sample  # type: ignore[no-any-return]
    raise AssertionError("the counter ended")


async def test_the_first_reading_lists_every_pod_and_is_what_to_count_from(world: World) -> None:
    world.list_pods("cart-1", "cart-2")
    await world.answered("cart-1", 50)
    ledger = CounterLedger()
    async with _reading(world.counter) as samples:
        first = await anext(samples)
        ledger.observe(first)
        assert ledger.totals == {"cart-1": 0, "cart-2": 0}
        await world.answered("cart-1", 3)
        await world.answered("cart-2", 1)
        each = world.per_request
        await _until(samples, ledger, {"cart-1": 3 * each, "cart-2": each})


async def test_a_pod_that_comes_later_counts_from_nought(world: World) -> None:
    world.list_pods("cart-1")
    ledger = CounterLedger()
    async with _reading(world.counter) as samples:
        ledger.observe(await anext(samples))
        world.list_pods("cart-1", "cart-2")
        await world.answered("cart-2", 4)
        await _until(samples, ledger, {"cart-1": 0, "cart-2": 4 * world.per_request})


async def test_a_container_that_begins_anew_loses_nothing_that_was_read(world: World) -> None:
    if world.per_request > 1:
        pytest.skip("a pod's network outlives its containers")
    world.list_pods("cart-1")
    await world.answered("cart-1", 9)
    ledger = CounterLedger()
    async with _reading(world.counter) as samples:
        ledger.observe(await anext(samples))
        await world.answered("cart-1", 2)
        await _until(samples, ledger, {"cart-1": 2})
        world.restart("cart-1")
        await world.answered("cart-1", 40)
        await _until(samples, ledger, {"cart-1": 42})


async def test_a_pod_that_cannot_be_read_is_named_and_the_others_are_counted(world: World) -> None:
    if world.per_request > 1:
        pytest.skip("bytes are read from nodes, not from pods")
    world.list_pods("cart-1", "cart-2")
    world.forbid("cart-2")
    ledger = CounterLedger()
    async with _reading(world.counter) as samples:
        ledger.observe(await anext(samples))
        await world.answered("cart-1", 5)
        sample = await _until(samples, ledger, {"cart-1": 5})
        assert sample.unread == ("cart-2",)
        assert sample.problem.endswith(".")


async def test_a_source_of_which_nothing_can_be_read_says_why(world: World, server: FakePods) -> None:
    world.list_pods("cart-1", "cart-2")
    server.denied.add("get nodes/proxy")
    world.forbid("cart-1")
    world.forbid("cart-2")
    with pytest.raises(ScaleError) as failed:
        async with _reading(world.counter) as samples:
            await anext(samples)
    assert len(str(failed.value)) > 20


async def test_nothing_is_left_behind(world: World, server: FakePods) -> None:
    world.list_pods("cart-1", "cart-2")
    before = asyncio.all_tasks()
    async with _reading(world.counter) as samples:
        await anext(samples)
    async with asyncio.timeout(LIMIT_S):
        while server.streams:
            await asyncio.sleep(0.01)
    left = {task for task in asyncio.all_tasks() - before if "scale_app" in str(task.get_coro())}
    assert not left


async def test_a_target_that_is_no_service_is_said_to_be_none(cluster: Cluster) -> None:
    elsewhere = Admitted("http://127.0.0.1/", Source.HEADER, ())
    counter = PrometheusCounter(lambda _: cluster, SystemClock())
    with pytest.raises(CountingFailed, match="not known as a Service"):
        await anext(counter.counts(PLAN, elsewhere, lambda: 0))


async def test_the_counter_of_requests_is_recognised_by_the_load(server: FakePods, cluster: Cluster) -> None:
    server.shop("cart-1")
    counter = PrometheusCounter(lambda _: cluster, SystemClock(), EVERY_S)
    async with _reading(counter, LoadPlan(target_url=PLAN.target_url), sent=100) as samples:
        first = await anext(samples)
        assert first.requests == {"cart-1": 0}
    asked = iter([0, 0, *([100] * 1_000)])
    async with (
        asyncio.timeout(LIMIT_S),
        aclosing(counter.counts(LoadPlan(target_url=PLAN.target_url), TARGET, lambda: next(asked))) as looks,
    ):
        await anext(looks)
        await server.answered("cart-1", 100)
        async for sample in looks:
            assert isinstance(sample, CountsSample)
            if sample.requests == {"cart-1": 100}:
                break


async def test_without_the_right_to_the_proxy_a_page_is_read_at_the_pods_address(
    server: FakePods, cluster: Cluster
) -> None:
    page = b"# TYPE http_requests_total counter\nhttp_requests_total 5\n"

    async def give(request: web.Request) -> web.Response:
        return web.Response(body=page) if request.path == "/metrics" else web.Response(status=404)

    async with serving_at("127.1.0.1", give) as port:
        server.pod_port = port
        server.denied.add("proxy pods")
        server.shop("cart-1")
        counter = PrometheusCounter(lambda _: cluster, SystemClock(), EVERY_S)
        async with _reading(counter) as samples:
            await anext(samples)
            page = page.replace(b" 5", b" 8")
            async for sample in samples:
                if sample.requests == {"cart-1": 3}:
                    break
        assert [what for what, _ in server.asked] == ["proxy"]


@asynccontextmanager
async def serving_at(host: str, give: Handler) -> AsyncIterator[int]:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", give)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, host, 0).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("page", "said"),
    [
        (b"<html>not metrics</html>{", "is not a Prometheus page"),
        (b"# TYPE other_total counter\nother_total 1\n", "no counter http_requests_total"),
        (b"# TYPE a_total counter\n" + b"x" * 51_000_000, "more than the 50,000,000"),
    ],
)
async def test_a_page_that_is_of_no_use_is_said_to_be_so(
    server: FakePods, cluster: Cluster, page: bytes, said: str
) -> None:
    server.lives["cart-1"] = PodLife(page=page)
    server.shop("cart-1")
    counter = PrometheusCounter(lambda _: cluster, SystemClock(), EVERY_S)
    try:
        async with _reading(counter) as samples:
            told = (await anext(samples)).problem
    except ScaleError as error:
        told = str(error)
    assert said in told


async def test_of_many_pods_without_a_page_only_a_few_are_tried(server: FakePods, cluster: Cluster) -> None:
    for i in range(60):
        server.lives[f"cart-{i}"] = PodLife(page=b"<html>")
    server.shop(*server.lives)
    counter = PrometheusCounter(lambda _: cluster, SystemClock(), EVERY_S)
    with pytest.raises(CountingFailed, match="60 of 60 pods"):
        async with _reading(counter) as samples:
            await anext(samples)
    assert len({name for _, name in server.asked}) == 3


async def test_each_line_of_a_log_counts_once_though_the_stream_is_cut(server: FakePods, cluster: Cluster) -> None:
    server.shop("cart-1")
    await server.answered("cart-1", 7)
    counter = AccessLogCounter(lambda _: cluster, SystemClock(), EVERY_S)
    ledger = CounterLedger()
    async with _reading(counter) as samples:
        ledger.observe(await anext(samples))
        for total in range(1, 4):
            await server.answered("cart-1", 10)
            await _until(samples, ledger, {"cart-1": total * 10})
            await server.cut_logs()


async def test_lines_of_other_clients_are_told_apart(server: FakePods, cluster: Cluster) -> None:
    server.shop("cart-1")
    counter = AccessLogCounter(lambda _: cluster, SystemClock(), EVERY_S)
    async with _reading(counter) as samples:
        await anext(samples)
        await server.answered("cart-1", 2)
        await server.answered("cart-1", 3, '10.0.0.1 - - [t] "GET /healthz HTTP/1.1" 200 2 "-" "kube-probe/1.35"')
        await server.answered("cart-1", 5, "some words of the program")
        while (sample := await anext(samples)).others < 3 or sample.requests["cart-1"] < 2:
            pass
    assert (sample.others, sample.requests) == (3, {"cart-1": 2})


async def test_more_pods_than_logs_can_be_followed_are_refused(server: FakePods, cluster: Cluster) -> None:
    server.shop(*(f"cart-{i}" for i in range(201)))
    counter = AccessLogCounter(lambda _: cluster, SystemClock(), EVERY_S)
    with pytest.raises(CountingFailed, match="more than the 200"):
        async with _reading(counter) as samples:
            await anext(samples)
    assert not server.streams


TABLE = (
    "   1: 0100010A:1F90 0900010A:A47E 01 0 0\n   2: 0100010A:2382 0900010A:A47F 01 0 0\n"
    "Tcp: RtoAlgorithm PassiveOpens\nTcp: 1 17\n"
)


async def test_the_pods_connections_are_read_from_inside(server: FakePods, cluster: Cluster) -> None:
    server.lives["cart-1"] = PodLife(table=TABLE)
    server.shop("cart-1")
    counter = ConnectionMap(lambda _: cluster, SystemClock(), EVERY_S, image="tools:1")
    async with _reading(counter) as samples:
        sample = await anext(samples)
    assert isinstance(sample, ConnectionsSample)
    assert sample.clients == {"cart-1": ("10.1.0.9:42110",)}
    assert sample.opened == {"cart-1": 17}


async def test_a_pod_without_cat_is_left_as_it_is_unless_the_plan_allows_more(
    server: FakePods, cluster: Cluster
) -> None:
    server.lives["cart-1"] = PodLife(table=TABLE, commands=set())
    server.shop("cart-1")
    counter = ConnectionMap(lambda _: cluster, SystemClock(), EVERY_S, image="tools:1")
    with pytest.raises(CountingFailed, match="no cat"):
        async with _reading(counter) as samples:
            await anext(samples)
    assert ("ephemeralcontainers", "cart-1") not in server.asked
    allowed = LoadPlan(target_url=PLAN.target_url, enter_pods="ephemeral")
    async with _reading(counter, allowed) as samples:
        assert (await anext(samples)).opened == {"cart-1": 17}
