"""Follows the live runs of other servers into those of this one, so that any server shows and streams any run."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection
from contextlib import aclosing, suppress

from scale_app.domain.errors import BusUnavailable, RunNotFound, StoreUnavailable
from scale_app.domain.events import Numbered
from scale_app.domain.pod_history import MOST_COLUMNS, PodHistory
from scale_app.ports import Clock, RunStore
from scale_app.replica_ports import RunBus
from scale_app.service.run_control import LiveRuns
from scale_app.service.run_elsewhere import RunElsewhere
from scale_app.service.tasks import cancelled

PAUSE_S = 1.0
MOST_KNOWN = 1_000
LOOKS_TO_END = 3
"""So many in a row must find the run ended in the store, before what its stream still has is not waited for."""


class Elsewhere:
    """Follows every live run of other servers into the live runs of this one."""

    def __init__(self, bus: RunBus, store: RunStore, live: LiveRuns, clock: Clock) -> None:
        self._bus = bus
        self._store = store
        self._live = live
        self._clock = clock
        self._following: dict[str, asyncio.Task[None]] = {}
        self._ended: dict[str, int] = {}
        self._known: deque[str] = deque(maxlen=MOST_KNOWN)

    def look(self, run_ids: Collection[str]) -> None:
        """These are stored as active and owned by others; follow them, and none of which that is no longer true.

        A run that somebody follows here since before it was found is followed as well, if it has ended meanwhile.
        """
        for run_id in {*run_ids, *self._live.broadcast.followed()}:
            if run_id not in self._following and not self._live.get(run_id):
                self._known.append(run_id)
                self._following[run_id] = asyncio.create_task(self._follow(run_id))
        self._ended = {run_id: self._ended.get(run_id, 0) + 1 for run_id in self._following if run_id not in run_ids}
        for run_id, looks in self._ended.items():
            if looks >= LOOKS_TO_END:
                self._following[run_id].cancel()
        self._following = {run_id: task for run_id, task in self._following.items() if not task.done()}

    def knows(self, run_id: str) -> bool:
        """This is, or was lately, a live run of another server."""
        return run_id in self._known

    async def close(self) -> None:
        """Follow nothing any more."""
        await cancelled(*self._following.values())

    async def _follow(self, run_id: str) -> None:
        run: RunElsewhere | None = None
        try:
            while True:
                try:
                    run = await self._caught_up(run_id, run)
                    async with aclosing(self._bus.follow(run_id, run.published_seq)) as coming:
                        async for numbered in coming:
                            self._take(run, numbered)
                    return
                except (BusUnavailable, StoreUnavailable):
                    await self._clock.sleep(PAUSE_S)
        except RunNotFound:
            return
        finally:
            if run is not None:
                await self._leave(run)

    async def _caught_up(self, run_id: str, run: RunElsewhere | None) -> RunElsewhere:
        """With all that is stored of it."""
        if run is not None:
            for numbered in await self._store.happenings(run_id):
                if numbered.seq > run.published_seq:
                    self._take(run, numbered)
            return run
        # The record first: what is read later may be newer, and what is in both is taken once.
        record = await self._store.run(run_id)
        happenings, points = await self._store.happenings(run_id), await self._store.points(run_id)
        counts = await self._store.pod_counts(run_id, 2 * MOST_COLUMNS)
        run = RunElsewhere(record, points, await asyncio.to_thread(PodHistory, counts), happenings, self._bus)
        self._live.add(run_id, run)
        for numbered in happenings:  # to those who follow it since before it was found
            self._live.broadcast.publish(run_id, [numbered.event], numbered.seq)
        return run

    def _take(self, run: RunElsewhere, numbered: Numbered) -> None:
        run.take(numbered, self._clock.epoch_s())
        self._live.broadcast.publish(run.record.run_id, [numbered.event], numbered.seq)

    async def _leave(self, run: RunElsewhere) -> None:
        """It is read from the store from now on; viewers are told how it ended."""
        run_id = run.record.run_id
        with suppress(BusUnavailable, StoreUnavailable, RunNotFound):
            await self._caught_up(run_id, run)
        self._live.broadcast.end(run_id)
        run.over.set()
        self._live.remove(run_id)
