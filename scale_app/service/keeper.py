"""Keeps the history small, in the background: deletes what is beyond the limits, and lets the store tidy up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from scale_app.domain.errors import RunNotFound, RunStillActive, StoreUnavailable
from scale_app.domain.record import MEGABYTE, Retention, RunOutline
from scale_app.ports import Clock, RunStore
from scale_app.service.tasks import Sleep

log = logging.getLogger(__name__)
FIRST_AFTER_S = 10.0
"""So late that a command that only lists or shows runs never gets there."""
EVERY_S = 300.0
PAUSE_S = 0.05
"""Between two small steps, so that whoever writes or reads comes first."""
AT_ONCE = 20


class Keeper:
    """Of one history. Never raises; what cannot be done now is tried again later."""

    def __init__(
        self,
        store: RunStore,
        clock: Clock,
        retention: Retention,
        delete: Callable[[str], Awaitable[None]],
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """delete: deletes an ended run; raises RunNotFound, RunStillActive, StoreUnavailable."""
        self._store = store
        self._clock = clock
        self._retention = retention
        self._delete_run = delete
        self._sleep = sleep
        self._full = False

    async def keep(self) -> None:
        """Look after the history for as long as the process lives."""
        await self._sleep(FIRST_AFTER_S)
        while True:
            await self.look()
            await self._sleep(EVERY_S)

    async def look(self) -> None:
        """Delete what is beyond the limits now, and tidy up."""
        try:
            await self._by_age()
            await self._by_number()
            while await self._store.tidy():
                await self._sleep(PAUSE_S)
            await self._by_size()
            while await self._store.tidy():
                await self._sleep(PAUSE_S)
        except StoreUnavailable as error:
            log.warning("the history could not be cleaned up; Scale tries again later: %s", error)
        except Exception:
            log.exception("the history could not be cleaned up; Scale tries again later")

    async def _by_age(self) -> None:
        why = f"it ended more than {self._retention.days:g} days ago (SCALE_HISTORY_DAYS)"
        now_s = self._clock.epoch_s()
        while too_old := [run for run in await self._store.oldest(AT_ONCE) if self._retention.too_old(run, now_s)]:
            if not await self._delete(too_old, why, AT_ONCE):
                return

    async def _by_number(self) -> None:
        why = f"more than {self._retention.runs:,} runs were kept (SCALE_HISTORY_RUNS)"
        while excess := self._retention.too_many(await self._store.count()):
            if not await self._delete(await self._spare(), why, excess):
                return

    async def _by_size(self) -> None:
        why = f"the history took more than {self._retention.size_mb:g} MB (SCALE_HISTORY_MB)"
        while self._retention.too_large(size := await self._store.size_bytes()):
            if not await self._delete(await self._spare(), why, 1):
                self._say_full(size)
                return
        self._full = False

    async def _spare(self) -> list[RunOutline]:
        """The oldest runs that may be deleted; the newest of all stays, since somebody may be looking at it."""
        return (await self._store.oldest(AT_ONCE + 1))[:-1]

    async def _delete(self, runs: list[RunOutline], why: str, most: int) -> bool:
        """Delete the first of these that can be deleted, at most this many; True if there was one."""
        deleted = 0
        for run in runs:
            if deleted == most:
                break
            try:
                await self._delete_run(run.run_id)
            except (RunNotFound, RunStillActive):
                continue
            deleted += 1
            log.warning("run %s of %s was deleted: %s", run.run_id, run.target_url, why)
            await self._sleep(PAUSE_S)
        return deleted > 0

    def _say_full(self, size_bytes: int) -> None:
        if not self._full:
            log.warning(
                "the history takes %.0f MB, more than SCALE_HISTORY_MB = %g, and nothing in it may be deleted: it "
                "holds baselines and active runs. Remove a baseline, or allow more.",
                size_bytes / MEGABYTE, self._retention.size_mb,
            )  # fmt: skip
        self._full = True
