"""What keeps a database small while it is in use, in steps of one short transaction, so that nobody waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlmodel import SQLModel, col

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
STEP_LIMIT_S = 6.0
MEASURE_LIMIT_S = 30.0
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


class Upkeep:
    """Of one database. writer: the engine whose transactions write."""

    def __init__(self, engine: AsyncEngine, writer: AsyncEngine) -> None:
        self._engine = engine
        self._writer = writer
        self._sqlite = engine.dialect.name == "sqlite"
        self._at: tuple[str, int, Thinned] | None = None

    async def size_bytes(self) -> int:
        """What the history takes, without space that is free for what comes."""
        async with asyncio.timeout(MEASURE_LIMIT_S), self._engine.connect() as connection:
            if self._sqlite:
                used = await _pragma(connection, "page_count") - await _pragma(connection, "freelist_count")
                return used * await _pragma(connection, "page_size")
            return sum([await _stored_bytes(connection, table) for table in (RunRow, LastRow, EventRow, RecordedRow)])

    async def delete_rows_of(self, run_id: str) -> None:
        """Delete what a run has left behind, a few rows in each transaction: an hour of many pods is many megabytes."""
        for table in (RecordedRow, EventRow):
            run, seq = col(table.run_id), col(table.seq)
            few = select(seq).where(run == run_id).order_by(seq).limit(DELETED_AT_ONCE)
            while await self._write(delete(table).where(run == run_id, seq.in_(few))):
                pass

    async def tidy(self) -> bool:
        """One step; True when there may be another."""
        return await self._pack() or (self._sqlite and await self._give_back())

    async def _pack(self) -> bool:
        """Make some events small that an older version kept; False when none are left."""
        run_id, after, thinned = self._at or (await self._next_run(), -1, Thinned())
        if run_id is None:
            return False
        rows = await self._events(run_id, after)
        if not rows:
            await self._write(update(RunRow).where(col(RunRow.id) == run_id).values(packed=True))
            self._at = None
            return True
        values, thinned = await asyncio.to_thread(_smaller, rows, thinned)
        async with asyncio.timeout(STEP_LIMIT_S), self._writer.begin() as connection:
            for seq, small in values:
                one = (col(EventRow.run_id) == run_id, col(EventRow.seq) == seq)
                await connection.execute(update(EventRow).where(*one).values(small))
        self._at = (run_id, rows[-1][0], thinned)
        return True

    async def _next_run(self) -> str | None:
        older = select(col(RunRow.id)).where(col(RunRow.packed).is_(False), col(RunRow.state).not_in(ACTIVE))
        async with asyncio.timeout(STEP_LIMIT_S), self._engine.connect() as connection:
            found: str | None = await connection.scalar(older.order_by(col(RunRow.created_at_epoch_s)).limit(1))
        return found

    async def _events(self, run_id: str, after: int) -> Sequence[tuple[int, str, str]]:
        columns = (col(EventRow.seq), col(EventRow.kind), col(EventRow.body_json))
        later = select(*columns).where(col(EventRow.run_id) == run_id, col(EventRow.seq) > after)
        async with asyncio.timeout(STEP_LIMIT_S), self._engine.connect() as connection:
            rows = await connection.execute(later.order_by(col(EventRow.seq)).limit(PACKED_AT_ONCE))
            return [(seq, kind, body) for seq, kind, body in rows]

    async def _give_back(self) -> bool:
        """Give some free pages of the file back to the disk; False when there is nothing to give."""
        async with asyncio.timeout(STEP_LIMIT_S), self._engine.connect() as connection:
            able = await _pragma(connection, "auto_vacuum") != 0
            spare = await _pragma(connection, "freelist_count") - FREE_PAGES
        if not able or spare <= 0:
            return False
        async with asyncio.timeout(STEP_LIMIT_S), self._engine.connect() as connection:
            file: Any = (await connection.get_raw_connection()).driver_connection
            # As a script, a transaction by itself: any other way the driver takes the statement's first step only.
            await file.executescript(f"PRAGMA incremental_vacuum({min(spare, PAGES_AT_ONCE)})")
        return True

    async def _write(self, statement: Any) -> int:
        async with asyncio.timeout(STEP_LIMIT_S), self._writer.begin() as connection:
            return int((await connection.execute(statement)).rowcount)


async def _pragma(connection: AsyncConnection, name: str) -> int:
    return int((await connection.exec_driver_sql(f"PRAGMA {name}")).scalar_one())


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
