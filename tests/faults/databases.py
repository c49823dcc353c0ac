"""Databases that hang, are locked, are full or hold what cannot be read."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from tests.faults.cells import Outcome, Scale, cell, lasting, until
from tests.faults.installation import LATE_S, Installation, installation, viewer
from tests.postgres import Postgres, binaries, running_postgres
from tests.serving import served

Outage = Callable[[], AbstractContextManager[None]]
SAID_AFTER_S = 2.0
"""How long storing may be behind before it is said (decision 8)."""
ROOM_KB = 4096


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Nobody else can write to the file inside the block."""
    other = sqlite3.connect(path, isolation_level=None)
    try:
        other.execute("BEGIN EXCLUSIVE")
        yield
    finally:
        other.close()


def _outlive(
    scale: Installation,
    outcome: Outcome,
    moment: str,
    outage_s: float,
    away: Callable[[], AbstractContextManager[None]],
) -> str:
    """A run during whose middle or end the database is away: it is seen, ends in time, and is stored afterwards."""
    at_the_end = moment == "last second"
    duration_s = 6 if at_the_end else round(outage_s) + 6
    run_id = scale.start(duration_s=duration_s)
    scale.at(run_id, duration_s - 1 if at_the_end else 2)
    with viewer(scale, run_id) as looks, away():
        began_s = time.monotonic()
        if at_the_end:
            scale.ended(run_id, 30)
            ended_after_s = time.monotonic() - began_s
            outcome.expect("the run ends on time", ended_after_s < 6)
        time.sleep(max(SAID_AFTER_S + 2, outage_s - (time.monotonic() - began_s)))
        outcome.said = scale.readiness()
        told = scale.run(run_id)["not_stored"]
    run = scale.ended(run_id, 30)
    scale.stored(run_id)
    seconds = scale.seconds(run_id)
    until(lambda: not scale.readiness(), "/readyz says ready again")
    outcome.seen = f"{run['state']}, a new second at least every {looks.worst_wait_s:.1f} s"
    outcome.kept = f"{len(seconds)} points of {duration_s} seconds"
    outcome.expect("/readyz says so", outcome.said)
    outcome.expect("the run says so", told)
    outcome.expect("the run has finished", run["state"] == "finished")
    outcome.expect("viewers see each second", looks.worst_wait_s < LATE_S + 1)
    outcome.expect("each second is kept", len(seconds) >= duration_s - 1)
    return run_id


def _sqlite_locked(moment: str, form: Scale, outcome: Outcome) -> None:
    with installation(form.scratch) as scale:
        path = form.scratch / "scale.db"
        _outlive(scale, outcome, moment, form.outage_s(), lambda: locked(path))


for _moment in ("running", "last second"):
    cell("SQLite locked for a minute", _moment, quick=_moment == "last second")(partial(_sqlite_locked, _moment))


@cell("SQLite locked for a minute", "starting")
def _begins_while_locked(form: Scale, outcome: Outcome) -> None:
    with installation(form.scratch) as scale:
        with lasting(form.outage_s()), locked(form.scratch / "scale.db"):
            run_id = scale.start(duration_s=4)
            with viewer(scale, run_id) as looks:
                run = scale.ended(run_id, 20)
            outcome.said = str(until(scale.readiness, "/readyz says so", 10))
        scale.stored(run_id)
        outcome.seen = f"{run['state']}, a new second at least every {looks.worst_wait_s:.1f} s"
        outcome.kept = f"{len(scale.seconds(run_id))} points of 4 seconds"
        outcome.expect("the run has finished", run["state"] == "finished")
        outcome.expect("viewers see each second", looks.worst_wait_s < LATE_S + 1)
        outcome.expect("each second is kept", len(scale.seconds(run_id)) >= 3)


def _no_postgres() -> str:
    return "" if binaries() else "PostgreSQL is not installed"


@contextmanager
def _postgres(form: Scale) -> Iterator[tuple[Postgres, str]]:
    import asyncio

    folder = binaries()
    assert folder is not None
    with running_postgres(folder) as server:
        yield server, asyncio.run(server.create_database("faults"))


def _postgres_stopped(moment: str, form: Scale, outcome: Outcome) -> None:
    with _postgres(form) as (server, url), installation(form.scratch, url) as scale:
        _outlive(scale, outcome, moment, form.outage_s(), server.stopped)


for _moment in ("running", "last second"):
    cell("PostgreSQL hangs for a minute", _moment, needs=_no_postgres)(partial(_postgres_stopped, _moment))


def _postgres_away(moment: str, form: Scale, outcome: Outcome) -> None:
    with _postgres(form) as (server, url), installation(form.scratch, url) as scale:
        _outlive(scale, outcome, moment, form.outage_s(), server.down)


for _moment in ("running", "last second"):
    cell("PostgreSQL is away for a minute", _moment, needs=_no_postgres)(partial(_postgres_away, _moment))


@cell("PostgreSQL hangs, then SIGTERM", "running", needs=_no_postgres)
def _end_while_it_hangs(form: Scale, outcome: Outcome) -> None:
    with _postgres(form) as (server, url), installation(form.scratch, url) as scale:
        run_id = scale.start(duration_s=30)
        scale.at(run_id, 4)
        with server.stopped():
            time.sleep(3)
            exit_code, took_s = scale.server.stop(signal.SIGTERM)
        said = [line for line in scale.server.printed().splitlines() if run_id in line]
        outcome.seen = f"gone after {took_s:.1f} s (exit code {exit_code})"
        outcome.said = said[-1] if said else ""
        outcome.expect("it ends within 10 s", took_s <= 10)
        outcome.expect("the log says what was given up", "are lost" in outcome.said)
        (form.scratch / "again").mkdir()
        with installation(form.scratch / "again", url) as again:
            run = again.run(run_id)
            outcome.kept = f"{len(again.seconds(run_id))} points, {run['state']}"
            outcome.expect("what was stored before is there", len(again.seconds(run_id)) >= 2)
            outcome.expect("the run was interrupted", run["state"] == "interrupted")


def _no_root() -> str:
    return "" if os.geteuid() == 0 and shutil.which("unshare") else "needs root and unshare"


@contextmanager
def _small_disk(form: Scale) -> Iterator[tuple[Installation, Path]]:
    """A server whose database lies on a disk of a few MB, in a mount namespace that ends with it."""
    room = form.scratch / "room"
    room.mkdir()
    mount = f"mount -t tmpfs -o size={ROOM_KB}k none {room}"
    serve = f"exec {sys.executable} -m scale_app.cli serve"
    command = ("unshare", "--mount", "--propagation", "private", "sh", "-c", f"{mount} && {serve}")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SCALE_")}
    environment["SCALE_DATABASE_URL"] = f"sqlite+aiosqlite:///{room}/scale.db"
    with served(command, environment=environment, scratch=form.scratch) as server:
        scale = Installation(server)
        yield scale, Path(f"/proc/{scale.pid}/root{room}")


def _fill(folder: Path) -> Path:
    """A file that takes all the room that is left."""
    path = folder / "filler"
    with path.open("wb", buffering=0) as filler, suppress(OSError):
        while True:
            filler.write(b"\0" * 4096)
    return path


def _disk_full(moment: str, form: Scale, outcome: Outcome) -> None:
    with _small_disk(form) as (scale, room):
        before = scale.start(duration_s=2)
        scale.ended(before)
        scale.stored(before)
        kept_before = scale.seconds(before)
        run_id = scale.start(duration_s=8)
        scale.at(run_id, 7 if moment == "last second" else 2)
        filler = _fill(room)
        outcome.said = str(until(scale.readiness, "/readyz says so", 15))
        run = scale.ended(run_id)
        told = scale.run(run_id)["not_stored"]
        outcome.expect("what was stored can be read", scale.seconds(before) == kept_before)
        filler.unlink()
        scale.stored(run_id)
        outcome.seen, outcome.kept = run["state"], f"{len(scale.seconds(run_id))} points of 8 seconds"
        outcome.expect("the run has finished", run["state"] == "finished")
        outcome.expect("the sentence names the disk", "disk" in outcome.said.lower())
        outcome.expect("the run says so", told)
        outcome.expect("each second is kept once there is room", len(scale.seconds(run_id)) >= 7)
        outcome.expect("/readyz says ready again", not scale.readiness())


for _moment in ("running", "last second"):
    cell("disk full", _moment, needs=_no_root)(partial(_disk_full, _moment))


@cell("a row that cannot be read", "ended", quick=True)
def _unreadable(form: Scale, outcome: Outcome) -> None:
    with installation(form.scratch) as scale:
        good, bad = scale.start(duration_s=1), scale.start(duration_s=1)
        for run_id in (good, bad):
            scale.ended(run_id)
            scale.stored(run_id)
        time.sleep(0.5)  # until both have left the memory and are read from the database
        with sqlite3.connect(form.scratch / "scale.db", timeout=10) as database:
            database.execute("UPDATE runs SET plan_json = ? WHERE id = ?", ('{"unknown": 1', bad))
        database.close()
        status, page = scale.ask("/api/v1/runs")
        listed = {run["run_id"]: run for run in page["runs"]} if status == 200 else {}
        bad_status, one = scale.ask(f"/api/v1/runs/{bad}")
        outcome.seen = f"list: {status} with {len(listed)} runs; the run itself: {bad_status}"
        outcome.said = _text(one.get("unreadable"))
        outcome.expect("the list works", status == 200 and good in listed)
        outcome.expect("the run is listed", bad in listed)
        outcome.expect("a sentence says so", "read" in outcome.said)
        outcome.expect("/readyz says ready", not scale.readiness())
        deleted, _ = scale.ask(f"/api/v1/runs/{bad}", method="DELETE")
        left, _ = scale.ask(f"/api/v1/runs/{bad}")
        outcome.kept = f"deleting it: {deleted}, then {left}; the other run: {len(scale.seconds(good))} points"
        outcome.expect("it can be deleted", (deleted, left) == (204, 404))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
