"""What is read of the history: lists of runs, one run and what happened in it, its recording, saved plans."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select
from sqlmodel import col

from scale_app.adapters.store.damage import Damage, Damages
from scale_app.adapters.store.database import LONG_LIMIT_S, READ_LIMIT_S, Sessions, border
from scale_app.adapters.store.recordings import RecordingReader, in_handfuls
from scale_app.adapters.store.rows import (
    LISTED,
    event_of,
    outline_of_row,
    plain,
    pod_counts_of,
    record_of,
    saved_plan_of,
)
from scale_app.adapters.store.tables import EventRow, LastRow, PlanRow, RecordedRow, RunRow
from scale_app.adapters.store.upkeep import ACTIVE
from scale_app.codec import from_json
from scale_app.domain.errors import RunNotFound
from scale_app.domain.events import Event, Numbered
from scale_app.domain.plan import LoadPlan
from scale_app.domain.pod_history import PodCounts, spread
from scale_app.domain.record import ALL_RUNS, RunFilter, RunOutline, RunRecord, SavedPlan
from scale_app.domain.recording import Recorded
from scale_app.domain.snapshot import Point

CHECK_LIMIT_S = 2.0
LISTING = select(*LISTED)
"""Made once, since to make it takes a tenth of the time of a page."""
ROWS_AT_ONCE = 32
"""Lines of a recording that are asked for in one go."""


class StoredRuns(Sessions):
    """The part of the store that reads, and changes nothing. What each method promises: ports.RunStore."""

    def __init__(self, database_url: str) -> None:
        super().__init__(database_url)
        self._damages = Damages()

    async def check(self) -> None:
        async with self._reading("Asking the database", CHECK_LIMIT_S) as session:
            await session.scalar(select(col(RunRow.id)).limit(1))

    async def runs(
        self, limit: int, offset: int, wanted: RunFilter = ALL_RUNS, without: Sequence[str] = ()
    ) -> list[RunOutline]:
        newest = (col(RunRow.created_at_epoch_s).desc(), col(RunRow.id).desc())
        page = LISTING.where(*conditions(wanted, without)).order_by(*newest).limit(limit).offset(offset)
        return await self._outlines(page)

    async def active(self) -> list[str]:
        async with self._reading("Looking for active runs") as session:
            return list(await session.scalars(select(col(RunRow.id)).where(col(RunRow.state).in_(ACTIVE))))

    async def oldest(self, limit: int) -> list[RunOutline]:
        spare = (col(RunRow.baseline) == "", col(RunRow.state).not_in(ACTIVE))
        oldest = (col(RunRow.created_at_epoch_s), col(RunRow.id))
        return await self._outlines(LISTING.where(*spare).order_by(*oldest).limit(limit))

    async def plans_of(self, run_ids: Sequence[str]) -> dict[str, LoadPlan]:
        """Without those that cannot be read."""
        query = select(col(RunRow.id), col(RunRow.plan_json)).where(col(RunRow.id).in_(map(storable, run_ids)))
        async with self._reading("Reading the plans of runs") as session:
            rows = (await session.execute(query)).all()
        plans = {
            run_id: self._damage(run_id).read("plan", partial(from_json, LoadPlan, plan), None) for run_id, plan in rows
        }
        return {run_id: plan for run_id, plan in plans.items() if plan is not None}

    async def count(self, wanted: RunFilter = ALL_RUNS, without: Sequence[str] = ()) -> int:
        async with self._reading("Counting the runs") as session:
            counted = select(func.count(col(RunRow.id))).where(*conditions(wanted, without))
            return await session.scalar(counted) or 0

    async def run(self, run_id: str) -> RunRecord:
        async with self._reading(f"Reading run {run_id}") as session:
            row = await session.get(RunRow, storable(run_id))
            last = await session.scalar(select(col(LastRow.body)).where(col(LastRow.run_id) == storable(run_id)))
        if row is None:
            raise RunNotFound(run_id)
        return await asyncio.to_thread(record_of, row, last, self._damage(run_id))

    async def events(self, run_id: str) -> list[Event]:
        whole = (col(EventRow.body_json) != "") | col(EventRow.body).is_not(None)
        return [numbered.event for numbered in await self._events(run_id, whole)]

    async def points(self, run_id: str) -> list[Point]:
        query = select(col(EventRow.point_json)).where(col(EventRow.point_json).is_not(None))
        points = [point for (point,) in await self._rows(run_id, query)]
        return await asyncio.to_thread(self._damage(run_id).lines, "second{s}", partial(from_json, Point), points)

    async def pod_counts(self, run_id: str, most: int) -> list[PodCounts]:
        taken = col(EventRow.point_json).is_not(None)
        seqs = [seq for (seq,) in await self._rows(run_id, select(col(EventRow.seq)).where(taken))]
        wanted = [seqs[index] for index in spread(len(seqs), most)]
        query = select(col(EventRow.pods), col(EventRow.body_json)).where(col(EventRow.seq).in_(wanted))
        rows, damage = await self._rows(run_id, query), self._damage(run_id)
        return await asyncio.to_thread(damage.lines, "moment{s} of the pods", pod_counts_of, rows)

    async def happenings(self, run_id: str) -> list[Numbered]:
        return await self._events(run_id, col(EventRow.point_json).is_(None))

    async def recorded(self, run_id: str) -> AsyncGenerator[list[Recorded], None]:
        """It also ends before the first line that cannot be read."""
        reader = RecordingReader(self._damage(run_id))
        while not reader.cut and (rows := await self._recorded_rows(run_id, reader.next_seq)):
            for handful in in_handfuls(rows):
                if lines := await asyncio.to_thread(reader.take, handful):
                    yield lines

    async def _recorded_rows(self, run_id: str, first_seq: int) -> list[tuple[int, bytes]]:
        mine = (col(RecordedRow.run_id) == storable(run_id), col(RecordedRow.seq) >= first_seq)
        rows = select(col(RecordedRow.seq), col(RecordedRow.body)).where(*mine).order_by(col(RecordedRow.seq))
        async with self._reading(f"Reading the recording of run {run_id}", LONG_LIMIT_S) as session:
            return [(seq, body) for seq, body in await session.execute(rows.limit(ROWS_AT_ONCE))]

    async def plans(self) -> list[SavedPlan]:
        async with self._reading("Reading the saved plans") as session:
            rows = (await session.scalars(select(PlanRow))).all()
        # Sorted here, so that the order does not depend on the database's collation.
        found = self._damages.of("the saved plans").lines("plan{s}", partial(saved_plan_of, self._damages), rows)
        return sorted(found, key=lambda saved: saved.name)

    async def _outlines(self, query: Select[*tuple[Any, ...]]) -> list[RunOutline]:
        with border("Reading the list of runs", self._url):
            async with asyncio.timeout(READ_LIMIT_S), self._engine.connect() as connection:
                rows = (await connection.execute(query)).all()
        return [outline_of_row(row, self._damages) for row in rows]

    def _damage(self, run_id: str) -> Damage:
        return self._damages.of(f"run {run_id}")

    async def _events(self, run_id: str, wanted: ColumnElement[bool]) -> list[Numbered]:
        columns = (col(EventRow.seq), col(EventRow.kind), col(EventRow.body_json), col(EventRow.body))
        rows = await self._rows(run_id, select(*columns).where(wanted))
        # An hour of snapshots takes a second or more to decode; runs that go on meanwhile must not wait for it.
        return await asyncio.to_thread(self._damage(run_id).lines, "event{s}", event_of, rows)

    async def _rows(self, run_id: str, query: Select[*tuple[Any, ...]]) -> list[Any]:
        ordered = query.where(col(EventRow.run_id) == storable(run_id)).order_by(col(EventRow.seq))
        async with self._reading(f"Reading the events of run {run_id}", LONG_LIMIT_S) as session:
            return [tuple(row) for row in await session.execute(ordered)]


def conditions(wanted: RunFilter, without: Sequence[str] = ()) -> list[ColumnElement[bool]]:
    """One condition for each part of the filter that is given. without: ids that do not fit, whatever else they are."""
    equal = (
        (col(RunRow.state), wanted.state),
        (col(RunRow.source), wanted.source),
        (col(RunRow.verdict), wanted.verdict),
        (col(RunRow.baseline), storable(wanted.baseline)),
        (col(RunRow.experiment_of), storable(wanted.experiment_of)),
    )
    found: list[ColumnElement[bool]] = [column == str(value) for column, value in equal if value]
    if wanted.target:
        found.append(col(RunRow.target_url).icontains(storable(wanted.target), autoescape=True))
    if wanted.id_begins:
        found.append(col(RunRow.id).startswith(storable(wanted.id_begins), autoescape=True))
    if wanted.marked:
        found.append(col(RunRow.baseline) != "")
    if without:
        found.append(col(RunRow.id).not_in(without))
    return found


def storable(text: str) -> str:
    """Text as a driver takes it: what no stored text contains would be an error of the driver, not "none found"."""
    return plain(text).encode(errors="replace").decode()
