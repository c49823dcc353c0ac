"""Every acknowledged second survives the SIGKILL of the process that kept it."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

from scale_app.adapters.store import SqlRunStore, migrate
from scale_app.domain.events import StateChanged
from scale_app.domain.snapshot import RunState
from tests.fakes import FakeClock

ROOT = Path(__file__).parents[2]
APPENDED_AT_LEAST = 20
WRITER = """
import asyncio, itertools, sys
from scale_app.adapters.store import SqlRunStore
from scale_app.domain.events import SnapshotTaken
from scale_app.domain.plan import LoadPlan
from scale_app.domain.record import RunRecord
from scale_app.domain.snapshot import RunState, Source
from tests.fakes import FakeClock, a_snapshot

async def write():
    store = SqlRunStore(sys.argv[1], FakeClock())
    await store.create(RunRecord("run-1", LoadPlan(), Source.DEMO, RunState.RUNNING, 1.0))
    for seq in itertools.count():
        await store.append("run-1", seq, [SnapshotTaken(float(seq), a_snapshot(seq=seq, requests=range(50)))])
        print(seq, flush=True)

asyncio.run(write())
"""


async def test_every_acknowledged_event_is_there_after_a_sigkill(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/scale.db"
    await migrate(url)
    acknowledged = await asyncio.to_thread(write_until_killed, url)

    store = SqlRunStore(url, FakeClock())
    try:
        kept = [round(point.elapsed_s) for point in await store.points("run-1")]
        assert acknowledged >= APPENDED_AT_LEAST
        # One more may have been kept whose acknowledgement was never read; none may be torn or missing.
        assert kept == list(range(len(kept)))
        assert len(kept) > acknowledged
        pods = await store.pod_counts("run-1", len(kept))
        assert [len(counts.names) for counts in pods] == [50] * len(kept)
        last = (await store.run("run-1")).last
        assert last is not None
        assert (last.seq, len(last.pods)) == (kept[-1], 50)
        assert await store.mark_interrupted("The server went away.") == ["run-1"]
        assert (await store.events("run-1"))[-1] == StateChanged(
            float(kept[-1]), RunState.INTERRUPTED, "The server went away."
        )
    finally:
        await store.close()


def write_until_killed(url: str) -> int:
    """Let another process append, kill it in mid-flight; the last seq that it acknowledged."""
    writer = subprocess.Popen([sys.executable, "-c", WRITER, url], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert writer.stdout is not None
    with writer.stdout as lines:
        try:
            last = next((int(line) for line in lines if int(line) >= APPENDED_AT_LEAST), -1)
        finally:
            writer.send_signal(signal.SIGKILL)
            writer.wait(timeout=10)
        return max([last, *(int(line) for line in lines if line.endswith("\n"))])
