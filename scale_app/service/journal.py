"""One run's way into the store: its lines wait here until they are stored, in order and none twice."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from scale_app.domain.errors import RunNotFound, StoreUnavailable
from scale_app.domain.events import Event, SnapshotTaken
from scale_app.domain.record import RunRecord
from scale_app.domain.recording import Recorded
from scale_app.ports import Clock, RunStore
from scale_app.service.backlog import BATCH_LINES, Backlog, Waiting

log = logging.getLogger(__name__)
T = TypeVar("T")
Store = Callable[[list[Waiting[T]], list[T]], Awaitable[None]]


class Journal:
    """The lines of one run. Putting them in never waits; `write` stores the next ones.

    history: its events. recording: what it is judged by. waits_since_s: when the last moment was at which nothing
    waited, on the clock that never goes backwards; None when nothing waits. problem: why the last try failed, else "".
    """

    def __init__(self, record: RunRecord, store: RunStore, clock: Clock, put_in: Callable[[], None]) -> None:
        """record: as the run begins, stored before anything else of it. put_in: called when lines were put in."""
        self.run_id = record.run_id
        self.history = Backlog[Event](spare=lambda event: isinstance(event, SnapshotTaken))
        self.recording = Backlog[Recorded]()
        self._record: RunRecord | None = record
        self._store = store
        self._clock = clock
        self._put_in = put_in
        self._most = BATCH_LINES
        self._stored = asyncio.Event()
        self.waits_since_s: float | None = clock.monotonic_s()
        self.problem = ""
        self.turn = asyncio.Lock()
        """Held by whoever writes this run to the store, or deletes it there."""

    def happened(self, events: Sequence[Event], at_epoch_s: float) -> None:
        """Store these events. at_epoch_s: when they happened, wall clock."""
        self.history.put(events, at_epoch_s)
        self._wait()

    def recorded(self, lines: Sequence[Recorded], at_epoch_s: float) -> None:
        """Store these lines of the recording."""
        self.recording.put(lines, at_epoch_s)
        self._wait()

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
        self._record = None
        for backlog in (self.history, self.recording):
            if backlog:
                backlog.take_out(backlog.lines()[-1].seq)
        self.problem = ""
        self._nothing_waits()

    def _wait(self) -> None:
        if self.waiting:
            self._stored.clear()
            self.waits_since_s = self._clock.monotonic_s() if self.waits_since_s is None else self.waits_since_s
            self._put_in()

    def _nothing_waits(self) -> None:
        self.waits_since_s = None
        self._stored.set()

    async def _write_next(self) -> None:
        if self._record is not None:
            await self._store.create(self._record)
            self._record = None
        await self._write(self.history, self._append)
        await self._write(self.recording, self._add_to_recording)

    async def _write(self, backlog: Backlog[Any], store: Store[Any]) -> None:
        batch = backlog.first(self._most)
        if not batch:
            return
        try:
            await store(batch, await _unpacked(batch))
        except StoreUnavailable:
            raise
        except RunNotFound:
            log.error("run %s was deleted from outside: %d lines of it were given up", self.run_id, self.waiting)
            self.drop()
        except Exception as error:  # noqa: BLE001 - whatever it is: it must not keep the lines behind it waiting
            self._refused(backlog, batch, error)
        else:
            self._most = min(BATCH_LINES, 2 * self._most)
            backlog.take_out(batch[-1].seq)

    async def _append(self, batch: list[Waiting[Event]], events: list[Event]) -> None:
        await self._store.append(self.run_id, batch[0].seq, events, batch[-1].at_epoch_s)

    async def _add_to_recording(self, batch: list[Waiting[Recorded]], lines: list[Recorded]) -> None:
        await self._store.record(self.run_id, batch[0].seq, lines)

    def _refused(self, backlog: Backlog[Any], batch: list[Waiting[Any]], error: Exception) -> None:
        """One line among these cannot be stored whenever it is tried; alone, it is given up."""
        if len(batch) == 1:
            seq = batch[0].seq
            log.error("run %s: line %d cannot be stored and was given up", self.run_id, seq, exc_info=error)
            backlog.given_up += 1
            backlog.take_out(batch[0].seq)
        self._most = 1


async def _unpacked(batch: list[Waiting[T]]) -> list[T]:
    if not any(waiting.size_bytes for waiting in batch):
        return [waiting.unpacked() for waiting in batch]
    return await asyncio.to_thread(lambda: [waiting.unpacked() for waiting in batch])
