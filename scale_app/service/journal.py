"""One run's way into the store: its lines wait here until they are stored, in order and none twice."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from scale_app.domain.errors import LeaseLost, RunNotFound, StoreUnavailable
from scale_app.domain.events import Event, SnapshotTaken
from scale_app.domain.record import RunRecord
from scale_app.domain.recording import Recorded
from scale_app.ports import Clock, RunStore
from scale_app.service.backlog import BATCH_LINES, Backlog, Waiting, unpacked

log = logging.getLogger(__name__)


class Journal:
    """The lines of one run. Putting them in never waits; `write` stores the next ones.

    history: its events. recording: what it is judged by. waits_since_s: when the last moment was at which nothing
    waited, on the clock that never goes backwards; None when nothing waits. problem: why the last try failed, else "".
    lost: somebody else has ended this run in the store, which takes nothing more of it.
    """

    def __init__(
        self, record: RunRecord, store: RunStore, clock: Clock, put_in: Callable[[], None], lease_number: int = 0
    ) -> None:
        """record: as the run begins, stored before anything else of it. put_in: called when lines were put in.

        lease_number: under which it is stored.
        """
        self.run_id = record.run_id
        self.history = Backlog[Event](spare=lambda event: isinstance(event, SnapshotTaken))
        self.recording = Backlog[Recorded]()
        self._record: RunRecord | None = record
        self._store = store
        self._clock = clock
        self._put_in = put_in
        self._lease_number = lease_number
        self._dropped = False
        self.lost = False
        self._most = BATCH_LINES
        self._stored = asyncio.Event()
        self.waits_since_s: float | None = clock.monotonic_s()
        self.problem = ""
        self.turn = asyncio.Lock()
        """Held by whoever writes this run to the store, or deletes it there."""

    def happened(self, events: Sequence[Event], at_epoch_s: float) -> None:
        """Store these events. at_epoch_s: when they happened, wall clock."""
        self._put(self.history, events, at_epoch_s)

    def recorded(self, lines: Sequence[Recorded], at_epoch_s: float) -> None:
        self._put(self.recording, lines, at_epoch_s)

    @property
    def waiting(self) -> int:
        """Lines that wait, the run's own among them."""
        return (self._record is not None) + len(self.history) + len(self.recording)

    @property
    def given_up(self) -> int:
        return self.history.given_up + self.recording.given_up

    @property
    def size_bytes(self) -> int:
        """Of the packed ones."""
        return self.history.size_bytes + self.recording.size_bytes

    async def until_stored(self) -> None:
        """No more lines come; return when nothing waits."""
        # Of runs that have ended any number may wait.
        self.history.plain_lines = self.recording.plain_lines = 0
        await self._stored.wait()

    async def write(self) -> None:
        """Store the next lines that wait, in one transaction each for history and recording. Raises StoreUnavailable.

        Lines that the store can never take are given up, and the log says so.
        """
        async with self.turn:
            try:
                await self._write_next()
            except StoreUnavailable as error:
                self.problem = str(error)
                # One that is slow may take a few lines in the time that it is given.
                self._most = max(1, self._most // 2)
                raise
        self.problem = ""
        if not self.waiting:
            self._nothing_waits()

    def shrink(self) -> int:
        """Make room: give up some of what takes most, so that the rest can still be read; how many lines."""
        if self.recording.size_bytes > self.history.size_bytes:
            return self.recording.cut()
        return self.history.thin()

    def drop(self) -> None:
        """Nothing of this run is to be stored any more."""
        self._dropped = True
        self._record = None
        for backlog in (self.history, self.recording):
            if backlog:
                backlog.take_out(backlog.lines()[-1].seq)
        self.problem = ""
        self._nothing_waits()

    def _put(self, backlog: Backlog[Any], lines: Sequence[Any], at_epoch_s: float) -> None:
        if not self._dropped:
            backlog.put(lines, at_epoch_s)
        if self.waiting:
            self._stored.clear()
            self.waits_since_s = self._clock.monotonic_s() if self.waits_since_s is None else self.waits_since_s
            self._put_in()

    def _nothing_waits(self) -> None:
        self.waits_since_s = None
        self._stored.set()

    async def _write_next(self) -> None:
        if self._record is not None:
            await self._store.create(self._record, self._lease_number)
            self._record = None
        store, run_id, number = self._store, self.run_id, self._lease_number
        await self._write(
            self.history, lambda batch, events: store.append(run_id, batch[0].seq, events, batch[-1].at_epoch_s, number)
        )
        await self._write(self.recording, lambda batch, lines: store.record(run_id, batch[0].seq, lines, number))

    async def _write(self, backlog: Backlog[Any], store: Callable[..., Awaitable[None]]) -> None:
        batch = backlog.first(self._most)
        if not batch:
            return
        try:
            await store(batch, await unpacked(batch))
        except StoreUnavailable:
            raise
        except RunNotFound:
            log.error("run %s was deleted elsewhere: %d of its lines were dropped", self.run_id, self.waiting)
            self.drop()
        except LeaseLost:
            log.error("run %s was ended by another server: %d of its lines were dropped", self.run_id, self.waiting)
            self.lost = True
            self.drop()
        except Exception as error:  # noqa: BLE001 - whatever it is: it must not keep the lines behind it waiting
            self._refused(backlog, batch, error)
        else:
            self._most = min(BATCH_LINES, 2 * self._most)
            backlog.take_out(batch[-1].seq)

    def _refused(self, backlog: Backlog[Any], batch: list[Waiting[Any]], error: Exception) -> None:
        """One line among these cannot be stored whenever it is tried; alone, it is given up."""
        if len(batch) == 1:
            seq = batch[0].seq
            log.error("run %s: line %d cannot be stored and was dropped", self.run_id, seq, exc_info=error)
            backlog.given_up += 1
            backlog.take_out(seq)
        self._most = 1
