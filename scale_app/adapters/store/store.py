"""Runs and their events in SQL: appended second by second, each append one transaction. What reads is in `reading`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from sqlalchemy import BigInteger, Delete, Float, Update, cast, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from scale_app.adapters.store.damage import count, figure, moment, readable
from scale_app.adapters.store.database import LONG_LIMIT_S
from scale_app.adapters.store.reading import StoredRuns, storable
from scale_app.adapters.store.recordings import Written
from scale_app.adapters.store.rows import (
    event_values,
    last_values,
    newest_snapshot,
    plan_values,
    run_values,
    summary_values,
)
from scale_app.adapters.store.tables import EventRow, LastRow, PlanRow, RecordedRow, RunRow
from scale_app.adapters.store.upkeep import ACTIVE, Thinned, Upkeep
from scale_app.domain.errors import LeaseLost, PlanNotFound, RunNotFound, ScaleError
from scale_app.domain.events import Event, StateChanged
from scale_app.domain.record import RunRecord, SavedPlan
from scale_app.domain.recording import Recorded
from scale_app.domain.samples import LoadEnded
from scale_app.domain.snapshot import RunState
from scale_app.ports import Clock
from scale_app.replica_ports import lease_name

T = TypeVar("T")
MOST_REMEMBERED = 64
"""Runs that are remembered. One that was forgotten costs some bytes more, no more."""
MOST_UNSTORED = 100_000
"""A process that is killed may have told viewers of events that it had not stored. The end of their run has a number
beyond those, so that a viewer that goes on from the last one it saw is told of it."""


class SqlRunStore(StoredRuns, Upkeep):
    """Fulfils ports.RunStore, which says what each method promises, on SQLite or PostgreSQL, as the URL says.

    The tables must be there: see migrate().
    """

    def __init__(self, database_url: str, clock: Clock) -> None:
        """clock: gives the time at which a run's terminal state was kept. Raises StoreUnavailable for a bad URL."""
        super().__init__(database_url)
        self._clock = clock
        self._thinned = Remembered[Thinned]()
        self._written = Remembered[Written]()

    async def create(self, record: RunRecord, lease_number: int = 0) -> None:
        async with self._writing(f"Storing the new run {record.run_id}") as session:
            await session.execute(self._insert(RunRow), [run_values(record) | {"lease_number": lease_number}])
            if last := last_values(record.run_id, record.last):
                await session.execute(self._insert(LastRow), [last])

    async def append(
        self,
        run_id: str,
        first_seq: int,
        events: Sequence[Event],
        at_epoch_s: float | None = None,
        lease_number: int = 0,
    ) -> None:
        if not events:
            return
        changed = summary_values(events, self._clock.epoch_s() if at_epoch_s is None else at_epoch_s)
        whole, thinned = (self._thinned.get(run_id) or Thinned()).and_then(events)
        values = await asyncio.to_thread(event_values, run_id, first_seq, events, whole)
        last = await asyncio.to_thread(last_values, run_id, newest_snapshot(events))
        async with self._writing(f"Storing the events of run {run_id}") as session:
            await _check_owned(session, run_id, lease_number)
            await _update_run(session, run_id, changed)
            await session.execute(self._insert(EventRow), values)
            if last:
                await session.execute(self._replace(LastRow, col(LastRow.run_id), last))
        self._thinned.keep(run_id, thinned)

    async def record(self, run_id: str, first_seq: int, lines: Sequence[Recorded], lease_number: int = 0) -> None:
        if not lines:
            return
        so_far = self._written.get(run_id) or Written()
        bodies, written = await asyncio.to_thread(so_far.and_then, first_seq, lines)
        values = [{"run_id": run_id, "seq": seq, "body": body} for seq, body in enumerate(bodies, first_seq)]
        async with self._writing(f"Storing the recording of run {run_id}") as session:
            await _check_owned(session, run_id, lease_number)
            await session.execute(self._insert(RecordedRow), values)
        self._written.keep(run_id, None if isinstance(lines[-1], LoadEnded) else written)

    async def delete(self, run_id: str) -> None:
        await self._delete_rows_of(storable(run_id))
        async with self._writing(f"Deleting run {run_id}", LONG_LIMIT_S) as session:
            await _must_change(session, delete(RunRow).where(col(RunRow.id) == storable(run_id)), RunNotFound(run_id))
        self._damages.forget(f"run {run_id}")

    async def mark_baseline(self, run_id: str, name: str) -> None:
        async with self._writing(f"Setting run {run_id} as a baseline") as session:
            if name:
                had_it = update(RunRow).where(col(RunRow.baseline) == storable(name))
                await session.execute(had_it.values(baseline=""))
            await _update_run(session, storable(run_id), {"baseline": storable(name)})

    async def save_plan(self, saved: SavedPlan) -> None:
        async with self._writing(f"Saving the plan {saved.name!r}") as session:
            await session.execute(self._replace(PlanRow, col(PlanRow.name), plan_values(saved)))

    async def delete_plan(self, name: str) -> None:
        async with self._writing(f"Deleting the saved plan {name!r}") as session:
            await _must_change(session, delete(PlanRow).where(col(PlanRow.name) == storable(name)), PlanNotFound(name))

    async def mark_interrupted(self, message: str, only: Sequence[str] | None = None) -> list[str]:
        """The end of such a run is its newest snapshot's time: the last moment that anything is known of it."""
        going_on = select(RunRow).where(col(RunRow.state).in_(ACTIVE))
        if only is not None:
            going_on = going_on.where(col(RunRow.id).in_(map(storable, only)))
        async with self._writing("Marking interrupted runs", LONG_LIMIT_S) as session:
            rows = (await session.scalars(going_on.with_for_update())).all()
            for row in rows:
                await self._interrupt(session, row, message)
        return [row.id for row in rows]

    async def _interrupt(self, session: AsyncSession, row: RunRow, message: str) -> None:
        # As numbers: a text in a damaged row would be the greatest of all.
        seqs, times_s = cast(col(EventRow.seq), BigInteger), cast(col(EventRow.elapsed_s), Float(53))
        newest = select(func.max(seqs), func.max(times_s)).where(col(EventRow.run_id) == row.id)
        seq, elapsed_s = (await session.execute(newest)).one()
        event = StateChanged(readable(figure, elapsed_s, 0.0), RunState.INTERRUPTED, message)
        created_s = readable(moment, row.created_at_epoch_s, 0.0)
        last_known_s = readable(moment, row.seen_at_epoch_s, created_s)
        changed = summary_values([event], last_known_s)
        await _update_run(session, row.id, changed | {"lease_number": RunRow.lease_number + 1})
        first_seq = readable(count, seq, 0) + MOST_UNSTORED
        await session.execute(self._insert(EventRow), event_values(row.id, first_seq, [event], [True]))


async def _check_owned(session: AsyncSession, run_id: str, lease_number: int) -> None:
    """The row is held until the transaction ends. Raises RunNotFound, LeaseLost."""
    query = select(col(RunRow.lease_number)).where(col(RunRow.id) == run_id).with_for_update(read=True)
    newest = await session.scalar(query)
    if newest is None:
        raise RunNotFound(run_id)
    if newest != lease_number:
        raise LeaseLost(lease_name(run_id))


async def _update_run(session: AsyncSession, run_id: str, changed: dict[str, Any]) -> None:
    # Always writes, even when nothing changed: it tells an unknown run.
    values = {"state": RunRow.state, **changed}
    await _must_change(session, update(RunRow).where(col(RunRow.id) == run_id).values(values), RunNotFound(run_id))


async def _must_change(session: AsyncSession, statement: Update | Delete, otherwise: ScaleError) -> None:
    """Raises `otherwise` when there is no such row."""
    # Not applied to the rows that were read before: what is in a damaged one may be no number to add to.
    result: Any = await session.execute(statement, execution_options={"synchronize_session": False})
    if not result.rowcount:
        raise otherwise


class Remembered(Generic[T]):
    """The last value of each run that is being written, which the next one depends on."""

    def __init__(self) -> None:
        self._kept: dict[str, T] = {}

    def get(self, run_id: str) -> T | None:
        return self._kept.get(run_id)

    def keep(self, run_id: str, value: T | None) -> None:
        """Remember it, or with None forget the run."""
        self._kept.pop(run_id, None)
        if value is not None:
            self._kept[run_id] = value
        for oldest in list(self._kept)[: len(self._kept) - MOST_REMEMBERED]:
            del self._kept[oldest]
