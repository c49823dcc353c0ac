"""What is one source's own: Prometheus pages, access logs and tables of connections at pods of a fake API server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler

from scale_app.adapters.kubernetes.client import ClusterClient
from scale_app.adapters.kubernetes.counters.access_log import AccessLogCounter
from scale_app.adapters.kubernetes.counters.network import ConnectionMap
from scale_app.adapters.kubernetes.counters.prometheus import PrometheusCounter
from scale_app.adapters.this_machine import SystemClock
from scale_app.domain.counters import CounterTotals
from scale_app.domain.errors import CountingFailed, ScaleError
from scale_app.domain.plan import LoadPlan
from scale_app.domain.samples import ConnectionsSample
from tests.contract.counting import EVERY_S, PLAN, reading, until, until_totals
from tests.fake_pods import FakePods, PodLife


async def test_the_counter_of_requests_is_recognised_by_the_load(server: FakePods, cluster: ClusterClient) -> None:
    server.shop("cart-1")
    counter = PrometheusCounter(lambda _: cluster, SystemClock(), EVERY_S)
    plan = LoadPlan(target_url=PLAN.target_url)
    async with reading(counter, plan, lambda: 100) as samples:
        assert (await anext(samples)).requests == {"cart-1": 0}
    asked = iter([0, 0, *([100] * 1_000)])
    async with reading(counter, plan, lambda: next(asked)) as samples:
        await anext(samples)
        await server.answered("cart-1", 100)
        await until(samples, lambda sample: sample.requests == {"cart-1": 100})


async def test_without_the_right_to_the_proxy_a_page_is_read_at_the_pods_address(
    server: FakePods, cluster: ClusterClient
) -> None:
    page = b"# TYPE http_requests_total counter\nhttp_requests_total 5\n"

    async def give(request: web.Request) -> web.Response:
        return web.Response(body=page) if request.path == "/metrics" else web.Response(status=404)

    async with serving_at("127.1.0.1", give) as port:
        server.pod_port = port
        server.denied.add("proxy pods")
        server.shop("cart-1")
        counter = PrometheusCounter(lambda _: cluster, SystemClock(), EVERY_S)
        async with reading(counter) as samples:
            await anext(samples)
            page = page.replace(b" 5", b" 8")
            await until(samples, lambda sample: sample.requests == {"cart-1": 3})
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
    server: FakePods, cluster: ClusterClient, page: bytes, said: str
) -> None:
    server.lives["cart-1"] = PodLife(page=page)
    server.shop("cart-1")
    counter = PrometheusCounter(lambda _: cluster, SystemClock(), EVERY_S)
    try:
        async with reading(counter) as samples:
            told = (await anext(samples)).problem
    except ScaleError as error:
        told = str(error)
    assert said in told


async def test_of_many_pods_without_a_page_only_a_few_are_tried(server: FakePods, cluster: ClusterClient) -> None:
    for i in range(60):
        server.lives[f"cart-{i}"] = PodLife(page=b"<html>")
    server.shop(*server.lives)
    counter = PrometheusCounter(lambda _: cluster, SystemClock(), EVERY_S)
    with pytest.raises(CountingFailed, match="60 of 60 pods"):
        async with reading(counter) as samples:
            await anext(samples)
    assert len({name for _, name in server.asked}) == 3


async def test_each_line_of_a_log_counts_once_though_the_stream_is_cut(
    server: FakePods, cluster: ClusterClient
) -> None:
    server.shop("cart-1")
    await server.answered("cart-1", 7)
    counter = AccessLogCounter(lambda _: cluster, SystemClock(), EVERY_S)
    counters = CounterTotals()
    async with reading(counter) as samples:
        counters.observe(await anext(samples))
        for total in range(1, 4):
            await server.answered("cart-1", 10)
            await until_totals(samples, counters, {"cart-1": total * 10})
            await server.cut_logs()


async def _succeeded(server: FakePods, uid: str, how: str) -> None:
    """Another cart-0 in its place, as a StatefulSet makes it: the same name, another uid, a log of its own."""
    if how == "asked to end first":
        server.shop("cart-0", ending=["cart-0"])
        await asyncio.sleep(4 * EVERY_S)
    if how == "with a gap":
        asked = len(server.asked)
        del server.lives["cart-0"]
        await server.cut_logs()
        while len(server.asked) == asked:  # whoever followed it has heard that there is no such pod
            await asyncio.sleep(EVERY_S)
    server.lives["cart-0"] = PodLife(uid=uid, behind_s=0 if how == "at once" else 60)
    await server.cut_logs()
    server.shop("cart-0")


@pytest.mark.parametrize("how", ["asked to end first", "with a gap", "at once"])
async def test_a_pod_that_takes_anothers_name_is_followed_as_a_pod_of_its_own(
    server: FakePods, cluster: ClusterClient, how: str
) -> None:
    server.shop("cart-0")
    counter = AccessLogCounter(lambda _: cluster, SystemClock(), EVERY_S)
    async with reading(counter) as samples:
        await anext(samples)
        await server.answered("cart-0", 10)
        await until(samples, lambda sample: sample.requests == {"cart-0": 10})
        for number in range(1, 4):
            await _succeeded(server, f"uid-{number}", how)
            await server.answered("cart-0", 5)
            await until(samples, lambda sample, wanted=10 + 5 * number: sample.requests["cart-0"] >= wanted)
        await server.answered("cart-0", 5)
        sample = await until(samples, lambda sample: sample.requests["cart-0"] >= 30)
    assert sample.requests == {"cart-0": 30}


async def _container_restarts(server: FakePods) -> None:
    server.restart("cart-0")
    await server.cut_logs()


async def _clock_steps_back(server: FakePods) -> None:
    server.lives["cart-0"].behind_s = 2.0


@pytest.mark.parametrize("happens", [_container_restarts, _clock_steps_back])
async def test_the_log_of_the_same_pod_is_followed_on(
    server: FakePods, cluster: ClusterClient, happens: Callable[[FakePods], Awaitable[None]]
) -> None:
    server.shop("cart-0")
    counter = AccessLogCounter(lambda _: cluster, SystemClock(), EVERY_S)
    async with reading(counter) as samples:
        await anext(samples)
        await server.answered("cart-0", 10)
        await until(samples, lambda sample: sample.requests == {"cart-0": 10})
        await happens(server)
        await server.answered("cart-0", 5)
        sample = await until(samples, lambda sample: sample.requests["cart-0"] >= 15)
    assert sample.requests == {"cart-0": 15}


@pytest.mark.parametrize("behind_s", [60.0, -60.0], ids=["behind", "ahead"])
async def test_a_nodes_clock_that_differs_leaves_no_line_out_and_counts_none_of_before(
    server: FakePods, cluster: ClusterClient, behind_s: float
) -> None:
    server.lives["cart-0"] = PodLife(behind_s=behind_s)
    server.shop("cart-0")
    await server.answered("cart-0", 7)
    counter = AccessLogCounter(lambda _: cluster, SystemClock(), EVERY_S)
    async with reading(counter) as samples:
        await anext(samples)
        await server.answered("cart-0", 10)
        sample = await until(samples, lambda sample: sample.requests["cart-0"] >= 10)
    assert sample.requests == {"cart-0": 10}


async def test_lines_of_other_clients_are_told_apart(server: FakePods, cluster: ClusterClient) -> None:
    server.shop("cart-1")
    counter = AccessLogCounter(lambda _: cluster, SystemClock(), EVERY_S)
    async with reading(counter) as samples:
        await anext(samples)
        await server.answered("cart-1", 2)
        await server.answered("cart-1", 3, '10.0.0.1 - - [t] "GET /healthz HTTP/1.1" 200 2 "-" "kube-probe/1.35"')
        await server.answered("cart-1", 5, "some words of the program")
        sample = await until(samples, lambda sample: sample.others >= 3 and sample.requests["cart-1"] >= 2)
    assert (sample.others, sample.requests) == (3, {"cart-1": 2})


async def test_more_pods_than_logs_can_be_followed_are_refused(server: FakePods, cluster: ClusterClient) -> None:
    server.shop(*(f"cart-{i}" for i in range(201)))
    counter = AccessLogCounter(lambda _: cluster, SystemClock(), EVERY_S)
    with pytest.raises(CountingFailed, match="At most 200 logs"):
        async with reading(counter) as samples:
            await anext(samples)
    assert not server.streams


TABLE = (
    "   1: 0100010A:1F90 0900010A:A47E 01 0 0\n   2: 0100010A:2382 0900010A:A47F 01 0 0\n"
    "Tcp: RtoAlgorithm PassiveOpens\nTcp: 1 17\n"
)


async def test_the_pods_connections_are_read_from_inside(server: FakePods, cluster: ClusterClient) -> None:
    server.lives["cart-1"] = PodLife(table=TABLE)
    server.shop("cart-1")
    counter = ConnectionMap(lambda _: cluster, SystemClock(), EVERY_S, image="tools:1")
    async with reading(counter) as samples:
        sample = await anext(samples)
    assert isinstance(sample, ConnectionsSample)
    assert sample.clients == {"cart-1": ("10.1.0.9:42110",)}
    assert sample.opened == {"cart-1": 17}


async def test_without_the_right_to_enter_pods_its_rules_are_named(server: FakePods, cluster: ClusterClient) -> None:
    server.lives["cart-1"] = PodLife(table=TABLE, denied={"exec"})
    server.shop("cart-1")
    with pytest.raises(CountingFailed, match="does not let this account get and create pods/exec"):
        async with reading(ConnectionMap(lambda _: cluster, SystemClock(), EVERY_S, image="")) as samples:
            await anext(samples)


async def test_a_pod_without_cat_is_left_as_it_is_unless_the_plan_allows_more(
    server: FakePods, cluster: ClusterClient
) -> None:
    server.lives["cart-1"] = PodLife(table=TABLE, commands=set())
    server.shop("cart-1")
    counter = ConnectionMap(lambda _: cluster, SystemClock(), EVERY_S, image="tools:1")
    with pytest.raises(CountingFailed, match="no cat"):
        async with reading(counter) as samples:
            await anext(samples)
    assert ("ephemeralcontainers", "cart-1") not in server.asked
    allowed = LoadPlan(target_url=PLAN.target_url, enter_pods="ephemeral")
    async with reading(counter, allowed) as samples:
        assert (await anext(samples)).opened == {"cart-1": 17}
