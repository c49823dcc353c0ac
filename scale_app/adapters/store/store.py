"""Runs and their events in SQL: appended second by second, each append one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from importlib import import_module
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, Row, Select, delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel, col

from scale_app.adapters.store.border import border
from scale_app.adapters.store.damage import Damage
from scale_app.adapters.store.database import WRITES, open_engine
from scale_app.adapters.store.lines import Written
from scale_app.adapters.store.newest import Newest
from scale_app.adapters.store.rows import (
    LISTED,
    RecordingReader,
    event_values,
    events_of,
    in_handfuls,
    last_values,
    newest_snapshot,
    outline_of_row,
    plan_of,
    plan_values,
    pod_counts_of,
    points_of,
    record_of,
    recorded_values,
    recording_of,
    run_values,
    saved_plan_of,
    summary_values,
)
from scale_app.adapters.store.search import conditions, storable
from scale_app.adapters.store.tables import EventRow, LastRow, PlanRow, RecordedRow, RunRow
from scale_app.adapters.store.thinning import Thinned
from scale_app.adapters.store.upkeep import ACTIVE, Upkeep
from scale_app.domain.errors import PlanNotFound, RunNotFound
from scale_app.domain.events import Event, Numbered, StateChanged
from scale_app.domain.outline import RunOutline
from scale_app.domain.plan import LoadPlan
from scale_app.domain.pod_history import PodCounts, spread
from scale_app.domain.record import RunRecord
from scale_app.domain.recording import Recorded
from scale_app.domain.run_filter import ALL_RUNS, RunFilter
from scale_app.domain.samples import LoadEnded
from scale_app.domain.saved_plan import SavedPlan
from scale_app.domain.snapshot import Point, RunState
from scale_app.ports import Clock

CHECK_LIMIT_S = 2.0
READ_LIMIT_S = 4.0
WRITE_LIMIT_S = 6.0
LONG_LIMIT_S = 30.0
"""What reads, deletes or changes a whole run, which may be large."""
CLOSE_LIMIT_S = 1.0
ROWS_AT_ONCE = 32
"""Lines of a recording that are asked for in one go."""


class SqlRunStore:
    """Fulfils ports.RunStore on SQLite or PostgreSQL, as the URL says. The tables must be there: see migrate()."""

    def __init__(self, database_url: str, clock: Clock) -> None:
        """clock: gives the time at which a run's terminal state was kept. Raises StoreUnavailable for a bad URL."""
        self._url = database_url
        self._clock = clock
        with border("Opening the database", database_url):
            self._engine = open_engine(database_url)
            self._writer = self._engine.execution_options(**{WRITES: True})
        self._upkeep = Upkeep(self._engine, self._writer)
        self._thinned = Newest[Thinned]()
        self._written = Newest[Written]()
        self._unreadable = Newest[str]()

    async def create(self, record: RunRecord) -> None:
        """Keep a new run. One that is kept already stays as it is."""
        with border(f"Keeping the new run {record.run_id}", self._url):
            async with self._writing() as session:
                await session.execute(self._insert(RunRow), [run_values(record)])
                if last := last_values(record.run_id, record.last):
                    await session.execute(self._insert(LastRow), [last])

    async def append(
        self, run_id: str, first_seq: int, events: Sequence[Event], at_epoch_s: float | None = None
    ) -> None:
        """Keep events durably before returning; seq counts up from first_seq. The run's summary follows them.

        at_epoch_s: when the last of them happened, wall clock: a run that they end has ended then; None is now.
        Repeating an append whose outcome is unknown is safe: an event that is already kept under its seq stays.
        Raises RunNotFound for a run that was never created or was deleted.
        """
        if not events:
            return
        changed = summary_values(events, self._clock.epoch_s() if at_epoch_s is None else at_epoch_s)
        whole, thinned = (self._thinned.get(run_id) or Thinned()).and_then(events)
        values = await asyncio.to_thread(event_values, run_id, first_seq, events, whole)
        last = await asyncio.to_thread(last_values, run_id, newest_snapshot(events))
        with border(f"Keeping what happened in run {run_id}", self._url):
            async with self._writing() as session:
                await _update_run(session, run_id, changed)
                await session.execute(self._insert(EventRow), values)
                if last:
                    await session.execute(self._replace(LastRow, col(LastRow.run_id), last))
        self._thinned.keep(run_id, thinned)

    async def record(self, run_id: str, first_seq: int, lines: Sequence[Recorded]) -> None:
        """Keep lines of the run's recording durably; seq counts up from first_seq. Raises RunNotFound."""
        if not lines:
            return
        so_far = self._written.get(run_id) or Written()
        bodies, written = await asyncio.to_thread(so_far.and_then, first_seq, lines)
        with border(f"Keeping the recording of run {run_id}", self._url):
            async with self._writing() as session:
                try:
                    await session.execute(self._insert(RecordedRow), recorded_values(run_id, first_seq, bodies))
                except IntegrityError as error:  # a line that is there already is none; so there is no such run
                    raise RunNotFound(run_id) from error
        self._written.keep(run_id, None if isinstance(lines[-1], LoadEnded) else written)

    async def recorded(self, run_id: str) -> AsyncGenerator[list[Recorded], None]:
        """The same as `recording`, a few lines at a time: of many pods an hour is more than memory holds."""
        reader = RecordingReader(run_id)
        while not reader.cut and (rows := await self._recorded_rows(run_id, reader.next_seq)):
            for handful in in_handfuls(rows):
                if lines := await asyncio.to_thread(reader.take, handful):
                    yield lines

    async def _recorded_rows(self, run_id: str, first_seq: int) -> list[tuple[int, bytes]]:
        mine = (col(RecordedRow.run_id) == storable(run_id), col(RecordedRow.seq) >= first_seq)
        rows = select(col(RecordedRow.seq), col(RecordedRow.body)).where(*mine).order_by(col(RecordedRow.seq))
        with border(f"Reading the recording of run {run_id}", self._url):
            async with self._session(LONG_LIMIT_S) as session:
                return [(seq, body) for seq, body in await session.execute(rows.limit(ROWS_AT_ONCE))]

    async def recording(self, run_id: str) -> list[Recorded]:
        """The recording in order, up to the first line that is missing. Empty when there is none."""
        lines = select(col(RecordedRow.seq), col(RecordedRow.body)).where(col(RecordedRow.run_id) == storable(run_id))
        with border(f"Reading the recording of run {run_id}", self._url):
            async with self._session(LONG_LIMIT_S) as session:
                rows = [(seq, body) for seq, body in await session.execute(lines.order_by(col(RecordedRow.seq)))]
        return await asyncio.to_thread(recording_of, run_id, rows)

    async def runs(
        self, limit: int, offset: int, wanted: RunFilter = ALL_RUNS, without: Sequence[str] = ()
    ) -> list[RunOutline]:
        """Those that are wanted, newest first. without: ids of runs that are not looked at."""
        newest = (col(RunRow.created_at_epoch_s).desc(), col(RunRow.id).desc())
        page = select(*LISTED).where(*conditions(wanted, without)).order_by(*newest).limit(limit).offset(offset)
        return await self._outlines(page)

    async def plans_of(self, run_ids: Sequence[str]) -> dict[str, LoadPlan]:
        """The plans of those of these runs that there are, and whose plan can be read."""
        query = select(col(RunRow.id), col(RunRow.plan_json)).where(col(RunRow.id).in_(map(storable, run_ids)))
        with border("Reading the plans of runs", self._url):
            async with self._session() as session:
                rows = (await session.execute(query)).all()
        plans = {run_id: self._plan(run_id, plan) for run_id, plan in rows}
        return {run_id: plan for run_id, plan in plans.items() if plan is not None}

    async def count(self, wanted: RunFilter = ALL_RUNS, without: Sequence[str] = ()) -> int:
        """How many runs are wanted."""
        with border("Counting the runs", self._url):
            async with self._session() as session:
                counted = select(func.count(col(RunRow.id))).where(*conditions(wanted, without))
                return await session.scalar(counted) or 0

    async def run(self, run_id: str) -> RunRecord:
        """Raises RunNotFound."""
        with border(f"Reading run {run_id}", self._url):
            async with self._session() as session:
                row = await session.get(RunRow, storable(run_id))
                last = await session.scalar(select(col(LastRow.body)).where(col(LastRow.run_id) == storable(run_id)))
        if row is None:
            raise RunNotFound(run_id)
        record = await asyncio.to_thread(record_of, row, last)
        self._unreadable.keep(run_id, record.unreadable or None)
        return record

    async def events(self, run_id: str) -> list[Event]:
        """In order, of the snapshots those that are kept whole. Empty when the run has none or is unknown."""
        whole = (col(EventRow.body_json) != "") | col(EventRow.body).is_not(None)
        return [numbered.event for numbered in await self._events(run_id, whole)]

    async def points(self, run_id: str) -> list[Point]:
        """What the time charts draw, in order, without reading whole snapshots."""
        query = select(col(EventRow.point_json)).where(col(EventRow.point_json).is_not(None))
        rows = await self._rows(run_id, query)
        return await asyncio.to_thread(points_of, run_id, [point for (point,) in rows])

    async def pod_counts(self, run_id: str, most: int) -> list[PodCounts]:
        """The pods' counts at most so many times (2 or more), evenly spread over the run, the newest among them."""
        taken = col(EventRow.point_json).is_not(None)
        seqs = [seq for (seq,) in await self._rows(run_id, select(col(EventRow.seq)).where(taken))]
        wanted = [seqs[index] for index in spread(len(seqs), most)]
        query = select(col(EventRow.pods), col(EventRow.body_json)).where(col(EventRow.seq).in_(wanted))
        return await asyncio.to_thread(pod_counts_of, run_id, await self._rows(run_id, query))

    async def happenings(self, run_id: str) -> list[Numbered]:
        """The events in order, snapshots apart, each with its seq."""
        return await self._events(run_id, col(EventRow.point_json).is_(None))

    async def delete(self, run_id: str) -> None:
        """Forget a run and its events. Raises RunNotFound."""
        with border(f"Deleting run {run_id}", self._url):
            await self._upkeep.delete_rows_of(storable(run_id))
            async with self._writing(LONG_LIMIT_S) as session:
                gone = await session.execute(delete(RunRow).where(col(RunRow.id) == storable(run_id)))
                if _rows(gone) == 0:
                    raise RunNotFound(run_id)
        self._unreadable.keep(run_id, None)

    async def oldest(self, limit: int) -> list[RunOutline]:
        """Ended runs that are no baseline, the oldest first."""
        spare = (col(RunRow.baseline) == "", col(RunRow.state).not_in(ACTIVE))
        oldest = (col(RunRow.created_at_epoch_s), col(RunRow.id))
        return await self._outlines(select(*LISTED).where(*spare).order_by(*oldest).limit(limit))

    async def size_bytes(self) -> int:
        """What the history takes, without room that is free for what comes."""
        with border("Measuring the history", self._url):
            return await self._upkeep.size_bytes()

    async def tidy(self) -> bool:
        """One small step of what keeps the history small, if there is one to take; True when there may be another."""
        with border("Tidying the history", self._url):
            return await self._upkeep.tidy()

    async def mark_baseline(self, run_id: str, name: str) -> None:
        """Give the run this name, and take it from the run that had it; "" takes the run's own away.

        Raises RunNotFound.
        """
        with border(f"Marking run {run_id} as a baseline", self._url):
            async with self._writing() as session:
                if name:
                    had_it = update(RunRow).where(col(RunRow.baseline) == storable(name))
                    await session.execute(had_it.values(baseline=""))
                await _update_run(session, storable(run_id), {"baseline": storable(name)})

    async def plans(self) -> list[SavedPlan]:
        """Every saved plan, by name."""
        with border("Reading the saved plans", self._url):
            async with self._session() as session:
                rows = (await session.scalars(select(PlanRow))).all()
        # Sorted here, so that the order does not depend on the database's collation.
        return sorted(map(saved_plan_of, rows), key=lambda saved: saved.name)

    async def save_plan(self, saved: SavedPlan) -> None:
        """Keep a plan, in place of the one that had its name."""
        with border(f"Saving the plan {saved.name!r}", self._url):
            async with self._writing() as session:
                await session.execute(self._replace(PlanRow, col(PlanRow.name), plan_values(saved)))

    async def delete_plan(self, name: str) -> None:
        """Raises PlanNotFound."""
        with border(f"Deleting the saved plan {name!r}", self._url):
            async with self._writing() as session:
                gone = await session.execute(delete(PlanRow).where(col(PlanRow.name) == storable(name)))
                if _rows(gone) == 0:
                    raise PlanNotFound(name)

    async def mark_interrupted(self, message: str) -> list[str]:
        """Turn every run that is stored as active into an interrupted one; ids of those.

        The end of such a run is its newest snapshot's time: the last moment that anything is known of it.
        """
        with border("Marking interrupted runs", self._url):
            async with self._writing(LONG_LIMIT_S) as session:
                rows = (await session.scalars(select(RunRow).where(col(RunRow.state).in_(ACTIVE)))).all()
                for row in rows:
                    await self._interrupt(session, row, message)
        return [row.id for row in rows]

    async def check(self) -> None:
        """Raises StoreUnavailable when the history cannot be read now."""
        with border("Asking the database", self._url):
            async with self._session(CHECK_LIMIT_S) as session:
                await session.scalar(select(col(RunRow.id)).limit(1))

    async def close(self) -> None:
        """Let go of the database."""
        # One that hangs is not waited for: its connections end with this process.
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_LIMIT_S):
                await self._engine.dispose()

    async def _interrupt(self, session: AsyncSession, row: RunRow, message: str) -> None:
        newest = select(func.max(EventRow.seq), func.max(EventRow.elapsed_s)).where(col(EventRow.run_id) == row.id)
        seq, elapsed_s = (await session.execute(newest)).one()
        event = StateChanged(elapsed_s or 0.0, RunState.INTERRUPTED, message)
        last_known_s = row.created_at_epoch_s if row.seen_at_epoch_s is None else row.seen_at_epoch_s
        await _update_run(session, row.id, summary_values([event], last_known_s))
        first_seq = 0 if seq is None else seq + 1
        await session.execute(self._insert(EventRow), event_values(row.id, first_seq, [event], [True]))

    async def _outlines(self, query: Select[*tuple[Any, ...]]) -> list[RunOutline]:
        with border("Reading the list of runs", self._url):
            async with asyncio.timeout(READ_LIMIT_S), self._engine.connect() as connection:
                rows = (await connection.execute(query)).all()
        return [self._outline(row) for row in rows]

    def _outline(self, row: Row[Any]) -> RunOutline:
        outline = outline_of_row(row)
        # What the list does not read of a run may be damaged too; it is known once somebody looked at it.
        known = self._unreadable.get(outline.run_id)
        return replace(outline, unreadable=known) if known else outline

    def _plan(self, run_id: str, plan_json: str) -> LoadPlan | None:
        damage = Damage(f"run {run_id}")
        plan = damage.read("plan", lambda: plan_of(plan_json), None)
        if plan is None:
            self._unreadable.keep(run_id, damage.sentence)
        return plan

    async def _events(self, run_id: str, wanted: ColumnElement[bool]) -> list[Numbered]:
        columns = (col(EventRow.seq), col(EventRow.kind), col(EventRow.body_json), col(EventRow.body))
        rows = await self._rows(run_id, select(*columns).where(wanted))
        # An hour of snapshots takes a second or more to decode; runs that go on meanwhile must not wait for it.
        return await asyncio.to_thread(events_of, run_id, rows)

    async def _rows(self, run_id: str, query: Select[*tuple[Any, ...]]) -> list[Any]:
        ordered = query.where(col(EventRow.run_id) == storable(run_id)).order_by(col(EventRow.seq))
        with border(f"Reading what happened in run {run_id}", self._url):
            async with self._session(LONG_LIMIT_S) as session:
                return [tuple(row) for row in await session.execute(ordered)]

    @asynccontextmanager
    async def _session(self, limit_s: float = READ_LIMIT_S) -> AsyncIterator[AsyncSession]:
        """To read with. Raises TimeoutError when that takes too long."""
        async with asyncio.timeout(limit_s), AsyncSession(self._engine, expire_on_commit=False) as session:
            yield session

    @asynccontextmanager
    async def _writing(self, limit_s: float = WRITE_LIMIT_S) -> AsyncIterator[AsyncSession]:
        """One transaction, kept when the block ends and undone when it raises, as TimeoutError does after the limit."""
        writing = AsyncSession(self._writer, expire_on_commit=False)
        async with asyncio.timeout(limit_s), writing as session, session.begin():
            yield session

    def _insert(self, table: type[SQLModel]) -> Any:
        return self._new(table).on_conflict_do_nothing()

    def _replace(self, table: type[SQLModel], key: Any, values: dict[str, Any]) -> Any:
        return self._new(table).values(values).on_conflict_do_update(index_elements=[key], set_=values)

    def _new(self, table: type[SQLModel]) -> Any:
        # By its name, since the other database's would be loaded for nothing.
        return import_module(f"sqlalchemy.dialects.{self._engine.dialect.name}").insert(table)


async def _update_run(session: AsyncSession, run_id: str, changed: dict[str, Any]) -> None:
    # Always writes, even when nothing changed: it tells an unknown run.
    values = {"state": RunRow.state, **changed}
    if _rows(await session.execute(update(RunRow).where(col(RunRow.id) == run_id).values(values))) == 0:
        raise RunNotFound(run_id)


def _rows(result: Any) -> int:
    return result.rowcount if isinstance(result, CursorResult) else 0
