"""What the history costs: bytes a minute by number of pods, a page of the list, an hour-long run opened.

    make bench-store                      # prints tables, writes build/bench-store.json
    make bench-store ARGS="--short"       # without the hour of 1,000 pods and without PostgreSQL

A run is the simulated source's on a clock that does not wait, judged by the real analysis and kept by the real store,
second by second, its recording included.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from scale_app.adapters.simulated import SimulatedGenerator, SimulatedPods
from scale_app.adapters.store import SqlRunStore, migrate
from scale_app.adapters.store.database import open_engine
from scale_app.domain.events import Event
from scale_app.domain.plan import LoadPlan
from scale_app.domain.pod_history import PodHistory
from scale_app.domain.record import RunRecord
from scale_app.domain.recording import Began
from scale_app.domain.run import Run
from scale_app.domain.samples import Sample
from scale_app.domain.snapshot import RunState, Source
from scale_app.ports import Admitted
from scale_app.service.run_queries import STORED_SPANS
from tests.bench.ui_history import keep_an_hour
from tests.fakes import FakeClock, PassingClock
from tests.fakes_load import observed
from tests.postgres import binaries, running_postgres

PODS = (5, 50, 500, 1_000)
USERS = 1_000
MINUTE_S = 60
LISTED = 50
REPEATS = 30
RESULT = Path("build/bench-store.json")
TABLES = ("runs", "run_lasts", "run_events", "run_recordings")


def main() -> None:
    """Measure, print, write."""
    options = argparse.ArgumentParser()
    options.add_argument("--short", action="store_true")
    short = options.parse_args().short
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        sqlite = [f"sqlite+aiosqlite:///{folder}/{pods}.db" for pods in PODS]
        found = {"sqlite": measured(sqlite, f"sqlite+aiosqlite:///{folder}/hour.db", 50 if short else 1_000)}
        if not short and (tools := binaries()):
            server = stack.enter_context(running_postgres(tools))
            names = [asyncio.run(server.create_database(f"pods{pods}")) for pods in PODS]
            found["postgresql"] = measured(names, asyncio.run(server.create_database("hour")), 1_000)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(found, indent=1) + "\n")


def measured(databases: list[str], hour_database: str, hour_pods: int) -> dict[str, Any]:
    """All figures of one kind of database, printed as they come. databases: empty ones, as many as PODS."""
    print(
        f"\n{databases[0].partition('+')[0]}\n{'pods':>8} {'kB a minute':>12} {'of it recording':>16} {'CPU ms/s':>9}"
    )
    minutes = []
    for pods, url in zip(PODS, databases, strict=True):
        row = asyncio.run(minute(url, pods))
        minutes.append(row)
        kilobytes = [row["bytes"] / 1_000, row["recording_bytes"] / 1_000]
        print(f"{pods:>8,} {kilobytes[0]:>12,.0f} {kilobytes[1]:>16,.0f} {row['cpu_ms_per_s']:>9.1f}")
    page = asyncio.run(listing(databases[-1]))
    print(f"a page of {LISTED} runs of {PODS[-1]:,} pods: {page:.2f} ms")
    opened = opening(hour_database, hour_pods)
    print(f"an hour of {hour_pods:,} pods opened: {opened:.2f} s")
    return {"minutes": minutes, "page_ms": page, "hour_pods": hour_pods, "hour_opened_s": opened}


async def minute(url: str, pods: int) -> dict[str, float]:
    """A minute of a run kept as it happens; what it added to the database."""
    await migrate(url)
    plan = LoadPlan(target_url=f"simulated?pods={pods}", users=USERS, spawn_rate=USERS, duration_s=MINUTE_S)
    steps = [(sample, events) async for sample, events in simulated_seconds(plan)]
    store = SqlRunStore(url, FakeClock())
    empty = await size(url)
    began = time.process_time()
    await _keep(store, plan, steps)
    spent_ms = (time.process_time() - began) * 1_000
    full = await size(url)
    grown = {name: full[name] - empty[name] for name in TABLES}
    await store.close()
    return {
        "pods": pods,
        "bytes": sum(grown.values()),
        "recording_bytes": grown["run_recordings"],
        "cpu_ms_per_s": spent_ms / MINUTE_S,
    }


async def _keep(store: SqlRunStore, plan: LoadPlan, steps: list[tuple[Sample, list[Event]]]) -> None:
    await store.create(RunRecord("run", plan, Source.SIMULATED, RunState.STARTING, 1.0))
    await store.record("run", 0, [Began(plan, Source.SIMULATED, 0.0)])
    first_seq = 0
    for line, (sample, events) in enumerate(steps, 1):
        await store.append("run", first_seq, events)
        await store.record("run", line, [sample])
        first_seq += len(events)


async def listing(url: str) -> float:
    """Milliseconds of one page of the list, all of whose runs are like the one in the database."""
    store = SqlRunStore(url, FakeClock())
    record = await store.run("run")
    for number in range(1, LISTED):
        await store.create(replace(record, run_id=f"run-{number}", created_at_epoch_s=float(number)))
    taken_ms = statistics.median([await timed_ms(lambda: store.runs(LISTED, 0)) for _ in range(REPEATS)])
    assert len(await store.runs(LISTED, 0)) == LISTED
    await store.close()
    return taken_ms


def opening(url: str, pods: int) -> float:
    """Seconds until all is read that the page of an hour-long run draws; the median of three."""
    asyncio.run(migrate(url))
    run_id = keep_an_hour(url, pods)
    return statistics.median(asyncio.run(timed_ms(lambda: _opened(url, run_id))) / 1_000 for _ in range(3))


async def _opened(url: str, run_id: str) -> None:
    store = SqlRunStore(url, FakeClock())
    await store.run(run_id)
    assert len(await store.points(run_id)) == 3_600
    await store.happenings(run_id)
    PodHistory(await store.pod_counts(run_id, STORED_SPANS)).times()
    await store.close()


async def timed_ms(work: Callable[[], Awaitable[object]]) -> float:
    """How long it took."""
    began = time.perf_counter()
    await work()
    return (time.perf_counter() - began) * 1_000


async def size(url: str) -> dict[str, int]:
    """Bytes of each table with its indexes, without those that are free for the next rows."""
    engine = open_engine(url)
    indexes = "SELECT name FROM sqlite_master WHERE tbl_name = '{}'"
    sqlite = engine.dialect.name == "sqlite"
    of_table = f"SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE name IN ({indexes})"
    query = of_table if sqlite else "SELECT pg_total_relation_size('{}')"
    try:
        async with engine.connect() as opened:
            connection = await opened.execution_options(isolation_level="AUTOCOMMIT")
            if not sqlite:
                await connection.exec_driver_sql(f"VACUUM FULL {', '.join(TABLES)}")
            return {table: int(await _scalar(connection, query.format(table))) for table in TABLES}
    finally:
        await engine.dispose()


async def _scalar(connection: Any, query: str) -> int:
    return int((await connection.exec_driver_sql(query)).scalar_one())


async def simulated_seconds(plan: LoadPlan) -> AsyncIterator[tuple[Sample, list[Event]]]:
    """Each sample of a simulated run and what it means, on a clock that does not wait."""
    clock, target = PassingClock(), Admitted(plan.target_url, Source.SIMULATED, ())
    run = Run("run", plan, Source.SIMULATED, 1_700_000_000.0)

    pods = await anext(SimulatedPods(clock).watch(target))
    yield pods, observed(run, pods)
    load = await SimulatedGenerator(clock).start(plan, target)
    async for sample in load.samples():
        yield sample, observed(run, sample)


if __name__ == "__main__":
    main()
