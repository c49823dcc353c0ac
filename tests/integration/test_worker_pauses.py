"""Processes that stand still for a while, as on a laptop that sleeps or a machine that is moved: the run goes on.

Here the pauses are short and so is the patience; what counts is which of the two is longer.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from scale_app.adapters.locust_process import LocustLoad, LocustProcess, Patience
from scale_app.adapters.this_machine import SystemClock
from scale_app.domain.plan import LoadPlan
from scale_app.domain.snapshot import Source
from scale_app.ports import Admitted
from tests.integration.test_worker_counts import CountingServer, check_equal, until
from tests.integration.test_worker_owner import alive
from tests.integration.test_worker_pipe import many_pods
from tests.integration.test_worker_processes import Following, worker_pids
from tests.tiny_server import served

pytestmark = pytest.mark.alone

PLAN = LoadPlan(users=6, spawn_rate=200, think_time_s=0.01, requests_per_connection=4, timeout_s=5)


async def followed(plan: LoadPlan, port: int, patience: Patience) -> Following:
    target = Admitted(f"http://127.0.0.1:{port}/", Source.HEADER, ("127.0.0.0/8",))
    load = await LocustProcess(SystemClock(), patience).start(plan, target)
    assert isinstance(load, LocustLoad)
    return Following(load)


@pytest.fixture
async def server() -> AsyncIterator[CountingServer]:
    async with CountingServer(delay_s=0.005).running() as server:
        yield server


def told(run: Following, words: str) -> bool:
    return any(words in sentence for _, sentence in run.notices)


def stand_still(seconds: float) -> None:
    """This process does nothing at all, as after SIGSTOP."""
    time.sleep(seconds)


async def test_an_owner_that_stood_still_takes_its_own_silence_for_nobody_s() -> None:
    plan = replace(PLAN, think_time_s=0.002, requests_per_connection=None)
    async with served(many_pods) as port:
        run = await followed(plan, port, Patience(silence_s=2.5))
        await until(lambda: bool(run.traffic) and len(run.traffic[-1].pods) > 500, 30)  # more than a pipe holds
        stand_still(5)
        heard = len(run.traffic)
        await until(lambda: len(run.traffic) > heard + 2, 20)
        await run.load.stop()
        assert (await run.ended()).error == ""


async def test_an_owner_that_stood_still_over_the_end_does_not_take_the_load_for_overdue(
    server: CountingServer,
) -> None:
    run = await followed(replace(PLAN, duration_s=2.5, timeout_s=0.5), server.port, Patience(overdue_s=4.0))
    await until(lambda: bool(run.traffic))
    os.kill(run.load.pid, signal.SIGSTOP)  # so that it has not ended when the owner looks again
    stand_still(8)
    asyncio.get_running_loop().call_later(0.3, os.kill, run.load.pid, signal.SIGCONT)
    assert (await run.ended()).error == ""
    check_equal(run.traffic[-1], server)


@pytest.mark.parametrize("whole", [False, True], ids=["the leading process", "all processes"])
@pytest.mark.parametrize("processes", [1, 3])
async def test_a_load_generator_that_was_stopped_goes_on_and_its_silence_is_told(
    server: CountingServer, processes: int, whole: bool
) -> None:
    run = await followed(replace(PLAN, processes=processes), server.port, Patience(notice_s=2.5, silence_s=60.0))
    await until(lambda: run.users() == 6)
    send = os.killpg if whole else os.kill
    send(run.load.pid, signal.SIGSTOP)
    await asyncio.sleep(4)  # longer than a process of another machine would wait for its master
    await until(lambda: told(run, "has not reported for 3 s: its process was stopped"))
    pids = worker_pids(run.load)
    send(run.load.pid, signal.SIGCONT)
    await until(lambda: told(run, "reports again"))
    heard = len(run.traffic)
    await until(lambda: len(run.traffic) > heard + 2)
    assert worker_pids(run.load) == pids
    await run.load.stop()
    assert (await run.ended()).error == ""
    check_equal(run.traffic[-1], server)
    assert run.traffic[-1].generator.lost_processes == 0


async def test_a_load_generator_that_stays_silent_is_killed_in_the_end(server: CountingServer) -> None:
    run = await followed(PLAN, server.port, Patience(notice_s=0.5, silence_s=2.0))
    await until(lambda: bool(run.traffic))
    os.kill(run.load.pid, signal.SIGSTOP)
    assert "did not report for 2 s and was killed" in (await run.ended()).error
    assert not alive(run.load.pid)


async def test_a_silent_load_generator_that_was_asked_to_stop_is_not_waited_for_as_long(
    server: CountingServer,
) -> None:
    run = await followed(replace(PLAN, timeout_s=0.5), server.port, Patience(silence_s=600.0, overdue_s=1.0))
    await until(lambda: bool(run.traffic))
    os.kill(run.load.pid, signal.SIGSTOP)
    await run.load.stop()
    assert "did not stop when asked" in (await run.ended()).error
    assert not alive(run.load.pid)


async def test_a_load_generator_that_talks_on_after_its_time_is_killed() -> None:
    plan = replace(PLAN, duration_s=1.0, timeout_s=0.5)
    generator = LocustProcess(SystemClock(), Patience(overdue_s=1.0), "tests.integration.endless_worker")
    load = await generator.start(plan, Admitted("http://127.0.0.1:9/", Source.HEADER, ("127.0.0.0/8",)))
    assert isinstance(load, LocustLoad)
    run = Following(load)
    assert "did not end after its duration" in (await run.ended()).error
    assert len(run.traffic) > 10
    assert not alive(load.pid)
