"""The open model on real sockets: as many requests as asked for, and latencies that hide no wait."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest

from scale_app.adapters.locust_process import LocustProcess
from scale_app.adapters.this_machine import SystemClock
from scale_app.domain.pattern import Pattern
from scale_app.domain.plan import LoadPlan, PlanEdit
from scale_app.domain.samples import LoadEnded, LoadReady, TrafficSample
from scale_app.domain.snapshot import Source
from scale_app.ports import Admitted, Load

pytestmark = pytest.mark.alone

PLAN = LoadPlan(users=50, spawn_rate=1_000, requests_per_connection=None, arrivals_per_s=500, timeout_s=10)

MOST_LATE_MS = 500.0
"""What a busy machine may add to a wait; twice the wait would be more."""

# A pod that answers at once, says how many requests it got, and can be frozen from outside.
POD = """
import asyncio, sys
class Pod(asyncio.Protocol):
    def connection_made(self, transport): self.transport = transport
    def data_received(self, data):
        self.transport.write(b"HTTP/1.1 200 OK\\r\\nX-Pod-Name: a\\r\\nContent-Length: 2\\r\\n\\r\\nhi")
async def main():
    server = await asyncio.get_running_loop().create_server(Pod, "127.0.0.1", 0, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


@dataclass(frozen=True)
class Pod:
    url: str
    pid: int

    async def freeze(self, seconds: float) -> float:
        """The seconds that it was frozen in truth: at least as asked, more on a busy machine."""
        os.kill(self.pid, signal.SIGSTOP)
        began_s = time.monotonic()
        await asyncio.sleep(seconds)
        os.kill(self.pid, signal.SIGCONT)
        return time.monotonic() - began_s


@pytest.fixture
async def pod() -> AsyncIterator[Pod]:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", POD, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    port = int(await process.stdout.readline())
    yield Pod(f"http://127.0.0.1:{port}/", process.pid)
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()


async def started(plan: LoadPlan, pod: Pod) -> Load:
    return await LocustProcess(SystemClock()).start(plan, Admitted(pod.url, Source.HEADER, ("127.0.0.0/8",)))


async def traffic_of(load: Load) -> list[TrafficSample]:
    samples = [sample async for sample in load.samples()]
    assert isinstance(samples[0], LoadReady)
    assert isinstance(samples[-1], LoadEnded)
    assert samples[-1].error == ""
    return [sample for sample in samples if isinstance(sample, TrafficSample)]


def rate_per_s(earlier: TrafficSample, later: TrafficSample) -> float:
    return (later.generator.arrivals - earlier.generator.arrivals) / (later.at_s - earlier.at_s)


async def test_as_many_requests_are_sent_as_were_asked_for(pod: Pod) -> None:
    traffic = await traffic_of(await started(replace(PLAN, duration_s=4.5), pod))
    # An arrival that is due while the machine is busy comes a moment later, in the next sample at the latest.
    assert rate_per_s(traffic[0], traffic[-2]) == pytest.approx(500, rel=0.02)
    end = traffic[-1]
    assert end.generator.arrivals == pytest.approx(500 * 4.5, rel=0.02)
    assert end.requests == end.generator.arrivals - end.generator.dropped_arrivals
    assert end.errors == {}


async def test_random_arrivals_come_as_often_but_not_evenly(pod: Pod) -> None:
    traffic = await traffic_of(await started(replace(PLAN, duration_s=3, arrivals="poisson"), pod))
    assert traffic[-1].generator.arrivals == pytest.approx(1_500, rel=0.15)


async def test_a_server_that_stands_still_for_a_second_is_seen_in_the_latencies(pod: Pod) -> None:
    duration_s = 6.0
    load = await started(replace(PLAN, duration_s=duration_s), pod)
    ending = asyncio.create_task(traffic_of(load))
    await asyncio.sleep(2)
    frozen_s = await pod.freeze(1.0)
    end = (await ending)[-1]
    latency = end.pods["a"].latency
    # Arrivals in that second waited for what was left of it: evenly from 1 s down to nothing. On a busy machine they
    # may wait longer, never shorter.
    for q in (0.95, 0.99):
        truth_ms = (frozen_s - (1 - q) * duration_s) * 1_000
        assert 0.95 * truth_ms <= (latency.quantile_ms(q) or 0) <= truth_ms + MOST_LATE_MS
    assert end.generator.late_arrivals >= 390
    assert end.generator.dropped_arrivals == 0
    assert end.requests == end.generator.arrivals


async def test_arrivals_are_edited_while_they_come(pod: Pod) -> None:
    load = await started(replace(PLAN, duration_s=60, arrivals_per_s=100), pod)
    traffic: list[TrafficSample] = []
    async for sample in load.samples():
        if isinstance(sample, TrafficSample):
            traffic.append(sample)
            if len(traffic) == 3:
                await load.edit(PlanEdit(arrivals_per_s=400))
            if len(traffic) == 8:
                await load.stop()
    # In force within a second of the third sample; a sample that came late on a busy machine is one of a longer span.
    assert rate_per_s(traffic[0], traffic[2]) == pytest.approx(100, rel=0.15)
    assert rate_per_s(traffic[4], traffic[7]) == pytest.approx(400, rel=0.1)


async def test_arrivals_follow_the_pattern(pod: Pod) -> None:
    spike = Pattern("spike", low=0.1, begins_s=2.0, period_s=1.0)
    traffic = await traffic_of(await started(replace(PLAN, duration_s=4.2, pattern=spike), pod))
    counts = [0, *(sample.generator.arrivals for sample in traffic)]
    assert counts[1] - counts[0] == pytest.approx(50, abs=15)
    assert max(after - before for before, after in itertools.pairwise(counts)) > 300
    assert counts[-2] - counts[0] == pytest.approx(500 + 3 * 50, abs=160)


async def test_users_of_the_closed_model_follow_the_pattern(pod: Pod) -> None:
    steps = Pattern("steps", low=0.2, period_s=1.0, steps=3)
    plan = replace(PLAN, users=20, arrivals_per_s=None, think_time_s=0.05, duration_s=3.5, pattern=steps)
    traffic = await traffic_of(await started(plan, pod))
    assert [sample.users for sample in traffic][-1] == 0
    users = [sample.users for sample in traffic[:-1]]
    assert users[0] in (4, 12)
    assert users == sorted(users)
    assert users[-1] == 20
