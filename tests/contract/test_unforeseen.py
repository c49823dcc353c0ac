"""What of a cluster fails in a way that nobody foresaw: said in a sentence, and the rest goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from scale_app.adapters.kubernetes.client import ClusterClient, Json
from scale_app.adapters.kubernetes.counters.access_log import AccessLogCounter, LogFollowing
from scale_app.adapters.kubernetes.counters.network import NetworkShare
from scale_app.adapters.kubernetes.counters.pods import CountedPod, TargetPods
from scale_app.adapters.kubernetes.counters.prometheus import PrometheusCounter
from scale_app.adapters.kubernetes.directory import KubernetesPods, WatchTiming
from scale_app.adapters.this_machine import SystemClock
from scale_app.domain.samples import PodsSample
from tests.contract.counting import EVERY_S, LIMIT_S, TARGET, reading, until
from tests.fake_pods import FakePods

QUICK = WatchTiming(1, 0.5, (0.0, 0.05), 0.01, 0.0, 0.05)


class OddCluster(ClusterClient):
    """Raises a RuntimeError for whatever has one of `odd` in its path."""

    odd: tuple[str, ...] = ()

    async def get(self, path: str, query: Mapping[str, Any] | None = None, *, limit_s: float = 10.0) -> Json:
        self._reach(path)
        return await super().get(path, query, limit_s=limit_s)

    async def text(self, path: str, *, limit_s: float) -> bytes:
        self._reach(path)
        return await super().text(path, limit_s=limit_s)

    @asynccontextmanager
    async def lines(
        self, path: str, query: Mapping[str, Any], *, quiet_s: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        self._reach(f"watch {path}")
        async with super().lines(path, query, quiet_s=quiet_s) as lines:
            yield lines

    def _reach(self, path: str) -> None:
        if any(part in path for part in self.odd):
            raise RuntimeError("boom")


@pytest.fixture
async def cluster(server: FakePods, tmp_path: Path) -> AsyncIterator[OddCluster]:
    opened = OddCluster(server.kubeconfig(tmp_path))
    yield opened
    await opened.close()


@pytest.mark.parametrize("odd", ["/services", "/pods", "/nodes", "/deployments", "/statefulsets", "/metrics.k8s.io"])
async def test_what_of_the_surroundings_fails_is_named_and_the_pods_are_seen(
    server: FakePods, cluster: OddCluster, odd: str
) -> None:
    server.shop("cart-1", "cart-2")
    cluster.odd = (odd,)
    directory = KubernetesPods(lambda _: cluster, SystemClock(), timing=QUICK)
    async with asyncio.timeout(LIMIT_S), aclosing(directory.watch(TARGET)) as samples:
        async for sample in samples:
            if isinstance(sample, PodsSample) and ("boom" in sample.missing) == (odd != "/metrics.k8s.io"):
                break
    assert [pod.name for pod in sample.pods] == ["cart-1", "cart-2"]


async def test_pods_are_counted_when_what_else_is_known_of_them_fails(server: FakePods, cluster: OddCluster) -> None:
    server.shop("cart-1")
    cluster.odd = ("/pods",)
    async with asyncio.timeout(LIMIT_S), TargetPods(cluster, TARGET.service) as pods:  # type: ignore[arg-type]
        assert list(pods.now()) == ["cart-1"]


async def test_a_list_of_pods_that_is_not_kept_any_more_is_not_taken_for_the_present_one(
    server: FakePods, cluster: OddCluster
) -> None:
    server.shop("cart-1")
    async with asyncio.timeout(LIMIT_S), TargetPods(cluster, TARGET.service) as pods:  # type: ignore[arg-type]
        while ("watch", "endpointslices") not in server.requests:
            await asyncio.sleep(EVERY_S)
        cluster.odd = ("watch /apis/discovery.k8s.io",)
        server.end_watches()
        with pytest.raises(RuntimeError, match="boom"):
            await _look_for_ever(pods)


async def _look_for_ever(pods: TargetPods) -> None:
    while True:
        pods.now()
        await asyncio.sleep(EVERY_S)


async def test_a_page_that_fails_is_that_pods_problem_alone(server: FakePods, cluster: OddCluster) -> None:
    server.shop("cart-1", "cart-2")
    cluster.odd = ("cart-1:",)
    counter = PrometheusCounter(lambda _: cluster, SystemClock(), EVERY_S)
    async with reading(counter) as samples:
        await anext(samples)
        await server.answered("cart-2", 5)
        sample = await until(samples, lambda sample: sample.requests.get("cart-2") == 5)
    assert sample.unread == ("cart-1",)
    assert "RuntimeError: boom" in sample.problem


async def test_a_node_that_fails_is_a_problem_and_no_end(server: FakePods, cluster: OddCluster) -> None:
    server.shop("cart-1")
    counter = NetworkShare(lambda _: cluster, SystemClock(), EVERY_S)
    async with reading(counter) as samples:
        await anext(samples)
        cluster.odd = ("/nodes/",)
        await until(samples, lambda sample: "RuntimeError: boom" in sample.problem)
        cluster.odd = ()
        await until(samples, lambda sample: sample.problem == "")


async def test_a_log_that_fails_is_that_pods_problem_alone(server: FakePods, cluster: OddCluster) -> None:
    server.shop("cart-1", "cart-2")
    cluster.odd = ("watch /api/v1/namespaces/shop/pods/cart-1/log",)
    counter = AccessLogCounter(lambda _: cluster, SystemClock(), EVERY_S)
    async with reading(counter) as samples:
        await anext(samples)
        await server.answered("cart-2", 5)
        sample = await until(samples, lambda sample: sample.requests.get("cart-2") == 5)
    assert sample.unread == ("cart-1",)
    assert "RuntimeError: boom" in sample.problem


async def test_a_line_that_nobody_can_count_is_said(server: FakePods, cluster: OddCluster) -> None:
    def take(_pod: str, _line: bytes) -> None:
        raise RuntimeError("boom")

    server.shop("cart-1")
    pods = {"cart-1": CountedPod("shop", "cart-1", "uid-cart-1")}
    following = LogFollowing(cluster, take)
    try:
        async with asyncio.timeout(LIMIT_S):
            await following.follow(pods)
            await server.answered("cart-1", 1)
            while not following.problems(pods):
                await asyncio.sleep(EVERY_S)
    finally:
        await following.close()
    assert "RuntimeError: boom" in following.problems(pods)["cart-1"]
