"""The registry of live runs, which reading, control and notices share: what goes on here, or is not stored yet."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from scale_app.domain.errors import RunStillActive
from scale_app.domain.record import RunFilter, RunOutline, RunRecord, outline_of
from scale_app.ports import Clock, RunStore
from scale_app.service.broadcast import Broadcast
from scale_app.service.live_run import LiveRun
from scale_app.service.tasks import Sleep
from scale_app.service.writer import Writer


class LiveRuns:
    """Every run from its start until all of it is stored, by id. A run is read from here until then.

    broadcast: tells every viewer what happens in them. writer: stores it behind them.
    """

    def __init__(self, store: RunStore, clock: Clock, sleep: Sleep = asyncio.sleep) -> None:
        """sleep: lets time pass between tries to store."""
        self.broadcast = Broadcast()
        self.writer = Writer(store, clock, sleep)
        self._runs: dict[str, LiveRun] = {}

    def add(self, run_id: str, live: LiveRun) -> None:
        self._runs[run_id] = live

    def remove(self, run_id: str) -> None:
        """Its history is read from the store from now on."""
        self._runs.pop(run_id).stored.set()

    async def until_stored(self, run_id: str) -> None:
        """Return once a run has ended and all of it is stored; at once for a run that is not live."""
        if live := self._runs.get(run_id):
            await live.stored.wait()

    def get(self, run_id: str) -> LiveRun | None:
        return self._runs.get(run_id)

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(self._runs)

    def active(self) -> list[RunRecord]:
        """Runs that send load, newest first."""
        records = [live.record for live in self._runs.values() if live.record.state.active]
        return sorted(records, key=lambda record: -record.created_at_epoch_s)

    def outlines(self, wanted: RunFilter) -> list[RunOutline]:
        """Those that are wanted, in no order."""
        return [run for run in map(outline_of, map(self.record_of, self._runs.values())) if wanted.fits(run)]

    def record_of(self, live: LiveRun) -> RunRecord:
        """The run as it is now, with what of it is not stored yet."""
        record = live.record
        return replace(record, not_stored=self.writer.problem_of(record.run_id))

    def check_ended(self, run_id: str, then: str) -> None:
        """Raises RunStillActive. then: what is to be done once it has ended."""
        live = self._runs.get(run_id)
        if live and live.record.state.active:
            raise RunStillActive(f"Run {run_id} still sends load. Stop it, then {then}.")
