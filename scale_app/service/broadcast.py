"""Sends events to every viewer. A viewer follows a run by numbers, so it can go on where a cut connection stopped.

A slow viewer costs nobody anything: of each run it gets the newest snapshot only, and every other event (state, alert,
pod) in order.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from scale_app.domain.errors import PlanError
from scale_app.domain.events import Event, Numbered, SnapshotTaken
from scale_app.domain.record import RunRecord

Item = tuple[str, Event]
MAX_WAITING = 10_000
"""Events, snapshots apart, that wait for one viewer; one that is further behind is let go."""


class Subscription:
    """One viewer's queue: an async iterator of (run id, event). It ends when closed or too far behind.

    run_id: of the run that alone is followed, None for every run.
    """

    def __init__(self, run_id: str | None) -> None:
        self.run_id = run_id
        self._waiting: deque[tuple[str, Numbered]] = deque()
        self._wake = asyncio.Event()
        self._closed = False

    def offer(self, run_id: str, event: Event, seq: int = -1) -> None:
        """Queue an event that concerns this viewer. seq: its place in the run. Never blocks."""
        if self._closed or self.run_id not in (None, run_id):
            return
        if isinstance(event, SnapshotTaken):
            self._drop_older_snapshot(run_id)
        if len(self._waiting) >= MAX_WAITING:
            self._closed = True
        else:
            self._waiting.append((run_id, Numbered(seq, event)))
        self._wake.set()

    def close(self) -> None:
        """No more events; those that wait are still delivered."""
        self._closed = True
        self._wake.set()

    async def items(self) -> AsyncIterator[Item]:
        """The events, oldest first, as they come."""
        async for run_id, numbered in self._all():
            yield run_id, numbered.event

    async def numbered(self) -> AsyncIterator[Numbered]:
        """The same with each event's place in its run; for a viewer of one run."""
        async for _, numbered in self._all():
            yield numbered

    async def _all(self) -> AsyncIterator[tuple[str, Numbered]]:
        while True:
            while self._waiting:
                yield self._waiting.popleft()
            if self._closed:
                return
            self._wake.clear()
            await self._wake.wait()

    def _drop_older_snapshot(self, run_id: str) -> None:
        for index, (waiting_id, numbered) in enumerate(self._waiting):
            if waiting_id == run_id and isinstance(numbered.event, SnapshotTaken):
                del self._waiting[index]
                return


class Broadcast:
    """Every subscription of this process."""

    def __init__(self) -> None:
        self._subscriptions: set[Subscription] = set()

    @contextmanager
    def subscribe(self, run_id: str | None, first: Iterable[Item]) -> Iterator[Subscription]:
        """A subscription that begins with `first`; run_id None follows every run."""
        subscription = Subscription(run_id)
        for item in first:
            subscription.offer(*item)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    def publish(self, run_id: str, events: Iterable[Event], first_seq: int = 0) -> None:
        """Offer the events to everybody who follows the run; first_seq: the place of the first one in the run."""
        for seq, event in enumerate(events, first_seq):
            for subscription in self._subscriptions:
                subscription.offer(run_id, event, seq)

    def followed(self) -> set[str]:
        """The runs that somebody follows alone."""
        return {each.run_id for each in self._subscriptions if each.run_id is not None}

    def end(self, run_id: str) -> None:
        """The run is over: those who follow it alone get what waits, and no more."""
        for subscription in self._subscriptions:
            if subscription.run_id == run_id:
                subscription.close()


@dataclass(frozen=True, slots=True)
class Followed:
    """A run as it is now, and what happens from there on.

    seq: the number that the viewer has come to; every event of `updates` has a higher one, rising. The record may
    be a moment ahead of it. updates: ends with the run, or when the viewer is too far behind.
    """

    record: RunRecord
    seq: int
    updates: AsyncIterator[Numbered]


def missed(record: RunRecord, happenings: Sequence[Numbered], newest_seq: int, after: int) -> list[Numbered]:
    """What a viewer that has seen everything up to `after` has not: every event, of the snapshots the newest.

    newest_seq: of what was sent out so far. Raises PlanError for a number that the run has not come to.
    """
    if not -1 <= after <= newest_seq:
        raise PlanError("after", after, f"a number from -1 to {newest_seq}, the newest of this run")
    found = [numbered for numbered in happenings if numbered.seq > after]
    last = record.last
    if last is not None and after < last.seq <= newest_seq:
        found.append(Numbered(last.seq, SnapshotTaken(last.elapsed_s, last)))
    return sorted(found, key=lambda numbered: numbered.seq)


def newest_of(record: RunRecord, happenings: Sequence[Numbered]) -> int:
    """The number that an ended run has come to, -1 when nothing is kept of it."""
    last_happening = happenings[-1].seq if happenings else -1
    return max(last_happening, record.last.seq if record.last else -1)


async def following(
    first: Sequence[Numbered], updates: AsyncIterator[Numbered], newest: int
) -> AsyncIterator[Numbered]:
    """`first`, then those of the updates that have a higher number than these and `newest`."""
    for numbered in first:
        newest = numbered.seq
        yield numbered
    async for numbered in updates:
        if numbered.seq > newest:
            yield numbered
