"""A source of counts that a test plays by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable

from scale_app.domain.errors import CountingFailed
from scale_app.domain.plan import LoadPlan
from scale_app.domain.samples import ConnectionsSample, CountsSample
from scale_app.domain.source import Source
from scale_app.ports import Admitted


class PlayedCounter:
    """Gives the readings that the test puts into it. closed: nobody reads it any more. sent: as the service tells."""

    def __init__(self, source: Source, failure: str = "") -> None:
        self.source = source
        self.failure = failure
        self.readings: asyncio.Queue[CountsSample | ConnectionsSample | None] = asyncio.Queue()
        self.opened = asyncio.Event()
        self.closed = asyncio.Event()
        self.sent: Callable[[], int] = lambda: 0

    def read(self, at_s: float, **requests: int) -> None:
        self.readings.put_nowait(CountsSample(at_s, self.source, requests))

    def lose(self, failure: str) -> None:
        self.failure = failure
        self.readings.put_nowait(None)

    async def counts(
        self, plan: LoadPlan, target: Admitted, sent: Callable[[], int]
    ) -> AsyncGenerator[CountsSample | ConnectionsSample, None]:
        self.sent = sent
        self.opened.set()
        try:
            while not self.failure:
                reading = await self.readings.get()
                if reading is not None:
                    yield reading
            raise CountingFailed(self.failure)
        finally:
            self.closed.set()
