"""From an empty file to this version's tables; a newer version's tables are left alone."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.engine import Connection
from sqlmodel import SQLModel

from scale_app.adapters.store import SqlRunStore, migrate
from scale_app.adapters.store.database import open_engine
from scale_app.adapters.store.tables import migration_config
from scale_app.codec import to_json
from scale_app.domain.errors import StoreUnavailable
from scale_app.domain.plan import LoadPlan
from scale_app.domain.record import RunFilter
from scale_app.domain.verdict import VerdictKind
from tests.fakes import FakeClock, a_snapshot


def url_of(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path}/scale.db"


async def test_the_migrations_make_exactly_the_tables_of_the_code(tmp_path: Path) -> None:
    await migrate(url_of(tmp_path))
    engine = open_engine(url_of(tmp_path))
    try:
        async with engine.connect() as connection:
            assert await connection.run_sync(differences) == []
    finally:
        await engine.dispose()


async def test_migrating_again_changes_nothing(tmp_path: Path) -> None:
    await migrate(url_of(tmp_path))
    before = schema(tmp_path)
    await migrate(url_of(tmp_path))
    assert schema(tmp_path) == before


async def test_runs_of_the_first_version_are_kept_and_are_nobodys_experiment(tmp_path: Path) -> None:
    engine = open_engine(url_of(tmp_path))
    async with engine.begin() as connection:
        await connection.run_sync(lambda made: command.upgrade(migration_config(made), "0001"))
    await engine.dispose()
    with sqlite3.connect(tmp_path / "scale.db") as connection:
        connection.execute("INSERT INTO runs VALUES ('old', '{\"users\": 7}', 'demo', 'finished', 1, 2, '', NULL)")
    connection.close()
    await migrate(url_of(tmp_path))
    store = SqlRunStore(url_of(tmp_path), FakeClock())
    old = await store.run("old")
    await store.close()
    assert (old.plan.users, old.plan.max_p95_ms, old.experiment_of) == (7, None, "")


async def test_what_lists_are_searched_by_is_filled_in_for_older_runs(tmp_path: Path) -> None:
    engine = open_engine(url_of(tmp_path))
    async with engine.begin() as connection:
        await connection.run_sync(lambda made: command.upgrade(migration_config(made), "0002"))
    await engine.dispose()
    plan, last = to_json(LoadPlan("simulated")).decode(), to_json(a_snapshot("old")).decode()
    with sqlite3.connect(tmp_path / "scale.db") as connection:
        row = ("old", plan, "simulated", "finished", 1, 2, "", last, "")
        connection.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    connection.close()
    await migrate(url_of(tmp_path))
    store = SqlRunStore(url_of(tmp_path), FakeClock())
    found = await store.runs(9, 0, RunFilter(verdict=VerdictKind.EVEN, target="simu"))
    await store.close()
    assert [run.run_id for run in found] == ["old"]


async def test_an_older_run_that_is_damaged_keeps_nobody_from_the_others(tmp_path: Path) -> None:
    engine = open_engine(url_of(tmp_path))
    async with engine.begin() as connection:
        await connection.run_sync(lambda made: command.upgrade(migration_config(made), "0002"))
    await engine.dispose()
    plan = to_json(LoadPlan("simulated")).decode()
    with closing(sqlite3.connect(tmp_path / "scale.db", isolation_level=None)) as connection:
        for run_id, kept, last in (("bad", "x{", "[1]"), ("worse", "[]", "x"), ("good", plan, None)):
            row = (run_id, kept, "simulated", "finished", 1, 2, "", last, "")
            connection.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    await migrate(url_of(tmp_path))
    store = SqlRunStore(url_of(tmp_path), FakeClock())
    records = [await store.run(run.run_id) for run in await store.runs(9, 0)]
    await store.close()
    assert [(record.run_id, record.plan_known) for record in records] == [
        ("worse", False), ("good", True), ("bad", False)
    ]  # fmt: skip


async def test_a_newer_versions_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    await migrate(url_of(tmp_path))
    with sqlite3.connect(tmp_path / "scale.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    before = schema(tmp_path)
    with pytest.raises(StoreUnavailable, match="have version 9999, which this version of Scale does not know"):
        await migrate(url_of(tmp_path))
    assert schema(tmp_path) == before


async def test_a_failed_migration_leaves_no_half_made_tables(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "scale.db") as connection:
        connection.execute("CREATE TABLE run_events (somebody_elses INTEGER)")
    connection.close()
    before = schema(tmp_path)
    with pytest.raises(StoreUnavailable, match="already exists"):
        await migrate(url_of(tmp_path))
    assert schema(tmp_path) == before


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, SQLModel.metadata))


def schema(tmp_path: Path) -> list[tuple[str]]:
    connection = sqlite3.connect(tmp_path / "scale.db")
    try:
        return connection.execute("SELECT sql FROM sqlite_master ORDER BY name").fetchall()
    finally:
        connection.close()
