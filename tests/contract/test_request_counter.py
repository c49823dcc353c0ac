"""What every RequestCounter promises: held by a fake, and by each source at pods of a fake API server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import Protocol

import pytest

from scale_app.adapters.kubernetes.client import ClusterClient
from scale_app.adapters.kubernetes.counters.access_log import AccessLogCounter
from scale_app.adapters.kubernetes.counters.network import NetworkShare
from scale_app.adapters.kubernetes.counters.prometheus import PrometheusCounter
from scale_app.adapters.this_machine import SystemClock
from scale_app.domain.counters import CounterTotals
from scale_app.domain.errors import CountingFailed, ScaleError
from scale_app.domain.plan import LoadPlan
from scale_app.domain.samples import ConnectionsSample, CountsSample
from scale_app.domain.source import Source
from scale_app.ports import Admitted, RequestCounter
from tests.contract.counting import EVERY_S, LIMIT_S, PLAN, reading, until_totals
from tests.fake_pods import FakePods


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


@pytest.fixture(params=["fake", "prometheus", "access_log", "network"])
def world(request: pytest.FixtureRequest, server: FakePods, cluster: ClusterClient) -> World:
    clock = SystemClock()
    made: dict[str, Callable[[], World]] = {
        "fake": FakeWorld,
        "prometheus": lambda: ClusterWorld(server, PrometheusCounter(lambda _: cluster, clock, EVERY_S)),
        "access_log": lambda: ClusterWorld(server, AccessLogCounter(lambda _: cluster, clock, EVERY_S)),
        "network": lambda: ClusterWorld(server, NetworkShare(lambda _: cluster, clock, EVERY_S), 700),
    }
    return made[request.param]()


async def test_the_first_reading_lists_every_pod_and_is_what_to_count_from(world: World) -> None:
    world.list_pods("cart-1", "cart-2")
    await world.answered("cart-1", 50)
    counters = CounterTotals()
    async with reading(world.counter) as samples:
        first = await anext(samples)
        counters.observe(first)
        assert counters.totals == {"cart-1": 0, "cart-2": 0}
        await world.answered("cart-1", 3)
        await world.answered("cart-2", 1)
        each = world.per_request
        await until_totals(samples, counters, {"cart-1": 3 * each, "cart-2": each})


async def test_a_pod_that_comes_later_counts_from_nought(world: World) -> None:
    world.list_pods("cart-1")
    counters = CounterTotals()
    async with reading(world.counter) as samples:
        counters.observe(await anext(samples))
        world.list_pods("cart-1", "cart-2")
        await world.answered("cart-2", 4)
        await until_totals(samples, counters, {"cart-1": 0, "cart-2": 4 * world.per_request})


async def test_a_container_that_begins_anew_loses_nothing_that_was_read(world: World) -> None:
    if world.per_request > 1:
        pytest.skip("a pod's network outlives its containers")
    world.list_pods("cart-1")
    await world.answered("cart-1", 9)
    counters = CounterTotals()
    async with reading(world.counter) as samples:
        counters.observe(await anext(samples))
        await world.answered("cart-1", 2)
        await until_totals(samples, counters, {"cart-1": 2})
        world.restart("cart-1")
        await world.answered("cart-1", 40)
        await until_totals(samples, counters, {"cart-1": 42})


async def test_a_pod_that_cannot_be_read_is_named_and_the_others_are_counted(world: World) -> None:
    if world.per_request > 1:
        pytest.skip("bytes are read from nodes, not from pods")
    world.list_pods("cart-1", "cart-2")
    world.forbid("cart-2")
    counters = CounterTotals()
    async with reading(world.counter) as samples:
        counters.observe(await anext(samples))
        await world.answered("cart-1", 5)
        sample = await until_totals(samples, counters, {"cart-1": 5})
        assert sample.unread == ("cart-2",)
        assert sample.problem.endswith(".")


async def test_a_source_of_which_nothing_can_be_read_says_why(world: World, server: FakePods) -> None:
    world.list_pods("cart-1", "cart-2")
    server.denied.add("get nodes/proxy")
    world.forbid("cart-1")
    world.forbid("cart-2")
    with pytest.raises(ScaleError) as failed:
        async with reading(world.counter) as samples:
            await anext(samples)
    assert len(str(failed.value)) > 20


async def test_nothing_is_left_behind(world: World, server: FakePods) -> None:
    world.list_pods("cart-1", "cart-2")
    before = asyncio.all_tasks()
    async with reading(world.counter) as samples:
        await anext(samples)
    async with asyncio.timeout(LIMIT_S):
        while server.streams:
            await asyncio.sleep(0.01)
    left = {task for task in asyncio.all_tasks() - before if "scale_app" in str(task.get_coro())}
    assert not left


async def test_a_target_that_is_no_service_is_said_to_be_none(cluster: ClusterClient) -> None:
    elsewhere = Admitted("http://127.0.0.1/", Source.HEADER, ())
    counter = PrometheusCounter(lambda _: cluster, SystemClock())
    with pytest.raises(CountingFailed, match="not known as a Service"):
        await anext(counter.counts(PLAN, elsewhere, lambda: 0))
