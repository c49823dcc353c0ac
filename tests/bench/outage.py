"""What an outage of the database costs: memory while it lasts, a second's own time, and how soon all is stored again.

    make bench-outage                         # ten minutes at 1,000 pods; prints, writes build/bench-outage.json
    make bench-outage ARGS="--seconds 60"

The run is the simulated source's on a clock that does not wait, judged by the real analysis. Its journal and the writer
are the product's, on a store that refuses every call until the outage is over; then it is a real SQLite database.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

from scale_app.adapters.store import SqlRunStore, migrate
from scale_app.domain.errors import StoreUnavailable
from scale_app.domain.events import Event
from scale_app.domain.plan import LoadPlan
from scale_app.domain.record import RunRecord
from scale_app.domain.recording import Began, Recorded
from scale_app.domain.snapshot import RunState, Source
from scale_app.service.journal import Journal
from scale_app.service.writer import Writer
from tests.bench.machine import circumstances
from tests.bench.store import USERS, simulated_seconds
from tests.fakes import FakeClock

PODS = 1_000
RESULT = Path("build/bench-outage.json")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class AwayStore(SqlRunStore):
    """Refuses to write while `away`."""

    away = True

    async def create(self, record: RunRecord) -> None:
        """See SqlRunStore."""
        if self.away:
            raise StoreUnavailable("The database is away.")
        await super().create(record)


def main() -> None:
    """Measure, print, write."""
    load_before = os.getloadavg()[0]
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--pods", type=int, default=PODS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(outage(f"sqlite+aiosqlite:///{folder}/scale.db", options.pods, options.seconds))
    for name, figure in found.items():
        print(f"{name:>24} {figure:,.2f}")
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps({**circumstances(load_before), **found}, indent=1) + "\n")


async def outage(url: str, pods: int, seconds: int) -> dict[str, float]:
    """The figures of one run of so many pods whose database is away for all of it."""
    await migrate(url)
    plan = LoadPlan(target_url=f"simulated?pods={pods}", users=USERS, spawn_rate=USERS, duration_s=seconds)
    clock, store = FakeClock(), AwayStore(url, FakeClock())
    writer = Writer(store, clock)
    journal = writer.open(RunRecord("run", plan, Source.SIMULATED, RunState.STARTING, 1.0))
    journal.recorded([Began(plan, Source.SIMULATED, 0.0)], 1.0)
    put_ms, grown = await _go_on(plan, journal)
    waiting = writer.storing
    store.away = False
    began = time.perf_counter()
    await writer.until_stored("run")
    stored_s = time.perf_counter() - began
    assert await writer.finish(1.0)
    assert len(await store.points("run")) >= seconds
    await store.close()
    return {
        "pods": pods,
        "outage_s": seconds,
        "waiting_lines": waiting.waiting_lines,
        "waiting_mb": waiting.waiting_bytes / 1e6,
        "given_up_lines": waiting.given_up_lines,
        "memory_grown_mb": grown / 1e6,
        "second_put_median_ms": statistics.median(put_ms),
        "second_put_worst_ms": max(put_ms),
        "stored_again_s": stored_s,
    }


async def _go_on(plan: LoadPlan, journal: Journal) -> tuple[list[float], int]:
    """Milliseconds that each second took to be put in, and the bytes by which this process grew after the first ten."""
    put_ms: list[float] = []
    before = 0
    async for sample, events in simulated_seconds(plan):
        put_ms.append(_put(journal, sample, events))
        while journal.history.to_pack() or journal.recording.to_pack():  # a second is longer than that
            await asyncio.sleep(0.001)
        if len(put_ms) == 10:
            before = _resident_bytes()
    return put_ms, _resident_bytes() - before


def _put(journal: Journal, sample: Recorded, events: list[Event]) -> float:
    began = time.perf_counter()
    journal.happened(events, 1.0)
    journal.recorded([sample], 1.0)
    return (time.perf_counter() - began) * 1_000


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


if __name__ == "__main__":
    main()
