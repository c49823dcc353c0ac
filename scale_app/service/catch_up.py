"""Following one run by number, so that a viewer whose connection was cut goes on where it stopped."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from scale_app.domain.errors import PlanError
from scale_app.domain.events import Numbered, SnapshotTaken
from scale_app.domain.record import RunRecord


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
        raise PlanError("after", after, f"a number from -1 to {newest_seq}, to which this run has come")
    found = [numbered for numbered in happenings if numbered.seq > after]
    last = record.last
    if last is not None and after < last.seq <= newest_seq:
        found.append(Numbered(last.seq, SnapshotTaken(last.elapsed_s, last)))
    return sorted(found, key=lambda numbered: numbered.seq)


def newest_of(record: RunRecord, happenings: Sequence[Numbered]) -> int:
    """The number that an ended run has come to, -1 when nothing is kept of it."""
    last_happening = happenings[-1].seq if happenings else -1
    return max(last_happening, record.last.seq if record.last else -1)


async def following(first: Sequence[Numbered], updates: AsyncIterator[Numbered]) -> AsyncIterator[Numbered]:
    """`first`, then those of the updates that are not in it."""
    newest = -1
    for numbered in first:
        newest = numbered.seq
        yield numbered
    async for numbered in updates:
        if numbered.seq > newest:
            yield numbered
