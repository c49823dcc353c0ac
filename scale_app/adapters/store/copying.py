"""All rows of one database into another of the same version, whatever kind each is, a few at a time."""

from __future__ import annotations

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import SQLModel, col

from scale_app.adapters.store.tables import EventRow, LastRow, PlanRow, RecordedRow, RunRow

TABLES: tuple[type[SQLModel], ...] = (RunRow, LastRow, EventRow, RecordedRow, PlanRow)
"""In an order in which each row comes after those that it refers to."""
AT_ONCE = 50
"""Rows in memory: of 1,000 pods some 2 MB."""


async def copy_rows(source: AsyncConnection, target: AsyncConnection) -> int:
    """Insert every row of the source's tables into the target's; how many runs there were."""
    runs = 0
    for table in TABLES:
        columns = [getattr(table, name) for name in table.model_fields]
        rows = await source.stream(select(*columns))
        async for some in rows.partitions(AT_ONCE):
            await target.execute(insert(table), [dict(zip(table.model_fields, row, strict=True)) for row in some])
            runs += len(some) if table is RunRow else 0
    return runs


async def remove_rows(target: AsyncConnection) -> None:
    """Leave nothing in the tables."""
    if target.dialect.name == "postgresql":  # at once, however much it is; part of the transaction all the same
        await target.exec_driver_sql(f"TRUNCATE {', '.join(str(table.__tablename__) for table in TABLES)}")
        return
    for table in reversed(TABLES):
        await target.execute(delete(table))


async def holds(database: AsyncConnection) -> str:
    """What is in the database, for people: "3 runs and 1 saved plan", "" when nothing."""
    counts = []
    for table, key, what in ((RunRow, RunRow.id, "run"), (PlanRow, PlanRow.name, "saved plan")):
        number = len((await database.execute(select(col(key)).select_from(table))).all())
        counts += [f"{number:,} {what}{'s' if number != 1 else ''}"] if number else []
    return " and ".join(counts)
