"""One run's way into the store: its lines wait here until they are stored, in order and none twice.

The oldest few wait as they are; the writer's thread packs the others.
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from scale_app.codec import from_json, to_json
from scale_app.domain.errors import LeaseLost, RunNotFound, StoreUnavailable
from scale_app.domain.events import Event, SnapshotTaken
from scale_app.domain.record import RunRecord
from scale_app.domain.recording import Recorded
from scale_app.ports import Clock, RunStore

log = logging.getLogger(__name__)
T = TypeVar("T")
LEVEL = 6
"""Of zlib: it takes a third less room than the quickest one."""
PLAIN_LINES = 8
"""A store that is prompt never lets more than these wait, so nothing is packed for it."""
BATCH_LINES = 32
"""Stored in one transaction at most: of 1,000 pods some 12 MB of JSON."""
WORTH_IT = 0.25
"""Of the lines that may be thinned out, at least this part is."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A line as compressed JSON: of 1,000 pods a tenth of what it takes as an object. kind: its type."""

    kind: type
    body: bytes


@dataclass(frozen=True, slots=True)
class Waiting(Generic[T]):
    """A line, its number in the run, and the wall clock when it happened.

    spare: the run can be read without it. nth: of the spare ones, from 0. tried: packing it was tried.
    """

    seq: int
    line: T | Packed
    at_epoch_s: float
    spare: bool = False
    nth: int = 0
    tried: bool = False

    @property
    def size_bytes(self) -> int:
        """0 for one that is not packed."""
        return len(self.line.body) if isinstance(self.line, Packed) else 0

    def packed(self) -> Waiting[T]:
        """The same, packed if it can be: what cannot be written down waits as it is, and the store refuses it later."""
        try:
            body = zlib.compress(to_json(self.line), LEVEL)
        except ValueError:
            return replace(self, tried=True)
        return replace(self, line=Packed(type(self.line), body), tried=True)

    def unpacked(self) -> T:
        line = self.line
        # The kind is what `T` stands for; only the line itself knows which member of a union it is.
        return from_json(line.kind, zlib.decompress(line.body)) if isinstance(line, Packed) else line


class Backlog(Generic[T]):
    """What waits. plain_lines: the number that is never packed. given_up: lines that were dropped to make room."""

    def __init__(self, spare: Callable[[T], bool] = lambda line: False) -> None:
        """spare: tells the lines that may be thinned out when there is no room."""
        self._spare = spare
        self._waiting: list[Waiting[T]] = []
        self._next_seq = 0
        self._nth = 0
        self._every = 1
        self._cut = False
        self.plain_lines = PLAIN_LINES
        self.size_bytes = 0
        self.given_up = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, lines: Sequence[T], at_epoch_s: float) -> None:
        """Let these wait behind the others; they are numbered as they come."""
        for line in lines:
            if self._cut:
                self.given_up += 1
            else:
                waiting = Waiting(self._next_seq, line, at_epoch_s, self._spare(line), self._nth)
                self._nth += waiting.spare
                self._waiting.append(waiting)
            self._next_seq += 1

    def to_pack(self) -> Waiting[T] | None:
        """The oldest line that is to be packed and is not yet, None when there is none."""
        return next((waiting for waiting in self._waiting[self.plain_lines :] if not waiting.tried), None)

    def put_back(self, packed: Waiting[T]) -> None:
        """Let it wait packed, unless it was stored or given up meanwhile."""
        self._keep([packed if waiting.seq == packed.seq else waiting for waiting in self._waiting])

    def first(self, most: int = BATCH_LINES) -> list[Waiting[T]]:
        """The oldest lines whose numbers follow one another."""
        batch = self._waiting[:most]
        return [waiting for at, waiting in enumerate(batch) if waiting.seq == batch[0].seq + at]

    def lines(self) -> list[Waiting[T]]:
        return list(self._waiting)

    def take_out(self, up_to_seq: int) -> None:
        """Forget the lines up to this number: they are stored, or cannot be."""
        self._keep([waiting for waiting in self._waiting if waiting.seq > up_to_seq])
        self._every = self._every if self._waiting else 1

    def thin(self) -> int:
        """Give up some of the spare lines, so that the rest is spread evenly over all the time; how many that were.

        Those that may just be on their way into the store are left alone, and so is the newest.
        """
        spare = [waiting for waiting in self._waiting[BATCH_LINES:-1] if waiting.spare]
        too_many = self._too_many(spare)
        # Those that came since the last time are still close together, which may be room enough.
        while len(too_many) < WORTH_IT * len(spare) and self._every < self._nth:
            self._every *= 2
            too_many = self._too_many(spare)
        self.given_up += len(too_many)
        self._keep([waiting for waiting in self._waiting if waiting.seq not in too_many])
        return len(too_many)

    def cut(self) -> int:
        """Give up the newer half and take no more, for lines that are of use only up to the first gap; how many."""
        self._cut = True
        kept = self._waiting[: max(BATCH_LINES, len(self) // 2)]
        lost = len(self) - len(kept)
        self.given_up += lost
        self._keep(kept)
        return lost

    def _too_many(self, spare: list[Waiting[T]]) -> frozenset[int]:
        return frozenset(waiting.seq for waiting in spare if waiting.nth % self._every)

    def _keep(self, waiting: list[Waiting[T]]) -> None:
        self._waiting = waiting
        self.size_bytes = sum(each.size_bytes for each in waiting)


def follow_on(waiting: Sequence[Waiting[T]], seq: int) -> list[T]:
    """The lines from this number on, up to the first that is missing."""
    later = [each for each in waiting if each.seq >= seq]
    return [each.unpacked() for at, each in enumerate(later, seq) if each.seq == at]


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
            await store(batch, await _unpacked(batch))
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


async def _unpacked(batch: list[Waiting[T]]) -> list[T]:
    if not any(waiting.size_bytes for waiting in batch):
        return [waiting.unpacked() for waiting in batch]
    return await asyncio.to_thread(lambda: [waiting.unpacked() for waiting in batch])
