"""Several processes send one load: their counts are the server's, and a dead one's users go to the others."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from scale_app.adapters.locust_process import LocustLoad, LocustProcess
from scale_app.adapters.this_machine import SystemClock
from scale_app.domain.pattern import Pattern
from scale_app.domain.plan import LoadPlan, PlanEdit
from scale_app.domain.samples import GeneratorNotice, LoadEnded, LoadReady, Sample, TrafficSample
from scale_app.domain.snapshot import Source
from scale_app.ports import Admitted
from tests.integration.test_worker_counts import CountingServer, check_equal, until
from tests.integration.test_worker_owner import alive

pytestmark = pytest.mark.alone

PLAN = LoadPlan(users=20, spawn_rate=200, think_time_s=0.01, requests_per_connection=4, timeout_s=5, processes=2)
NOTICED_WITHIN_S = 4.0
"""A bound for a busy machine: one that is killed is noticed at once, one that is stopped after 2 to 2.5 s."""
SOON_ENOUGH_S = 1.5
UNREPORTED_S = 0.5


class Following:
    """A load whose samples are read as they come, with the time of each."""

    def __init__(self, load: LocustLoad) -> None:
        self.load = load
        self.seen: list[tuple[float, Sample]] = []
        self.reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for sample in self.load.samples():
            self.seen.append((time.monotonic(), sample))

    @property
    def traffic(self) -> list[TrafficSample]:
        return [sample for _, sample in self.seen if isinstance(sample, TrafficSample)]

    @property
    def notices(self) -> list[tuple[float, str]]:
        return [(at_s, sample.message) for at_s, sample in self.seen if isinstance(sample, GeneratorNotice)]

    def users(self) -> int:
        return self.traffic[-1].users if self.traffic else 0

    async def ended(self) -> LoadEnded:
        await asyncio.wait_for(self.reading, 20)
        last = self.seen[-1][1]
        assert isinstance(last, LoadEnded)
        return last


async def following(plan: LoadPlan, port: int) -> Following:
    target = Admitted(f"http://127.0.0.1:{port}/", Source.HEADER, ("127.0.0.0/8",))
    load = await LocustProcess(SystemClock()).start(plan, target)
    assert isinstance(load, LocustLoad)
    return Following(load)


def worker_pids(load: LocustLoad) -> list[int]:
    return children_of(load.pid)


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.fixture
async def server() -> AsyncIterator[CountingServer]:
    async with CountingServer(delay_s=0.005).running() as server:
        yield server


@pytest.mark.parametrize("most", [None, 1], ids=["keep-alive", "new each"])
async def test_counts_of_all_processes_are_the_server_s_over_edits_and_a_stop(
    server: CountingServer, most: int | None
) -> None:
    run = await following(replace(PLAN, requests_per_connection=most), server.port)
    await until(lambda: run.users() == 20)
    await run.load.edit(PlanEdit(users=31))
    await until(lambda: run.users() == 31)
    await run.load.edit(PlanEdit(users=6))
    await until(lambda: run.users() == 6)
    await run.load.stop()
    assert (await run.ended()).error == ""
    assert isinstance(run.seen[0][1], LoadReady)
    check_equal(run.traffic[-1], server)
    assert run.notices == []
    assert not alive(run.load.pid)


@pytest.mark.parametrize(
    "how", [signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM], ids=["killed", "hanging", "told to end"]
)
async def test_a_dead_process_is_noticed_and_its_users_go_to_the_others(
    server: CountingServer, how: signal.Signals
) -> None:
    run = await following(PLAN, server.port)
    await until(lambda: run.users() == 20)
    first, second = worker_pids(run.load)
    before, at_s = run.traffic[-1], time.monotonic()
    os.kill(first, how)
    await until(lambda: bool(run.notices))
    assert run.notices[0][0] - at_s <= NOTICED_WITHIN_S
    await until(lambda: run.users() == 20 and run.traffic[-1].generator.processes == 1)
    assert not alive(first)
    assert alive(second)
    await run.load.stop()
    assert (await run.ended()).error == ""
    end = run.traffic[-1]
    assert all(end.pods[pod].requests >= count.requests for pod, count in before.pods.items())
    assert end.generator.lost_processes == 1
    # Only what the dead process had not reported is missing: half a second of its half of the load at most.
    per_s = before.requests / (before.at_s - run.seen[0][0])
    assert 0 <= server.answered.total() - end.requests <= per_s * (UNREPORTED_S + 0.3)
    assert "Its users were moved to the remaining 1" in run.notices[0][1]


@pytest.mark.parametrize("dying", [1, 2])
async def test_processes_that_die_during_the_ramp_move_their_users_like_any_other(
    server: CountingServer, dying: int
) -> None:
    run = await following(replace(PLAN, users=30, spawn_rate=10, processes=3), server.port)
    await until(lambda: 3 <= run.users() < 25)
    for pid in worker_pids(run.load)[:dying]:
        os.kill(pid, signal.SIGKILL)
    await until(lambda: run.users() == 30 and run.traffic[-1].generator.processes == 3 - dying, 20)
    await run.load.stop()
    assert (await run.ended()).error == ""
    assert len(run.notices) == dying


async def test_a_process_that_is_continued_in_time_stays(server: CountingServer) -> None:
    run = await following(PLAN, server.port)
    await until(lambda: run.users() == 20)
    first = worker_pids(run.load)[0]
    for _ in range(3):
        at_s = time.monotonic()
        os.kill(first, signal.SIGSTOP)
        await asyncio.sleep(0.4)
        if time.monotonic() - at_s > SOON_ENOUGH_S:
            pytest.skip("this machine is too busy to continue a process in time")
        os.kill(first, signal.SIGCONT)
        await asyncio.sleep(0.4)
    await run.load.stop()
    assert (await run.ended()).error == ""
    assert run.notices == []
    check_equal(run.traffic[-1], server)


async def test_without_its_last_process_a_run_ends_and_says_so(server: CountingServer) -> None:
    run = await following(PLAN, server.port)
    await until(lambda: run.users() == 20)
    for pid in worker_pids(run.load):
        os.kill(pid, signal.SIGKILL)
    assert "last worker process ended (killed by SIGKILL)" in (await run.ended()).error
    assert run.traffic[-1].requests > 0


@pytest.mark.parametrize(
    ("whom", "said"),
    [
        ("coordinator", "stopped from outside"),
        ("workers", "last worker process was asked to end"),
    ],
)
async def test_a_run_whose_processes_are_told_to_end_is_cut_with_every_answer_counted(
    server: CountingServer, whom: str, said: str
) -> None:
    run = await following(PLAN, server.port)
    await until(lambda: run.users() == 20)
    for pid in [run.load.pid] if whom == "coordinator" else worker_pids(run.load):
        os.kill(pid, signal.SIGTERM)
    assert said in (await run.ended()).error
    check_equal(run.traffic[-1], server)


async def test_no_process_sends_load_after_the_leading_one_was_killed(server: CountingServer) -> None:
    run = await following(PLAN, server.port)
    await until(lambda: run.users() == 20)
    pids = worker_pids(run.load)
    assert len(pids) == 2
    os.kill(run.load.pid, signal.SIGKILL)
    await until(lambda: not any(alive(pid) for pid in pids), limit_s=1.0)
    assert "ended early: killed by SIGKILL" in (await run.ended()).error


async def test_arrivals_are_shared_by_the_processes_and_come_as_often_as_asked(server: CountingServer) -> None:
    plan = LoadPlan(users=60, duration_s=3.5, arrivals_per_s=400, requests_per_connection=4, processes=3)
    run = await following(plan, server.port)
    assert (await run.ended()).error == ""
    end = run.traffic[-1]
    assert end.generator.arrivals == pytest.approx(400 * plan.duration_s, rel=0.1)
    check_equal(end, server)
    assert end.requests == end.generator.arrivals


@pytest.mark.parametrize("spacing", ["constant", "poisson"])
async def test_arrivals_of_several_processes_follow_the_pattern_as_one(
    server: CountingServer, spacing: Literal["constant", "poisson"]
) -> None:
    ramp = Pattern("ramp", low=0, period_s=3)
    plan = LoadPlan(users=60, duration_s=4.5, arrivals_per_s=300, arrivals=spacing, pattern=ramp, processes=3)
    run = await following(plan, server.port)
    assert (await run.ended()).error == ""
    # 450 on the ramp and 450 after it; a random number of so many is within 150 of it, and ends come late.
    assert run.traffic[-1].generator.arrivals == pytest.approx(900, rel=0.2)
    check_equal(run.traffic[-1], server)
