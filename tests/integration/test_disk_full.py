"""A disk that is full, for real: a tiny file system of the server's own, which the test fills and empties."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.serving import Served, fetch, served

SIZE_KB = 2_000
LIMIT_S = 40.0
MOUNTED = 'mount -t tmpfs -o "size=$1" none "$2" && shift 2 && exec "$@"'


def may_mount(folder: Path) -> bool:
    """True for root with its usual rights, where the kernel gives a process mounts of its own."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    tried = ["unshare", "--mount", "sh", "-c", MOUNTED, "sh", "100k", str(folder), "true"]
    return subprocess.run(tried, capture_output=True, timeout=20).returncode == 0


class SmallDisk:
    """The file system of a server that nobody else sees. root: where it is found from here."""

    def __init__(self, root: Path) -> None:
        self._filler = root / "filler"

    def fill(self) -> None:
        """Leave no byte."""
        with self._filler.open("wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(bytes(4_096))
            except OSError:
                return

    def empty(self) -> None:
        self._filler.unlink(missing_ok=True)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    small = tmp_path / "small"
    small.mkdir()
    if not may_mount(small):
        pytest.skip("only root with mounts of its own can make a small disk; test_store_errors.py has one without")
    own = {name: value for name, value in os.environ.items() if not name.startswith("SCALE_")}
    in_it = ["unshare", "--mount", "sh", "-c", MOUNTED, "sh", f"{SIZE_KB}k", str(small)]
    command = (*in_it, sys.executable, "-m", "tests.integration.hub_application")
    environment = own | {"SCALE_DATABASE_URL": f"sqlite+aiosqlite:///{small}/scale.db"}
    with served(command, environment=environment, scratch=tmp_path) as running:
        yield running


@pytest.fixture
def disk(server: Served, tmp_path: Path) -> SmallDisk:
    return SmallDisk(Path(f"/proc/{server.process.pid}/root{tmp_path}/small"))


def started(server: Served, **plan: object) -> str:
    body = json.dumps({"target_url": "simulated?pods=20", "users": 20, "spawn_rate": 20, **plan}).encode()
    status, answer = fetch(f"{server.url}/api/v1/runs", {"Content-Type": "application/json"}, body)
    assert status == 201, answer
    return str(json.loads(answer)["run_id"])


def asked(server: Served, path: str) -> Any:
    status, answer = server.get(path)
    assert status == 200, answer
    return json.loads(answer)


def until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def finished(server: Served, run_id: str) -> bool:
    return bool(asked(server, f"/api/v1/runs/{run_id}")["state"] == "finished")


def seconds_of(server: Served, run_id: str) -> list[float]:
    return [point["elapsed_s"] for point in asked(server, f"/api/v1/runs/{run_id}/history")["points"]]


def test_a_full_disk_costs_no_run_and_nothing_that_was_stored_and_its_room_is_used_again(
    server: Served, disk: SmallDisk
) -> None:
    before = started(server, duration_s=1)
    until(lambda: finished(server, before) and server.get("/readyz")[0] == 200, "the first run is over")
    kept = seconds_of(server, before)
    amid = started(server, duration_s=6)
    until(lambda: len(seconds_of(server, amid)) > 1, "the second run is on its way")

    disk.fill()
    until(lambda: server.get("/readyz")[0] == 503, "the full disk is told of")
    told = json.loads(server.get("/readyz")[1])["detail"]
    assert told.startswith("Not stored yet; runs continue.")
    assert "disk" in told
    until(lambda: finished(server, amid), "the second run ends on time, and is not said to run for ever")
    after = started(server, duration_s=1)
    until(lambda: finished(server, after), "a run begins and ends on a full disk")
    assert seconds_of(server, before) == kept
    listed = {run["run_id"]: run["state"] for run in asked(server, "/api/v1/runs")["runs"]}
    assert listed == dict.fromkeys((before, amid, after), "finished")
    seen = seconds_of(server, amid)

    disk.empty()
    until(lambda: server.get("/readyz")[0] == 200, "the room is used again")
    assert asked(server, "/api/v1/installation")["storing"]["waiting_lines"] == 0
    assert seconds_of(server, amid) == seen
    assert seen == sorted(seen)
    for run_id in (amid, after):
        run = asked(server, f"/api/v1/runs/{run_id}")
        assert (run["state"], run["not_stored"]) == ("finished", "")
        assert run["ended_at_epoch_s"] - run["created_at_epoch_s"] < LIMIT_S
