"""Parts of a run that fail or hang at a moment that the test chooses, in ways that nobody foresaw."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import suppress
from typing import Literal

from scale_app.domain.plan import LoadPlan
from scale_app.domain.samples import ConnectionsSample, CountsSample, PodSeen, PodsSample, Sample
from scale_app.domain.source import Source
from scale_app.ports import Admitted
from tests.fakes_load import PlayedGenerator, PlayedLoad

Moment = Literal["start", "first", "mid", "silent end", "stop", "kill", "close"]


def boom() -> RuntimeError:
    return RuntimeError("boom")


HANGING: list[asyncio.Event] = []


async def for_ever() -> None:
    """Hang, also when cancelled, as a thread does that waits for a dead network: until the test lets all go."""
    gate = asyncio.Event()
    HANGING.append(gate)
    while not gate.is_set():
        with suppress(asyncio.CancelledError):
            await gate.wait()


async def let_all_go() -> None:
    """End whatever hangs."""
    while HANGING:
        HANGING.pop().set()
        await asyncio.sleep(0)


class FaultyLoad(PlayedLoad):
    """A played load that fails at `moment`, or hangs there with `hangs`."""

    def __init__(self, moment: Moment, hangs: bool = False) -> None:
        super().__init__()
        self._moment = moment
        self._hangs = hangs

    async def samples(self) -> AsyncIterator[Sample]:
        await self._reach("first")
        try:
            async for sample in super().samples():
                yield sample
                await self._reach("mid")
                if self._moment == "silent end":
                    return
        finally:
            await self._reach("close")

    async def stop(self) -> None:
        await super().stop()
        await self._reach("stop")

    async def kill(self) -> None:
        await super().kill()
        await self._reach("kill")

    async def _reach(self, moment: Moment) -> None:
        if moment == self._moment and self._hangs:
            await for_ever()
        if moment == self._moment:
            raise boom()


class FaultyGenerator(PlayedGenerator):
    """Starts loads that fail."""

    def __init__(self, moment: Moment, hangs: bool = False) -> None:
        super().__init__()
        self._moment: Moment = moment
        self._hangs = hangs

    async def start(self, plan: LoadPlan, target: Admitted) -> PlayedLoad:
        if self._moment == "start" and self._hangs:
            await for_ever()
        if self._moment == "start":
            raise boom()
        self.plans.append(plan)
        self.loads.append(FaultyLoad(self._moment, self._hangs))
        return self.loads[-1]


class FaultyDirectory:
    """Sees two pods, and fails. error: what it raises, None for a RuntimeError."""

    def __init__(self, moment: Moment, error: Exception | None = None, hangs: bool = False) -> None:
        self._moment = moment
        self._error = error or boom()
        self._hangs = hangs
        self.fails = asyncio.Event()

    async def watch(self, target: Admitted) -> AsyncIterator[Sample]:
        if self._moment == "first":
            raise boom()
        try:
            yield PodsSample(0.0, (PodSeen("a"), PodSeen("b")))
            await self.fails.wait()
            if self._hangs:
                await for_ever()
            elif self._moment == "mid":
                raise self._error
        finally:
            if self._moment == "close":
                raise boom()


class FaultyCounter:
    """Reads two pods once, and fails."""

    def __init__(self, source: Source, moment: Moment) -> None:
        self._source = source
        self._moment = moment
        self.fails = asyncio.Event()

    async def counts(
        self, plan: LoadPlan, target: Admitted, sent: Callable[[], int]
    ) -> AsyncGenerator[CountsSample | ConnectionsSample, None]:
        if self._moment == "first":
            raise boom()
        try:
            yield CountsSample(-1.0, self._source, {"a": 0, "b": 0})
            await self.fails.wait()
            if self._moment == "mid":
                raise boom()
        finally:
            if self._moment == "close":
                raise boom()
