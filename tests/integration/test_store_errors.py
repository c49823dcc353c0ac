"""What goes wrong with a database is one sentence: what was tried, where, what came back, what to do. No password."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event

from scale_app.adapters.store import SqlRunStore, database, migrate
from scale_app.domain.errors import StoreUnavailable
from scale_app.domain.events import SnapshotTaken, StateChanged
from scale_app.domain.plan import LoadPlan
from scale_app.domain.record import RunRecord
from scale_app.domain.snapshot import RunState, Source
from tests.fakes import FakeClock, a_snapshot
from tests.postgres import postgres_here

RUN = RunRecord("run-1", LoadPlan(), Source.DEMO, RunState.RUNNING, 1.0)


@contextmanager
def refused(*parts: str) -> Iterator[None]:
    """Inside, StoreUnavailable is raised, and its sentence has all the parts and no secret."""
    with pytest.raises(StoreUnavailable) as unavailable:
        yield
    sentence = str(unavailable.value)
    assert [part for part in parts if part not in sentence] == [], sentence
    assert "secret" not in sentence
    assert "\n" not in sentence


async def test_a_missing_folder(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/no/such/scale.db"
    with refused("Preparing the tables failed on", f"{tmp_path}/no/such/scale.db", "unable to open", "folder"):
        await migrate(url)


@pytest.mark.parametrize("_attempt", range(20))
async def test_a_database_that_cannot_be_opened_leaves_no_thread(tmp_path: Path, _attempt: int) -> None:
    before = set(threading.enumerate())
    with refused("unable to open"):
        await migrate(f"sqlite+aiosqlite:///{tmp_path}/no/such/scale.db")
    assert [thread.name for thread in set(threading.enumerate()) - before if "asyncio" not in thread.name] == []


async def test_who_reads_and_then_writes_waits_for_who_writes_meanwhile(tmp_path: Path) -> None:
    await migrate(url := f"sqlite+aiosqlite:///{tmp_path}/scale.db")
    store = SqlRunStore(url, FakeClock())
    try:
        await store.create(RUN)
        writing = [store.append("run-1", n, [StateChanged(float(n), RunState.RUNNING)]) for n in range(0, 40, 2)]
        await asyncio.gather(*writing, *(store.mark_interrupted("The server was killed.", only=[]) for _ in range(20)))
        assert len(await store.events("run-1")) == 20
    finally:
        await store.close()


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "scale.db").write_bytes(b"not a database at all, " * 100)
    with refused("file is not a database", "Move the file away"):
        await migrate(f"sqlite+aiosqlite:///{tmp_path}/scale.db")


async def test_a_database_that_was_never_migrated(tmp_path: Path) -> None:
    store = SqlRunStore(f"sqlite+aiosqlite:///{tmp_path}/scale.db", FakeClock())
    try:
        with refused("Reading the list of runs failed", "no such table: runs", "Start Scale once"):
            await store.runs(10, 0)
    finally:
        await store.close()


async def test_a_database_that_may_only_be_read(tmp_path: Path) -> None:
    await migrate(f"sqlite+aiosqlite:///{tmp_path}/scale.db")
    store = SqlRunStore(f"sqlite+aiosqlite:///file:{tmp_path}/scale.db?mode=ro&uri=true", FakeClock())
    try:
        assert await store.runs(10, 0) == []
        with refused("Storing the new run run-1 failed", "readonly database", "Let Scale write"):
            await store.create(RUN)
    finally:
        await store.close()


async def test_a_database_that_another_process_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await migrate(f"sqlite+aiosqlite:///{tmp_path}/scale.db")
    monkeypatch.setattr(database, "PRAGMAS", ("PRAGMA busy_timeout=50",))
    store = SqlRunStore(f"sqlite+aiosqlite:///{tmp_path}/scale.db", FakeClock())
    other = sqlite3.connect(tmp_path / "scale.db", isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        with refused("database is locked", "End the other process"):
            await store.create(RUN)
        other.execute("ROLLBACK")
        await store.create(RUN)
    finally:
        other.close()
        await store.close()


async def test_a_full_disk_loses_nothing_that_was_kept(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/scale.db"
    await migrate(url)
    store = SqlRunStore(url, FakeClock())
    event.listen(store._engine.sync_engine, "connect", _allow_few_pages)
    kept = 0
    try:
        await store.create(RUN)
        with refused("Storing the events of run run-1 failed", "database or disk is full", "Free disk space"):
            for seq in range(1_000):
                await store.append("run-1", seq, [SnapshotTaken(float(seq), a_snapshot(seq=seq))])
                kept += 1
        assert len(await store.points("run-1")) == kept > 0
        last = (await store.run("run-1")).last
        assert last is not None
        assert last.seq == kept - 1
    finally:
        await store.close()


async def test_a_server_that_is_not_there() -> None:
    with refused("postgresql+asyncpg://scale:***@127.0.0.1:1/scale: Connection refused", "SCALE_DATABASE_URL"):
        await migrate("postgresql+asyncpg://scale:secret@127.0.0.1:1/scale?ssl=disable")


async def test_a_url_without_a_known_driver() -> None:
    with refused("Opening the database failed on nosuch://scale:***@127.0.0.1/scale"):
        SqlRunStore("nosuch://scale:secret@127.0.0.1/scale", FakeClock())


async def test_a_wrong_password_and_a_missing_database() -> None:
    with postgres_here() as server:
        with refused("password authentication failed", "Check user name and password", "scale:***@"):
            await migrate(server.url("postgres", password="wrong secret"))
        with refused('database "no_such" does not exist', "Create the database"):
            await migrate(server.url("no_such"))


async def test_postgresql_is_written_in_transactions_and_read_without() -> None:
    with postgres_here() as server:
        engine = database.open_engine(server.url("postgres"), autocommit=True)
        for opened, transactions in ((engine, 2), (database.in_transactions(engine), 1)):
            async with opened.connect() as connection:
                # What PostgreSQL says when a transaction began, which a query without one is by itself.
                began = [(await connection.exec_driver_sql("SELECT now()")).scalar_one() for _ in range(2)]
            assert len(set(began)) == transactions
        await engine.dispose()


def _allow_few_pages(connection: object, _record: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]
    cursor.execute("PRAGMA max_page_count=40")
    cursor.close()
