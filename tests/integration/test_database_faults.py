"""A database that stops, goes away or is locked while tests run: they are seen, they end, and all of it is stored."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest

from scale_app.adapters.in_process import LocalLeases
from scale_app.adapters.simulated import SimulatedGenerator, SimulatedPods
from scale_app.adapters.store import SqlRunStore, migrate
from scale_app.adapters.this_machine import SystemClock
from scale_app.domain.events import SnapshotTaken
from scale_app.domain.plan import Limits, LoadPlan
from scale_app.domain.recording import replayed
from scale_app.domain.snapshot import RunState, Source
from scale_app.ports import Adapters, Admitted
from scale_app.service.hub import Hub
from tests.fakes_hub import FakeDemo
from tests.integration.hubs import unnoted_access
from tests.postgres import Postgres, postgres_here
from tests.serving import Served, fetch, served

DATABASES = itertools.count()
DURATION_S = 4
PLAN = LoadPlan("simulated?pods=3", users=9, spawn_rate=9, duration_s=DURATION_S)
SECOND_LIMIT_S = 4.0
"""Between two seconds of a run, as a viewer sees them on a busy machine."""
BACK_LIMIT_S = 40.0


@dataclass(frozen=True, slots=True)
class Database:
    """url: of a migrated database. fault: what it suffers while the context is entered."""

    url: str
    fault: Callable[[], AbstractContextManager[None]]


class SimulatedGate:
    """Admits the simulated target."""

    async def admit(self, plan: LoadPlan, recent_s: float = 0.0) -> Admitted:
        return Admitted(plan.target_url, Source.SIMULATED, ())


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with postgres_here() as server:
        yield server


@pytest.fixture(params=["postgres stopped", "postgres away", "sqlite locked"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    if request.param == "sqlite locked":
        url = f"sqlite+aiosqlite:///{tmp_path}/scale.db"
        await migrate(url)
        return Database(url, partial(locked, tmp_path / "scale.db"))
    server: Postgres = request.getfixturevalue("postgres")
    url = await server.create_database(f"faults{next(DATABASES)}")
    await migrate(url)
    return Database(url, server.stopped if request.param == "postgres stopped" else server.down)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None, timeout=20, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@asynccontextmanager
async def hub_on(url: str) -> AsyncIterator[Hub]:
    clock = SystemClock()
    adapters = Adapters(
        SimulatedGate(),
        {Source.SIMULATED: SimulatedGenerator(clock)},
        {Source.SIMULATED: SimulatedPods(clock)},
        SqlRunStore(url, clock),
        FakeDemo(),
        clock,
        LocalLeases(clock),
    )
    async with unnoted_access(url) as access:
        hub = Hub(adapters, access, Limits(), max_runs=1)
        await hub.open()
        try:
            yield hub
        finally:
            await hub.close()


async def seen(hub: Hub, run_id: str) -> list[float]:
    """When each second of the run came to a viewer who follows it to its end, from the first one on."""
    at_s = []
    async with hub.subscribe(run_id) as events:
        async for _, event in events:
            if isinstance(event, SnapshotTaken):
                at_s.append(time.monotonic())
    return at_s


async def until_stored(hub: Hub) -> None:
    async with asyncio.timeout(BACK_LIMIT_S):
        while hub.storing.waiting_lines:
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("begins_s", [None, 2.0, DURATION_S - 0.5], ids=["before", "amid", "at the end"])
async def test_a_run_is_seen_and_ends_on_time_while_nothing_can_be_stored_and_is_stored_afterwards(
    database: Database, begins_s: float | None
) -> None:
    async with hub_on(database.url) as hub:
        run_id = await hub.start(PLAN) if begins_s is not None else ""
        watching = asyncio.create_task(seen(hub, run_id)) if run_id else None
        await asyncio.sleep(begins_s or 0.0)
        with ExitStack() as fault:
            await asyncio.to_thread(fault.enter_context, database.fault())
            began_s = time.monotonic()
            if watching is None:
                run_id = await hub.start(PLAN)
                assert time.monotonic() - began_s < 1.0
                watching = asyncio.create_task(seen(hub, run_id))
            at_s = await watching
            assert len(at_s) >= DURATION_S
            assert max(later - earlier for earlier, later in itertools.pairwise(at_s)) < SECOND_LIMIT_S
            assert hub.active() == []
            record = await hub.run(run_id)
            assert record.state is RunState.FINISHED
            while not hub.storing.problem:  # of a database that hangs it is known after two seconds
                await asyncio.sleep(0.1)
            assert (await hub.run(run_id)).not_stored.startswith("Not stored yet; runs continue.")
            points = await hub.history(run_id)
            second = await hub.start(replace(PLAN, duration_s=1))
            await asyncio.to_thread(fault.close)
        await until_stored(hub)
        await seen(hub, second)
        assert hub.storing.problem == ""
        await hub.check()
        whole = await hub.whole(run_id, recording=True)
    store = SqlRunStore(database.url, SystemClock())
    try:
        assert await store.run(run_id) == replace(record, not_stored="")
        assert await store.points(run_id) == points
        assert len(replayed(whole).points) == len(points)
    finally:
        await store.close()


@pytest.fixture
def server(database: Database, tmp_path: Path) -> Iterator[Served]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("SCALE_")}
    command = (sys.executable, "-m", "tests.integration.hub_application")
    with served(command, environment=own | {"SCALE_DATABASE_URL": database.url}, scratch=tmp_path) as running:
        yield running


def started(server: Served, **plan: object) -> str:
    body = json.dumps({"target_url": "simulated", "users": 4, "spawn_rate": 4, **plan}).encode()
    status, answer = fetch(f"{server.url}/api/v1/runs", {"Content-Type": "application/json"}, body)
    assert status == 201, answer
    return str(json.loads(answer)["run_id"])


def ended(server: Served, run_id: str) -> bool:
    status, answer = server.get(f"/api/v1/runs/{run_id}")
    return status == 200 and json.loads(answer)["state"] == "finished"


def test_the_server_ends_in_time_while_nothing_can_be_stored_and_says_what_is_lost(
    database: Database, server: Served
) -> None:
    with database.fault():
        over, active = started(server, duration_s=1), started(server, duration_s=60)
        deadline = time.monotonic() + BACK_LIMIT_S
        while not (ended(server, over) and server.get("/readyz")[0] == 503):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        began_s = time.monotonic()
        assert b"Not stored yet" in server.get("/readyz")[1]
        assert time.monotonic() - began_s < 1.0
        code, took_s = server.stop()
    assert (code, took_s < 10) == (0, True)
    for run_id in (over, active):
        assert re.search(rf"run {run_id}: the server ends before everything was stored; \d+ lines", server.printed())
