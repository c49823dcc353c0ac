"""Which run a page shows, what is known of it, and events in batches. No framework: a tab's state copies from here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import TypeVar

from scale_app.domain.events import Event, PlanEdited, SnapshotTaken, StateChanged
from scale_app.domain.pod_history import PodHistory
from scale_app.domain.record import RunRecord
from scale_app.domain.snapshot import Point, point_of


class Following:
    """The shown run: its record with the newest snapshot, and a point for each second."""

    def __init__(self) -> None:
        self.record: RunRecord | None = None
        self.points: list[Point] = []
        self.happened: list[Event] = []
        self.pods = PodHistory()

    @property
    def run_id(self) -> str:
        """ "" when no run is shown."""
        return self.record.run_id if self.record else ""

    def show(
        self, record: RunRecord, points: Sequence[Point], happened: Sequence[Event], pods: PodHistory | None = None
    ) -> None:
        """Show another run from here on. pods: the hub's own, which goes on with the run."""
        self.record, self.points, self.happened = record, list(points), list(happened)
        self.pods = pods or PodHistory()

    def gives_way_to(self, run_id: str, wanted: str) -> bool:
        """True when the page should turn to this run: it is the one asked for, or the one shown has ended."""
        if run_id == self.run_id:
            return False
        return run_id == wanted or self.record is None or not (self.record.state.active or self.run_id == wanted)

    def take(self, event: Event) -> None:
        """An event of the shown run."""
        if self.record is None:
            return
        match event:
            case SnapshotTaken():
                self._take_snapshot(self.record, event)
            case StateChanged():
                self.record = replace(self.record, state=event.state, message=event.message)
            case PlanEdited():
                self.record = replace(self.record, plan=event.plan)
        if not isinstance(event, SnapshotTaken) and event not in self.happened:
            self.happened.append(event)

    def _take_snapshot(self, record: RunRecord, event: SnapshotTaken) -> None:
        if record.last is not None and event.snapshot.seq < record.last.seq:
            return
        # The state comes from its own events: the last snapshot of an interrupted run still says that it runs.
        self.record = replace(record, last=event.snapshot)
        if not self.points or event.snapshot.elapsed_s > self.points[-1].elapsed_s:
            self.points.append(point_of(event.snapshot))


T = TypeVar("T")


async def paced(items: AsyncIterator[T], gap_s: float, idle_s: float) -> AsyncIterator[list[T]]:
    """Batches at least gap_s apart; an empty one after each idle_s without an item. Ends when `items` end."""
    coming: asyncio.Future[T] = asyncio.ensure_future(anext(items))
    try:
        while True:
            await asyncio.wait({coming}, timeout=idle_s)
            batch: list[T] = []
            while coming.done():
                try:
                    batch.append(coming.result())
                except StopAsyncIteration:
                    if batch:
                        yield batch
                    return
                coming = asyncio.ensure_future(anext(items))
                await asyncio.sleep(0)
            yield batch
            if batch:
                await asyncio.sleep(gap_s)
    finally:
        coming.cancel()
