"""What every LoadGenerator promises: held by a fake by hand, by the simulated one and by the real process."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import cast

import pytest

from scale_app.adapters.locust_process import LocustProcess
from scale_app.adapters.simulated import SimulatedGenerator
from scale_app.adapters.this_machine import SystemClock
from scale_app.domain.errors import PlanError
from scale_app.domain.plan import LoadPlan, PlanEdit
from scale_app.domain.samples import ConnectionLoads, LoadEnded, LoadReady, PodCount, Sample, TrafficSample
from scale_app.domain.snapshot import Source
from scale_app.ports import Admitted, Load, LoadGenerator
from tests.tiny_server import served

LIMIT_S = 20.0
LONG = LoadPlan(users=4, spawn_rate=100, duration_s=60, think_time_s=0.05, timeout_s=5)


class FakeLoad:
    """One answer a second for each user, on one connection for ever."""

    def __init__(self, plan: LoadPlan) -> None:
        self._plan = plan
        self._over = asyncio.Event()

    async def samples(self) -> AsyncIterator[Sample]:
        ends_s, requests = time.monotonic() + self._plan.duration_s, 0
        yield LoadReady(time.monotonic())
        while not self._over.is_set() and time.monotonic() < ends_s:
            requests += self._plan.users
            yield self._sample(self._plan.users, requests)
            await asyncio.wait([asyncio.create_task(self._over.wait())], timeout=min(1, ends_s - time.monotonic()))
        yield self._sample(0, requests)
        yield LoadEnded(time.monotonic())
        self._over.set()

    def _sample(self, users: int, requests: int) -> TrafficSample:
        pods = {"a": PodCount(requests, 0, 1)}
        return TrafficSample(
            time.monotonic(), users, requests, pods, connections=1, loads=ConnectionLoads(long={1: requests})
        )

    async def edit(self, edit: PlanEdit) -> None:
        self._plan = self._plan.edited(edit)

    async def stop(self) -> None:
        self._over.set()

    async def kill(self) -> None:
        self._over.set()


class FakeGenerator:
    async def start(self, plan: LoadPlan, target: Admitted) -> Load:
        return FakeLoad(plan)


@dataclass(frozen=True)
class World:
    """A generator and a target that it can load."""

    generator: LoadGenerator
    target: Admitted

    async def start(self, plan: LoadPlan = LONG) -> Load:
        return await self.generator.start(plan, self.target)


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A pod that answers each request after 20 ms."""
    while True:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.02)
        writer.write(b"HTTP/1.1 200 OK\r\nX-Pod-Name: a\r\nContent-Length: 0\r\n\r\n")


@pytest.fixture(params=["fake", "simulated", "process"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with served(serve) as port:
        url = f"http://127.0.0.1:{port}/"
        simulated = Admitted("simulated?pods=5", Source.SIMULATED, ())
        real = Admitted(url, Source.HEADER, ("127.0.0.0/8",))
        made: dict[str, Callable[[], World]] = {
            "fake": lambda: World(FakeGenerator(), simulated),
            "simulated": lambda: World(SimulatedGenerator(SystemClock()), simulated),
            "process": lambda: World(LocustProcess(SystemClock()), real),
        }
        yield made[request.param]()


class Listener:
    """Reads a load's samples one by one, with a limit in time."""

    def __init__(self, load: Load) -> None:
        self._samples = cast(AsyncGenerator[Sample, None], load.samples())
        self.seen: list[Sample] = []

    async def until(self, true: Callable[[Sample], bool]) -> Sample:
        """The next sample for which this is true."""
        async with asyncio.timeout(LIMIT_S):
            async for sample in self._samples:
                self.seen.append(sample)
                if true(sample):
                    return sample
        raise AssertionError(f"the load ended: {self.seen[-1]}")

    async def rest(self) -> list[Sample]:
        """Everything that was said from the beginning to the end."""
        async with asyncio.timeout(LIMIT_S):
            self.seen += [sample async for sample in self._samples]
        return self.seen


def is_traffic(sample: Sample) -> bool:
    return isinstance(sample, TrafficSample)


def has_users(users: int) -> Callable[[Sample], bool]:
    return lambda sample: isinstance(sample, TrafficSample) and sample.users == users


def check_whole(samples: list[Sample]) -> list[TrafficSample]:
    """Ready, traffic, ended, in this order; gives the traffic."""
    first, *traffic, last = samples
    assert isinstance(first, LoadReady)
    assert isinstance(last, LoadEnded)
    assert all(isinstance(sample, TrafficSample) for sample in traffic)
    times = [sample.at_s for sample in samples]
    assert times == sorted(times)
    return cast(list[TrafficSample], traffic)


async def test_a_load_ends_by_itself_after_its_duration(world: World) -> None:
    samples = await Listener(await world.start(replace(LONG, duration_s=2.5))).rest()
    traffic = check_whole(samples)
    assert len(traffic) >= 3
    assert traffic[-1].users == 0
    assert 2.0 <= samples[-1].at_s - samples[0].at_s <= 5.0
    ended = samples[-1]
    assert isinstance(ended, LoadEnded)
    assert ended.error == ""


async def test_counters_only_rise_and_add_up(world: World) -> None:
    traffic = check_whole(await Listener(await world.start(replace(LONG, duration_s=2.5))).rest())
    for before, after in itertools.pairwise(traffic):
        assert before.requests <= after.requests
        assert before.connections <= after.connections
        assert all(count.requests <= after.pods[pod].requests for pod, count in before.pods.items())
    for sample in traffic:
        assert sum(count.requests for count in sample.pods.values()) == sample.requests
        assert sum(count.connections for count in sample.pods.values()) <= sample.connections
    assert traffic[-1].requests > 0


async def test_the_loads_of_the_connections_add_up_to_the_requests(world: World) -> None:
    traffic = check_whole(await Listener(await world.start(replace(LONG, duration_s=2.5))).rest())
    carried = 0
    before = ConnectionLoads()
    for sample in traffic:
        loads = sample.loads
        assert loads is not None
        carried += sum(n * (times - before.short.get(n, 0)) for n, times in loads.short.items())
        carried += sum(n - before.long.get(i, 0) for i, n in loads.long.items())
        before = loads
    assert carried == traffic[-1].requests


async def test_an_edit_is_in_force_within_seconds(world: World) -> None:
    load = await world.start()
    listener = Listener(load)
    await listener.until(has_users(4))
    await load.edit(PlanEdit(users=9))
    await listener.until(has_users(9))
    await load.edit(PlanEdit(users=2))
    await listener.until(has_users(2))
    await load.stop()
    check_whole(await listener.rest())


async def test_an_edit_that_cannot_be_run_is_refused_and_changes_nothing(world: World) -> None:
    load = await world.start()
    listener = Listener(load)
    await listener.until(has_users(4))
    for edit in (PlanEdit(users=0), PlanEdit(spawn_rate=0.0), PlanEdit(spawn_rate=float("nan"))):
        with pytest.raises(PlanError):
            await load.edit(edit)
    await listener.until(has_users(4))
    await load.stop()
    check_whole(await listener.rest())


async def test_a_stop_ends_the_load_as_planned_and_may_be_repeated(world: World) -> None:
    load = await world.start()
    listener = Listener(load)
    await listener.until(is_traffic)
    await load.stop()
    await load.stop()
    samples = await listener.rest()
    assert check_whole(samples)[-1].users == 0
    assert isinstance(samples[-1], LoadEnded)
    assert samples[-1].error == ""
    await load.stop()
    await load.edit(PlanEdit(users=3))


async def test_a_kill_ends_the_load_at_once_and_may_be_repeated(world: World) -> None:
    load = await world.start()
    listener = Listener(load)
    await listener.until(is_traffic)
    await asyncio.wait_for(load.kill(), 3)
    await load.kill()
    check_whole(await asyncio.wait_for(listener.rest(), 3))


async def test_two_loads_run_side_by_side(world: World) -> None:
    loads = await asyncio.gather(world.start(replace(LONG, duration_s=1.5)), world.start(replace(LONG, duration_s=1.5)))
    for samples in await asyncio.gather(*(Listener(load).rest() for load in loads)):
        assert check_whole(samples)[-1].requests > 0
