"""What of a run waits to be stored: lines, in order; the oldest few as they are, the others packed, so that they need
little room.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from scale_app.codec import from_json, to_json

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


async def unpacked(batch: list[Waiting[T]]) -> list[T]:
    if not any(waiting.size_bytes for waiting in batch):
        return [waiting.unpacked() for waiting in batch]
    return await asyncio.to_thread(lambda: [waiting.unpacked() for waiting in batch])
