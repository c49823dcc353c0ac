"""What keeps a database small while it is in use, in steps of one short transaction, so that nobody waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Delete, Select, Update, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import SQLModel, col

from scale_app.adapters.store.database import WRITE_LIMIT_S, Sessions, pragma, used_bytes
from scale_app.adapters.store.rows import KINDS, event_columns
from scale_app.adapters.store.tables import EventRow, LastRow, RecordedRow, RunRow
from scale_app.codec import from_json
from scale_app.domain.events import AlertCleared, AlertRaised, Event, PlanEdited, SnapshotTaken, StateChanged
from scale_app.domain.snapshot import RunState

WHOLE_EVERY_S = 10.0
TURNS = (AlertRaised, AlertCleared, StateChanged, PlanEdited)
"""Events after which the next snapshot is kept whole."""
PACKED_AT_ONCE = 16
"""Events of an older version that are made small in one step: of 1,000 pods some 6 MB of JSON."""
DELETED_AT_ONCE = 100
FREE_PAGES = 2_000
"""Pages of a SQLite file that are left free for what comes: 8 MB."""
PAGES_AT_ONCE = 1_000
MEASURE_LIMIT_S = 30.0
TIDYING = "Cleaning up the history"
ACTIVE = [state.value for state in RunState if state.active]


@dataclass(frozen=True, slots=True)
class Thinned:
    """How far a run's events are thinned: of most snapshots only a point and the pods' counts are kept, since the
    recording gives the rest again.

    newest_s: elapsed_s of the newest snapshot that is kept whole, None for none. turned: the next one is to be.
    """

    newest_s: float | None = None
    turned: bool = False

    def and_then(self, events: Iterable[Event]) -> tuple[list[bool], Thinned]:
        """For each of the events that follow whether it is kept whole, as what is no snapshot always is."""
        now, whole = self, []
        for event in events:
            kept, now = now._with(event)
            whole.append(kept)
        return whole, now

    def _with(self, event: Event) -> tuple[bool, Thinned]:
        if not isinstance(event, SnapshotTaken):
            return True, Thinned(self.newest_s, self.turned or isinstance(event, TURNS))
        due = self.newest_s is None or not 0 <= event.elapsed_s - self.newest_s < WHOLE_EVERY_S
        if due or self.turned or event.snapshot.state is not RunState.RUNNING:
            return True, Thinned(event.elapsed_s)
        return False, self


class Upkeep(Sessions):
    """The part of the store that keeps it small. See ports.RunStore."""

    def __init__(self, database_url: str) -> None:
        super().__init__(database_url)
        self._sqlite = self._engine.dialect.name == "sqlite"
        self._packed_to: tuple[str, int, Thinned] | None = None

    async def size_bytes(self) -> int:
        async with self._reading("Measuring the history", MEASURE_LIMIT_S) as session:
            connection = await session.connection()
            if self._sqlite:
                return await used_bytes(connection)
            return sum([await _stored_bytes(connection, table) for table in (RunRow, LastRow, EventRow, RecordedRow)])

    async def tidy(self) -> bool:
        return await self._pack() or (self._sqlite and await self._give_back())

    async def _delete_rows_of(self, run_id: str) -> None:
        """Delete what a run has left behind, a few rows in each transaction: an hour of many pods is many megabytes."""
        for table in (RecordedRow, EventRow):
            run, seq = col(table.run_id), col(table.seq)
            few = select(seq).where(run == run_id).order_by(seq).limit(DELETED_AT_ONCE)
            while await self._change(f"Deleting run {run_id}", delete(table).where(run == run_id, seq.in_(few))):
                pass

    async def _pack(self) -> bool:
        """Make some events small that an older version kept; False when none are left."""
        run_id, after, thinned = self._packed_to or (await self._next_run(), -1, Thinned())
        if run_id is None:
            return False
        rows = await self._events_after(run_id, after)
        if not rows:
            await self._change(TIDYING, update(RunRow).where(col(RunRow.id) == run_id).values(packed=True))
            self._packed_to = None
            return True
        values, thinned = await asyncio.to_thread(_smaller, rows, thinned)
        async with self._writing(TIDYING) as session:
            for seq, small in values:
                one = (col(EventRow.run_id) == run_id, col(EventRow.seq) == seq)
                await session.execute(update(EventRow).where(*one).values(small))
        self._packed_to = (run_id, rows[-1][0], thinned)
        return True

    async def _next_run(self) -> str | None:
        older = select(col(RunRow.id)).where(col(RunRow.packed).is_(False), col(RunRow.state).not_in(ACTIVE))
        async with self._reading(TIDYING) as session:
            found: str | None = await session.scalar(older.order_by(col(RunRow.created_at_epoch_s)).limit(1))
        return found

    async def _events_after(self, run_id: str, seq: int) -> Sequence[tuple[int, str, str]]:
        columns = (col(EventRow.seq), col(EventRow.kind), col(EventRow.body_json))
        later = select(*columns).where(col(EventRow.run_id) == run_id, col(EventRow.seq) > seq)
        async with self._reading(TIDYING) as session:
            rows = await session.execute(later.order_by(col(EventRow.seq)).limit(PACKED_AT_ONCE))
            return [(seq, kind, body) for seq, kind, body in rows]

    async def _give_back(self) -> bool:
        """Give some free pages of the file back to the disk; False when there is nothing to give."""
        async with self._reading(TIDYING, WRITE_LIMIT_S) as session:
            connection = await session.connection()
            able = await pragma(connection, "auto_vacuum") != 0
            spare = await pragma(connection, "freelist_count") - FREE_PAGES
            if not able or spare <= 0:
                return False
            file: Any = (await connection.get_raw_connection()).driver_connection
            # As a script, a transaction by itself: any other way the driver takes the statement's first step only.
            await file.executescript(f"PRAGMA incremental_vacuum({min(spare, PAGES_AT_ONCE)})")
        return True

    async def _change(self, doing: str, statement: Delete | Update) -> int:
        """How many rows."""
        async with self._writing(doing) as session:
            changed: Any = await session.execute(statement, execution_options={"synchronize_session": False})
            return int(changed.rowcount)


async def _stored_bytes(connection: AsyncConnection, table: type[SQLModel]) -> int:
    """As PostgreSQL stores them, compressed; read without unpacking them."""
    columns = [getattr(table, name) for name in table.model_fields]
    total: Select[Any] = select(*(func.coalesce(func.sum(func.pg_column_size(column)), 0) for column in columns))
    return sum(int(each) for each in (await connection.execute(total)).one())


def _smaller(
    rows: Sequence[tuple[int, str, str]], thinned: Thinned
) -> tuple[list[tuple[int, dict[str, Any]]], Thinned]:
    """Of (seq, kind, body_json) rows of one run that follow one another: by seq, what takes the place of snapshots.

    What cannot be read stays as it is. Gives also how far the run is thinned with them.
    """
    values = []
    for seq, kind, body in rows:
        try:
            event = from_json(KINDS[kind], body)
        except (ValueError, KeyError):
            continue
        (whole,), thinned = thinned.and_then([event])
        if isinstance(event, SnapshotTaken):
            values.append((seq, event_columns(event, whole)))
    return values, thinned
