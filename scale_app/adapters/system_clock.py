"""The machine's own clock."""

from __future__ import annotations

import asyncio
import time


class SystemClock:
    """Clock of this machine; its monotonic time is the same in every process here (CLOCK_MONOTONIC)."""

    def monotonic_s(self) -> float:
        return time.monotonic()

    def epoch_s(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
