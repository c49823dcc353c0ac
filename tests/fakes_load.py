"""A load generator and a pod directory that a test plays by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from scale_app.domain.errors import ScaleError
from scale_app.domain.events import Event
from scale_app.domain.plan import LoadPlan, PlanEdit
from scale_app.domain.recording import with_ticks
from scale_app.domain.run import Run
from scale_app.domain.samples import LoadEnded, LoadReady, PodCount, PodSeen, PodsSample, Sample, TrafficSample
from scale_app.domain.snapshot import Source
from scale_app.ports import Admitted
from scale_app.service.live_run import AFTER_READINGS_S
from tests.fakes import FakeClock

TARGET = Admitted("http://127.0.0.1:1/", Source.HEADER, ("127.0.0.0/8",), one_port=True)


class PlayedLoad:
    """A load whose samples the test gives. stopped, killed and edits tell what the service asked of it.

    may_edit: cleared while an edit should take its time. refuses: what an edit raises. clock: moved on to a moment
    after each sample of traffic, so that the run looks at it.
    """

    def __init__(self, clock: FakeClock | None = None) -> None:
        self._clock = clock
        self.queue: asyncio.Queue[Sample] = asyncio.Queue()
        self.edits: list[PlanEdit] = []
        self.may_edit = asyncio.Event()
        self.may_edit.set()
        self.refuses: Exception | None = None
        self.stopped = False
        self.killed = False

    async def samples(self) -> AsyncIterator[Sample]:
        while True:
            sample = await self.queue.get()
            yield sample
            if isinstance(sample, LoadEnded):
                return

    async def edit(self, edit: PlanEdit) -> None:
        await asyncio.sleep(0)
        await self.may_edit.wait()
        if self.refuses:
            raise self.refuses
        self.edits.append(edit)

    def runs(self, began_as: LoadPlan) -> LoadPlan:
        """What runs now, of a plan that it began with."""
        for edit in self.edits:
            began_as = began_as.edited(edit)
        return began_as

    async def stop(self) -> None:
        self.stopped = True

    async def kill(self) -> None:
        self.killed = True

    def play(self, *samples: Sample) -> None:
        for sample in samples:
            self.queue.put_nowait(sample)

    def ready(self, at_s: float = 0.0) -> None:
        self.play(LoadReady(at_s))

    def traffic(self, at_s: float, **requests: int) -> None:
        self.play(traffic(at_s, **requests))
        if self._clock is not None:
            self._clock.advance(max(0.0, at_s + AFTER_READINGS_S - self._clock.monotonic_s()))

    def end(self, at_s: float, error: str = "") -> None:
        self.play(LoadEnded(at_s, error))


class PlayedGenerator:
    """Hands out PlayedLoads; `failure` makes the next start raise. clock: see PlayedLoad."""

    def __init__(self, clock: FakeClock | None = None) -> None:
        self.clock = clock
        self.loads: list[PlayedLoad] = []
        self.plans: list[LoadPlan] = []
        self.failure: ScaleError | None = None
        self.may_start = asyncio.Event()
        self.may_start.set()

    async def start(self, plan: LoadPlan, target: Admitted) -> PlayedLoad:
        await self.may_start.wait()
        if self.failure:
            raise self.failure
        self.plans.append(plan)
        self.loads.append(PlayedLoad(self.clock))
        return self.loads[-1]


class PlayedDirectory:
    """Lists the same ready pods to everybody, at time 0."""

    def __init__(self, *pods: str) -> None:
        self.pods = pods

    async def watch(self, target: Admitted) -> AsyncIterator[Sample]:
        yield PodsSample(0.0, tuple(PodSeen(name) for name in self.pods))


class OpenGate:
    """Admits every target, or raises `refusal`."""

    def __init__(self) -> None:
        self.refusal: ScaleError | None = None

    async def admit(self, plan: LoadPlan, recent_s: float = 0.0) -> Admitted:
        if self.refusal:
            raise self.refusal
        return TARGET


def traffic(at_s: float, **requests: int) -> TrafficSample:
    """A sample in which each named pod answered so many requests on connections of one request each."""
    pods = {name: PodCount(requests=count, connections=count) for name, count in requests.items()}
    return TrafficSample(at_s, users=5, requests=sum(requests.values()), pods=pods)


def observed(run: Run, *samples: Sample) -> list[Event]:
    """What these samples mean to the run, whose clock ticks at each one of the load."""
    return [event for sample in with_ticks(samples) for event in run.observe(sample)]
