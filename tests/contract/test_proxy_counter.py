"""Counting at a layer-7 proxy: nginx' log with the upstream's address, and the counters that Envoy keeps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from scale_app.adapters.kubernetes.client import ClusterClient
from scale_app.adapters.kubernetes.counters.proxy import ProxyCounter
from scale_app.adapters.this_machine import SystemClock
from scale_app.domain.cluster import ServiceRef
from scale_app.domain.errors import CountingFailed
from scale_app.domain.plan import LoadPlan
from scale_app.domain.samples import CountsSample
from scale_app.domain.snapshot import Source
from scale_app.ports import Admitted
from tests.fake_pods import FakePods, PodLife
from tests.kubernetes_objects import NAMESPACE, pod

PLAN = LoadPlan(target_url="http://edge.shop.svc/", counting="proxy", proxy_pods="shop/app=edge")
TARGET = Admitted(PLAN.target_url, Source.HEADER, (), ServiceRef("shop", "cart"))
LIMIT_S = 10.0
NGINX = '10.9.9.9 - - [t] "GET / HTTP/1.1" 200 2 "{upstream}" 0.001'


@pytest.fixture
async def server() -> AsyncIterator[FakePods]:
    fake = FakePods()
    await fake.start()
    fake.shop("cart-1", "cart-2")
    yield fake
    await fake.stop()


@pytest.fixture
async def counter(server: FakePods, tmp_path: Path) -> AsyncIterator[ProxyCounter]:
    cluster = ClusterClient(server.kubeconfig(tmp_path))
    yield ProxyCounter(lambda _: cluster, SystemClock(), every_s=0.02)
    await cluster.close()


def _put_proxy(server: FakePods) -> PodLife:
    document = pod("edge-1", uid="uid-edge")
    document["metadata"] |= {"labels": {"app": "edge"}, "namespace": NAMESPACE}
    document["status"]["podIP"] = "127.3.0.1"
    server.put("pods", document)
    server.lives["edge-1"] = PodLife()
    return server.lives["edge-1"]


async def _until(counter: ProxyCounter, act: list[object], requests: dict[str, int], others: int = 0) -> None:
    """Read on, after the first reading running what `act` says, until the counts are as they should be."""
    async with asyncio.timeout(LIMIT_S), aclosing(counter.counts(PLAN, TARGET, lambda: 0)) as samples:
        await anext(samples)
        for each in act:
            await each  # type: ignore[misc]
        async for sample in samples:
            assert isinstance(sample, CountsSample)
            if sample.requests == requests and sample.others == others:
                return
    raise AssertionError("the counter ended")


async def test_nginx_log_says_which_pod_answered(server: FakePods, counter: ProxyCounter) -> None:
    _put_proxy(server)
    first, second = NGINX.format(upstream="127.1.0.1:8080"), NGINX.format(upstream="127.1.0.9:8080, 127.1.0.2:8080")
    probe = first.replace("GET / ", "GET /status ")
    act = [
        server.answered("edge-1", 3, first),
        server.answered("edge-1", 2, second),
        server.answered("edge-1", 4, probe),
    ]
    await _until(counter, act, {"cart-1": 3, "cart-2": 2}, others=4)


async def test_envoys_counters_say_how_many_each_pod_answered(server: FakePods, counter: ProxyCounter) -> None:
    life = _put_proxy(server)
    life.admin = "shop::127.1.0.1:8080::rq_total::70\nshop::127.1.0.2:8080::rq_total::30\n"

    async def serve() -> None:
        life.admin = "shop::127.1.0.1:8080::rq_total::75\nshop::127.1.0.2:8080::rq_total::31\n"

    await _until(counter, [serve()], {"cart-1": 5, "cart-2": 1})


async def test_a_proxy_that_is_not_there_is_said_to_be_none(server: FakePods, counter: ProxyCounter) -> None:
    with pytest.raises(CountingFailed, match="no pod in the namespace shop has the labels app=edge"):
        await anext(counter.counts(PLAN, TARGET, lambda: 0))


@pytest.mark.parametrize("envoy", [False, True], ids=["nginx", "envoy"])
async def test_proxies_that_cannot_be_listed_for_a_while_are_counted_all_the_same_and_it_is_said(
    server: FakePods, counter: ProxyCounter, envoy: bool
) -> None:
    life, line = _put_proxy(server), NGINX.format(upstream="127.1.0.1:8080")

    async def answered(total: int) -> None:
        life.admin = f"shop::127.1.0.1:8080::rq_total::{total}\n" if envoy else ""
        await server.answered("edge-1", 0 if envoy else 3, line)

    await answered(0 if envoy else 3)
    async with asyncio.timeout(LIMIT_S), aclosing(counter.counts(PLAN, TARGET, lambda: 0)) as samples:
        assert (await anext(samples)).problem == ""
        for broken, total in ((True, 3), (False, 6)):
            (server.broken.add if broken else server.broken.remove)("pods")
            await answered(total)
            async for sample in samples:
                assert isinstance(sample, CountsSample)
                if sample.requests.get("cart-1") == total and bool(sample.problem) is broken:
                    break
            assert ("at the known pods of the proxy (edge-1)" in sample.problem) is broken
