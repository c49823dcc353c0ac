"""A run's own clock: one tick a second from the begin of its load, whether anybody has anything to report or not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import floor

from scale_app.domain.samples import LoadReady, Sample, Tick
from scale_app.ports import Clock

AFTER_READINGS_S = 0.25
"""The load generator counts at whole seconds of the load; a quarter of a second later its counts have arrived."""


class Ticking:
    """put: takes each tick. While one waits to be taken in there is no other, so none pile up behind a slow reader."""

    def __init__(self, clock: Clock, put: Callable[[Sample], None]) -> None:
        self._clock = clock
        self._put = put
        self._began_s = 0.0
        self._begun = asyncio.Event()
        self._waits = False

    def seen(self, sample: Sample) -> None:
        """The run has taken this in."""
        if isinstance(sample, LoadReady):
            self._began_s = sample.at_s
            self._begun.set()
        if isinstance(sample, Tick):
            self._waits = False

    async def run(self) -> None:
        """Tick for ever. Seconds missed in a pause are not made up for: their counts come all at once, too."""
        await self._begun.wait()
        second = 0
        while True:
            due_s = self._began_s + second + 1 + AFTER_READINGS_S
            await self._clock.sleep(due_s - self._clock.monotonic_s())
            second = max(second + 1, self._over())
            if not self._waits:
                self._waits = True
                self._put(Tick(self._began_s + second))

    def _over(self) -> int:
        """Whole seconds of the load whose readings should be there."""
        return floor(self._clock.monotonic_s() - AFTER_READINGS_S - self._began_s)
