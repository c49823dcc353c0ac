"""What an export costs the server: memory beside what it had, and how long others wait meanwhile.

    python -m tests.bench.export                  # 1,000 pods, ten minutes; prints, writes build/bench-export.json
    python -m tests.bench.export --seconds 120

Goals: at most 50 MB more, nobody waits longer than 100 ms for /healthz. The page must be built.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

from scale_app.adapters.simulated import SimulatedTraffic
from scale_app.adapters.store import SqlRunStore, migrate
from scale_app.domain.plan import LoadPlan
from scale_app.domain.recording import Began
from scale_app.domain.samples import LoadReady
from scale_app.domain.snapshot import Source
from scale_app.domain.target import parse_simulated
from tests.bench.machine import circumstances
from tests.bench.start import resident_mb
from tests.bench.ui_history import keep_an_hour
from tests.fakes import FakeClock
from tests.serving import Served, fetch, served

PODS = 1_000
USERS = 200
REQUESTS_PER_S = 10_000
ASK_EVERY_S = 0.02
RESULT = Path("build/bench-export.json")


def main() -> None:
    """Measure, print, write."""
    options = argparse.ArgumentParser()
    options.add_argument("--seconds", type=int, default=600)
    seconds, load = options.parse_args().seconds, os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as scratch:
        url = f"sqlite+aiosqlite:///{scratch}/scale.db"
        asyncio.run(migrate(url))
        run_id = keep_an_hour(url, PODS)
        asyncio.run(record(url, run_id, seconds))
        with served(scratch=Path(scratch), environment={**os.environ, "SCALE_DATABASE_URL": url}) as server:
            found = {form: exported(server, run_id, form) for form in ("json", "html", "seconds", "csv")}
    for form, row in found.items():
        print(
            f"{form:>8} {row['mb']:8.1f} MB in {row['seconds']:6.1f} s, {row['more_mb']:6.1f} MB more, "
            f"first byte {row['first_ms']:.0f} ms, others waited {row['worst_ms']:.0f} ms at most"
        )
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps({"recorded_s": seconds, "forms": found, **circumstances(load)}, indent=1) + "\n")


async def record(url: str, run_id: str, seconds: int) -> None:
    """Give the run a recording of so many seconds."""
    store = SqlRunStore(url, FakeClock())
    target = f"simulated?pods={PODS}"
    traffic = SimulatedTraffic(parse_simulated(target), 5)
    await store.record(run_id, 0, [Began(LoadPlan(target_url=target), Source.SIMULATED, 0.0), LoadReady(0.0)])
    for second in range(1, seconds + 1):
        traffic.advance(USERS, REQUESTS_PER_S)
        await store.record(run_id, second + 1, [traffic.sample(float(second))])
    await store.close()


def exported(server: Served, run_id: str, form: str) -> dict[str, Any]:
    """Download the file and look at the server meanwhile."""
    watch = _Watch(server)
    before, began, size, first_ms = resident_mb(server.process.pid), time.monotonic(), 0, 0.0
    watch.start()
    with urllib.request.urlopen(f"{server.url}/api/v1/runs/{run_id}/export?format={form}", timeout=600) as answer:
        while piece := answer.read(1 << 16):
            first_ms = first_ms or (time.monotonic() - began) * 1_000
            size += len(piece)
    watch.over.set()
    watch.join()
    return {
        "mb": size / 1e6,
        "seconds": time.monotonic() - began,
        "more_mb": watch.most_mb - before,
        "first_ms": first_ms,
        "worst_ms": watch.worst_ms,
    }


class _Watch(threading.Thread):
    """Asks /healthz again and again. worst_ms: its slowest answer. most_mb: the server's memory at its most."""

    def __init__(self, server: Served) -> None:
        super().__init__(daemon=True)
        self.over = threading.Event()
        self.worst_ms = self.most_mb = 0.0
        self._server = server

    def run(self) -> None:
        while not self.over.wait(ASK_EVERY_S):
            began = time.monotonic()
            fetch(f"{self._server.url}/healthz")
            self.worst_ms = max(self.worst_ms, (time.monotonic() - began) * 1_000)
            self.most_mb = max(self.most_mb, resident_mb(self._server.process.pid))


if __name__ == "__main__":
    main()
