"""One `scale serve` on loopback, as its users see it: asked through its API, and its processes by their ids."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.cells import until
from tests.serving import Served, served

ENDED = ("finished", "stopped", "failed", "interrupted")
END_SPARE_S = 60.0
LATE_S = 2.5
"""A viewer of a machine that others share sees each second, if not each on the second."""


@dataclass
class Installation:
    """server: the process that is asked."""

    server: Served

    def ask(self, path: str, body: object = None, method: str = "") -> tuple[int, Any]:
        """Status and document of a request; method: GET, or POST when there is a body."""
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.server.url}{path}", content, {"Content-Type": "application/json"}, method=method or None
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, _document(answer.read())
        except urllib.error.HTTPError as answer:
            with answer:
                return answer.code, _document(answer.read())

    def start(self, **plan: object) -> str:
        """Begin a run against the built-in pods; its id."""
        whole = {"target_url": "demo", "users": 10, "spawn_rate": 100, "duration_s": 8, "think_time_s": 0.02, **plan}
        status, run = self.ask("/api/v1/runs", whole)
        assert status == 201, run
        return str(run["run_id"])

    def run(self, run_id: str) -> dict[str, Any]:
        """The run as it is now."""
        status, run = self.ask(f"/api/v1/runs/{run_id}")
        assert status == 200, run
        return dict(run)

    def elapsed_s(self, run_id: str) -> float:
        """Of its newest snapshot, 0 before any."""
        last = self.run(run_id)["last"]
        return float(last["elapsed_s"]) if last else 0.0

    def at(self, run_id: str, seconds: float) -> None:
        """Wait until the run has come so far, or has ended."""
        until(lambda: self.elapsed_s(run_id) >= seconds or self._over(run_id), f"second {seconds:g} of the run", 40)

    def ended(self, run_id: str, within_s: float = END_SPARE_S) -> dict[str, Any]:
        """The run after its end."""
        return dict(until(lambda: self._over(run_id), "the end of the run", within_s))

    def seconds(self, run_id: str) -> list[float]:
        """Of each point of its history."""
        status, history = self.ask(f"/api/v1/runs/{run_id}/history")
        assert status == 200, history
        return [point["elapsed_s"] for point in history["points"]]

    def stored(self, run_id: str, within_s: float = 60.0) -> None:
        """Wait until all of the run is stored."""
        until(lambda: not self.run(run_id)["not_stored"], "storing the run", within_s)

    def events(self, run_id: str) -> list[dict[str, Any]]:
        """What happened in the run, snapshots apart."""
        _, page = self.ask(f"/api/v1/runs/{run_id}/events")
        return [numbered["event"] for numbered in page["events"]]

    def told(self, run_id: str) -> str:
        """The notices of the load generator."""
        return " ".join(event["message"] for event in self.events(run_id) if event["kind"] == "generator")

    def answered_by_pods(self) -> dict[str, int]:
        """What the built-in pods themselves have counted."""
        _, demo = self.ask("/api/v1/demo")
        return {name: count for name, count in demo["answered"].items() if count}

    def readiness(self) -> str:
        """What /readyz says is wrong, "" when nothing is."""
        status, answer = self.ask("/readyz")
        return "" if status == 200 else str(answer.get("detail", answer))

    def workers(self) -> list[int]:
        """Ids of its load generators: each the owner's own child; further worker processes are their children."""
        return [pid for pid in children(self.pid) if "scale_app.worker" in command(pid)]

    def demo(self) -> int:
        """Id of the built-in target's process."""
        return next(pid for pid in children(self.pid) if "scale_app.demo" in command(pid))

    @property
    def pid(self) -> int:
        """Of the process that serves."""
        return self.server.process.pid

    def _over(self, run_id: str) -> dict[str, Any] | None:
        run = self.run(run_id)
        return run if run["state"] in ENDED else None


@contextmanager
def installation(scratch: Path, database_url: str = "", **settings: str) -> Iterator[Installation]:
    """A server of its own with a new database, until the block ends."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SCALE_")}
    if database_url:
        environment["SCALE_DATABASE_URL"] = database_url
    environment["SCALE_ALLOWED_TARGETS"] = "127.0.0.1"
    with served(environment=environment | settings, scratch=scratch) as server:
        yield Installation(server)


@dataclass
class Viewer:
    """Looks at a run twice a second, as a page does. worst_wait_s: the longest time without a new second of the run."""

    scale: Installation
    run_id: str
    worst_wait_s: float = 0.0
    seconds: set[float] = field(default_factory=set)

    def look(self, done: threading.Event) -> None:
        newest_s, since_s = -1.0, time.monotonic()
        while not done.wait(0.25):
            with suppress(OSError, AssertionError, ValueError):
                run = self.scale.run(self.run_id)
                last = run["last"]
                if run["state"] in ENDED:
                    return
                if last and last["elapsed_s"] > newest_s:
                    newest_s, since_s = last["elapsed_s"], time.monotonic()
                    self.seconds.add(newest_s)
            if newest_s >= 0:
                self.worst_wait_s = max(self.worst_wait_s, time.monotonic() - since_s)


@contextmanager
def viewer(scale: Installation, run_id: str) -> Iterator[Viewer]:
    """Somebody who watches the run inside the block."""
    looks, done = Viewer(scale, run_id), threading.Event()
    thread = threading.Thread(target=looks.look, args=(done,))
    thread.start()
    try:
        yield looks
    finally:
        done.set()
        thread.join()


@contextmanager
def stopped(*pids: int) -> Iterator[None]:
    """Processes of ours that do nothing inside the block."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def children(pid: int) -> list[int]:
    """Ids of a process's children, of all its threads."""
    found = [path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    return [int(child) for each in found for child in each]


def command(pid: int) -> str:
    """A process's command line, "" when it is gone."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""


def alive(pid: int) -> bool:
    """True while the process runs."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def _document(body: bytes) -> Any:
    with suppress(ValueError):
        return json.loads(body)
    return {}
