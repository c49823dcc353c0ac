"""Invented counts for work on the interface without a cluster: seeded, labelled as simulated wherever they show.

Follows the same contract as the real generator, connection by connection, so that every figure downstream is
computed the same way. Sends nothing and starts no process.
"""

from __future__ import annotations

import asyncio
from bisect import bisect
from collections.abc import AsyncIterator
from dataclasses import dataclass

import numpy as np

from scale_app.domain.histogram import Histogram, bucket_of
from scale_app.domain.plan import LoadPlan, PlanEdit
from scale_app.domain.samples import (
    ConnectionLoads,
    LoadEnded,
    LoadReady,
    PodCount,
    PodSeen,
    PodsSample,
    Sample,
    TrafficSample,
)
from scale_app.domain.target import SimulatedTarget, parse_simulated
from scale_app.domain.timetable import Timetable
from scale_app.ports import Admitted, Clock, Load

TICK_S = 1.0
MAX_REQUESTS_PER_S = 10_000
TYPICAL_LATENCY_S = 0.02
LATENCY_SPREAD = 0.4
NODES = 5


@dataclass(slots=True)
class _SimulatedConnection:
    connection_id: int
    pod: int
    born: int
    carried: int = 0


class SimulatedTraffic:
    """The counts of one invented run; `advance` moves it on. Pure but for its seeded generator.

    All is counted since the start. _latency: shape (pods, buckets). _short: {requests carried: connections that were
    opened and closed within one interval}. _closed_long: {connection: requests carried} of those closed in this one.
    """

    def __init__(self, target: SimulatedTarget, requests_per_connection: int | None) -> None:
        self._names = target.names
        self._cumulative = np.cumsum(target.weights()).tolist()
        self._random = np.random.default_rng([target.seed, 1])
        self._most = requests_per_connection
        self._buckets, self._chances = _latencies()
        self._requests = np.zeros(target.pods, int)
        self._connections = np.zeros(target.pods, int)
        self._latency = np.zeros((target.pods, len(self._buckets)), int)
        self._opened = 0
        self._short: dict[int, int] = {}
        self._closed_long: dict[int, int] = {}
        self._users: list[_SimulatedConnection | None] = []
        self._interval = 0

    def advance(self, users: int, requests: int) -> None:
        """One interval in which so many users send so many requests, shared evenly among them."""
        self._resize(users)
        before = self._requests.copy()
        for user in range(users):
            self._send(user, requests // users + (user < requests % users))
        self._latency += self._random.multinomial(self._requests - before, self._chances)

    def sample(self, at_s: float) -> TrafficSample:
        return TrafficSample(
            at_s=at_s,
            users=len(self._users),
            requests=int(self._requests.sum()),
            pods={name: self._count(pod) for pod, name in enumerate(self._names) if self._requests[pod]},
            connections=self._opened,
            loads=self._loads(),
        )

    def end(self) -> None:
        """All users leave and close their connections."""
        self._resize(0)

    def _resize(self, users: int) -> None:
        """The next interval begins with so many users."""
        self._interval += 1
        self._closed_long = {}
        self._users.extend([None] * (users - len(self._users)))
        while len(self._users) > users:
            self._close(self._users.pop())

    def _send(self, user: int, requests: int) -> None:
        while requests > 0:
            connection = self._users[user] or self._open(user)
            batch = requests if self._most is None else min(requests, self._most - connection.carried)
            connection.carried += batch
            self._requests[connection.pod] += batch
            requests -= batch
            if connection.carried == self._most:
                self._close(connection)
                self._users[user] = None

    def _open(self, user: int) -> _SimulatedConnection:
        self._opened += 1
        pod = min(bisect(self._cumulative, self._random.random()), len(self._names) - 1)
        self._connections[pod] += 1
        connection = self._users[user] = _SimulatedConnection(self._opened, pod, self._interval)
        return connection

    def _close(self, connection: _SimulatedConnection | None) -> None:
        if connection is None:
            return
        if connection.born == self._interval:
            self._short[connection.carried] = self._short.get(connection.carried, 0) + 1
        else:
            self._closed_long[connection.connection_id] = connection.carried

    def _loads(self) -> ConnectionLoads:
        open_now = {c.connection_id: c.carried for c in self._users if c is not None}
        return ConnectionLoads(dict(self._short), self._closed_long | open_now)

    def _count(self, pod: int) -> PodCount:
        row = zip(self._buckets, self._latency[pod], strict=True)
        counts = {bucket: int(times) for bucket, times in row if times}
        return PodCount(int(self._requests[pod]), 0, int(self._connections[pod]), Histogram(counts))


def _latencies() -> tuple[list[int], np.ndarray]:
    """Buckets and their chances, a bell over the logarithm of the latency; shapes (n,) both."""
    steps = np.linspace(-3, 3, 25)
    chances = np.exp(-(steps**2) / 2)
    buckets = [bucket_of(TYPICAL_LATENCY_S * float(np.exp(LATENCY_SPREAD * step))) for step in steps]
    return buckets, chances / chances.sum()


class SimulatedArrivals:
    """Arrivals of the open model, by the same rule as the real ones: the integral of their rate."""

    def __init__(self, plan: LoadPlan, seed: int) -> None:
        self._table = Timetable(plan.pattern)
        self._random = np.random.default_rng([seed, 2]) if plan.arrivals == "poisson" else None
        self._told = 0.0
        self.edit(plan, 0.0)

    def edit(self, plan: LoadPlan, at_s: float) -> None:
        """The plan's rate holds from so many seconds after the run's begin on."""
        self._table.change(at_s, min(plan.arrivals_per_s or 0.0, MAX_REQUESTS_PER_S))

    def until(self, at_s: float) -> int:
        """How many came since the last call."""
        told, self._told = self._told, max(self._told, self._table.due(at_s))
        if self._random is not None:
            return int(self._random.poisson(self._told - told))
        return int(self._told) - int(told)


class SimulatedLoad:
    """One invented run. See ports.Load."""

    def __init__(self, plan: LoadPlan, target: SimulatedTarget, clock: Clock) -> None:
        self._plan = plan
        self._clock = clock
        self._traffic = SimulatedTraffic(target, plan.requests_per_connection)
        self._over = asyncio.Event()
        self._users = 0.0
        self._owed = 0.0
        self._began_s: float | None = None
        self._arrivals = SimulatedArrivals(plan, target.seed)

    async def samples(self) -> AsyncIterator[Sample]:
        began_s = now_s = self._began_s = self._clock.monotonic_s()
        ends_s = began_s + self._plan.duration_s
        yield LoadReady(now_s)
        due_s = began_s
        while now_s < ends_s and not self._over.is_set():
            # In step with the clock, however long the work between two ticks takes.
            due_s = max(due_s + TICK_S, now_s)
            await self._tick(min(due_s, ends_s) - now_s)
            before_s, now_s = now_s, self._clock.monotonic_s()
            self._advance(now_s - before_s, now_s - began_s)
            yield self._traffic.sample(now_s)
        self._traffic.end()
        yield self._traffic.sample(self._clock.monotonic_s())
        yield LoadEnded(self._clock.monotonic_s())

    async def edit(self, edit: PlanEdit) -> None:
        """See ports.Load. Raises PlanError when the result cannot be run."""
        self._plan = self._plan.edited(edit)
        at_s = 0.0 if self._began_s is None else self._clock.monotonic_s() - self._began_s
        self._arrivals.edit(self._plan, at_s)

    async def stop(self) -> None:
        self._over.set()

    kill = stop

    async def _tick(self, most_s: float) -> None:
        """Wait for the next sample's time or for the end, whichever is first."""
        waits: list[asyncio.Future[object]] = [
            asyncio.ensure_future(self._clock.sleep(most_s)),
            asyncio.ensure_future(self._over.wait()),
        ]
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in done:
                wait.result()
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    def _advance(self, passed_s: float, at_s: float) -> None:
        plan = self._plan
        if plan.arrivals_per_s is not None:
            # Users are mere places to send from: all of them are there from the first arrival on.
            self._users = float(plan.users)
            self._traffic.advance(plan.users, self._arrivals.until(at_s))
            return
        step, goal = plan.spawn_rate * passed_s, float(plan.pattern.users(plan.users, at_s))
        self._users = min(goal, self._users + step) if self._users < goal else max(goal, self._users - step)
        rate = int(self._users) / (plan.think_time_s + TYPICAL_LATENCY_S)
        self._owed += min(rate, MAX_REQUESTS_PER_S) * passed_s
        requests, self._owed = int(self._owed), self._owed % 1
        self._traffic.advance(int(self._users), requests)


class SimulatedGenerator:
    """See ports.LoadGenerator."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def start(self, plan: LoadPlan, target: Admitted) -> Load:
        """Raises PlanError when the target is not a simulated one."""
        return SimulatedLoad(plan, parse_simulated(target.url), self._clock)


class SimulatedPods:
    """The invented pods. See ports.PodDirectory."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def watch(self, target: Admitted) -> AsyncIterator[Sample]:
        """All pods once; they never change. Raises PlanError when the target is not a simulated one."""
        names = parse_simulated(target.url).names
        pods = tuple(PodSeen(name, f"simulated-node-{i % NODES + 1}") for i, name in enumerate(names))
        yield PodsSample(self._clock.monotonic_s(), pods)
        await asyncio.Event().wait()
