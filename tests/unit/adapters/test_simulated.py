"""The invented counts: reproducible, with the spread asked for, exact connection by connection."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace

import numpy as np
import pytest

from scale_app.adapters.simulated import (
    SimulatedGenerator,
    SimulatedPods,
    SimulatedTraffic,
)
from scale_app.domain.errors import PlanError
from scale_app.domain.pattern import Pattern
from scale_app.domain.plan import LoadPlan, PlanEdit
from scale_app.domain.samples import LoadEnded, LoadReady, PodsSample, Sample, TrafficSample
from scale_app.domain.snapshot import Source
from scale_app.domain.target import SimulatedTarget, parse_simulated
from scale_app.ports import Admitted, Load


class FakeClock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic_s(self) -> float:
        return self.now_s

    def epoch_s(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def admitted(url: str = "simulated?pods=5") -> Admitted:
    return Admitted(url, Source.SIMULATED, ())


async def started(clock: FakeClock, plan: LoadPlan, url: str = "simulated?pods=5") -> Load:
    return await SimulatedGenerator(clock).start(plan, admitted(url))


async def all_of(load: Load) -> list[Sample]:
    return [sample async for sample in load.samples()]


def traffic(samples: list[Sample]) -> list[TrafficSample]:
    return [sample for sample in samples if isinstance(sample, TrafficSample)]


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("simulated", SimulatedTarget()),
        ("simulated?pods=200&cv=0.2&seed=7", SimulatedTarget(200, 0.2, 7)),
        ("simulated?seed=0", SimulatedTarget(seed=0)),
    ],
)
def test_the_url_says_what_is_simulated(url: str, target: SimulatedTarget) -> None:
    assert parse_simulated(url) == target


@pytest.mark.parametrize(
    "query",
    [
        "pods=0",
        "pods=1001",
        "pods=x",
        "pods=",
        "pods",
        "pods=1.5",
        "pods=1&pods=2",
        "cv=-1",
        "cv=nan",
        "cv=inf",
        "cv=1.1",
        "seed=-1",
        "seed=4294967296",
        "color=red",
        "&",
    ],
)
def test_nonsense_in_the_url_is_refused(query: str) -> None:
    with pytest.raises(PlanError, match="target_url"):
        parse_simulated(f"simulated?{query}")


def test_a_url_of_another_kind_is_refused() -> None:
    with pytest.raises(PlanError):
        parse_simulated("http://api/")


@pytest.mark.parametrize(("pods", "cv"), [(5, 0.1), (200, 0.3), (10, 0.0), (1, 0.5)])
def test_the_weights_have_the_spread_asked_for(pods: int, cv: float) -> None:
    weights = SimulatedTarget(pods, cv).weights()
    assert weights.sum() == pytest.approx(1)
    assert np.std(weights) / np.mean(weights) == pytest.approx(cv if pods > 1 else 0)


async def test_the_same_seed_gives_the_same_run_and_another_seed_another() -> None:
    plan = LoadPlan(duration_s=5)
    runs = [await all_of(await started(FakeClock(), plan, f"simulated?seed={seed}")) for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]


async def test_a_run_is_ready_then_a_sample_a_second_then_ended() -> None:
    samples = await all_of(await started(FakeClock(), LoadPlan(users=10, duration_s=3.5)))
    assert isinstance(samples[0], LoadReady)
    assert isinstance(samples[-1], LoadEnded)
    assert samples[-1].error == ""
    assert [sample.at_s for sample in traffic(samples)] == [101, 102, 103, 103.5, 103.5]
    assert [sample.users for sample in traffic(samples)] == [10, 10, 10, 10, 0]


class LateClock(FakeClock):
    """Wakes its sleepers late, as a busy machine does."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(max(seconds, 0.0) + 0.13)


async def test_late_wake_ups_do_not_add_up() -> None:
    samples = await all_of(await started(LateClock(), LoadPlan(users=10, duration_s=20)))
    assert [sample.at_s for sample in traffic(samples)][:-2] == pytest.approx([100 + s + 0.13 for s in range(1, 20)])


async def test_users_start_at_the_spawn_rate() -> None:
    samples = await all_of(await started(FakeClock(), LoadPlan(users=10, spawn_rate=4, duration_s=4)))
    assert [sample.users for sample in traffic(samples)] == [4, 8, 10, 10, 0]


async def test_an_edit_changes_the_users_at_the_new_rate() -> None:
    load = await started(FakeClock(), LoadPlan(users=10, spawn_rate=10, duration_s=5))
    users = []
    async for sample in load.samples():
        if isinstance(sample, TrafficSample):
            users.append(sample.users)
            if len(users) == 1:
                await load.edit(PlanEdit(users=4, spawn_rate=3))
    assert users == [10, 7, 4, 4, 4, 0]


async def test_users_follow_the_plan_s_pattern() -> None:
    plan = LoadPlan(users=10, spawn_rate=10, duration_s=5, pattern=Pattern("steps", low=0.2, period_s=2, steps=3))
    samples = await all_of(await started(FakeClock(), plan))
    assert [sample.users for sample in traffic(samples)] == [2, 6, 6, 10, 10, 0]


async def test_arrivals_come_as_often_as_the_plan_and_its_pattern_say() -> None:
    spike = Pattern("spike", low=0.5, begins_s=2, period_s=1)
    plan = LoadPlan(users=4, duration_s=4, arrivals_per_s=100, pattern=spike)
    load = await started(FakeClock(), plan)
    counts = [0]
    async for sample in load.samples():
        if isinstance(sample, TrafficSample):
            counts.append(sample.requests)
            if len(counts) == 4:
                await load.edit(PlanEdit(arrivals_per_s=20))
    assert [after - before for before, after in itertools.pairwise(counts)] == [50, 50, 100, 10, 0]


async def test_arrivals_on_a_slow_ramp_add_up_evenly_spaced_or_not() -> None:
    ramp = Pattern("ramp", low=0.1, period_s=20)
    plan = LoadPlan(users=4, duration_s=20, arrivals_per_s=2, pattern=ramp)
    samples = await all_of(await started(FakeClock(), plan))
    assert traffic(samples)[-1].requests == 22
    ends = [
        await all_of(await started(FakeClock(), replace(plan, arrivals="poisson"), f"simulated?pods=5&seed={seed}"))
        for seed in range(40)
    ]
    counts = [traffic(samples)[-1].requests for samples in ends]
    assert sum(counts) / 40 == pytest.approx(22, abs=5 * (22 / 40) ** 0.5)
    assert len(set(counts)) > 5


async def test_a_load_of_less_than_a_request_a_second_adds_up_too() -> None:
    plan = LoadPlan(users=1, duration_s=60, think_time_s=1.98)
    samples = await all_of(await started(FakeClock(), plan))
    assert traffic(samples)[-1].requests == 30


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_a_stop_ends_the_run(how: str) -> None:
    load = await started(FakeClock(), LoadPlan(duration_s=1_000))
    samples = []
    async for sample in load.samples():
        samples.append(sample)
        if len(samples) == 3:
            await getattr(load, how)()
    assert len(samples) == 5
    assert isinstance(samples[-1], LoadEnded)


@pytest.mark.parametrize("most", [1, 3, 1_000, None])
def test_requests_are_the_same_by_pod_by_connection_and_in_total(most: int | None) -> None:
    run = SimulatedTraffic(SimulatedTarget(7), most)
    carried, before_long, before_short = 0, {}, {}
    for users in (10, 20, 5, 0):
        run.advance(users, users * 13 + 1 if users else 0)
        seen = run.sample(1.0)
        loads = seen.loads
        assert loads is not None
        carried += sum(n * (times - before_short.get(n, 0)) for n, times in loads.short.items())
        carried += sum(n - before_long.get(i, 0) for i, n in loads.long.items())
        before_long, before_short = dict(loads.long), dict(loads.short)
        assert sum(pod.requests for pod in seen.pods.values()) == seen.requests == carried
        assert all(pod.latency.total == pod.requests for pod in seen.pods.values())
        assert sum(pod.connections for pod in seen.pods.values()) == seen.connections
    assert carried == 10 * 13 + 20 * 13 + 5 * 13 + 3


async def test_the_directory_lists_every_pod_once_and_then_waits() -> None:
    watch = SimulatedPods(FakeClock()).watch(admitted("simulated?pods=1000"))
    first = await anext(watch)
    assert isinstance(first, PodsSample)
    assert len({pod.name for pod in first.pods}) == 1_000
    assert set(SimulatedTarget(1_000).names) == {pod.name for pod in first.pods}
    second = asyncio.ensure_future(anext(watch))
    await asyncio.sleep(0)
    assert not second.done()
    second.cancel()
