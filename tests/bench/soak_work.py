"""Everything that a busy team does to one server at once: runs in lanes, viewers, readers, tabs. All of it bounded."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.bench.ui_browser import CHROMIUM, chromium, visit
from tests.faults.installation import Installation

LANES = 2
VIEWERS = 3
END_LIMIT_S = 120.0
JOIN_LIMIT_S = 150.0
MOST_TROUBLE = 50
PLANS: tuple[dict[str, Any], ...] = (
    {"users": 20, "duration_s": 10},
    {"users": 20, "duration_s": 10, "requests_per_connection": None},
    {"users": 10, "duration_s": 8, "requests_per_connection": 1, "processes": 2},
    {"target_url": "simulated?pods=200", "users": 50, "duration_s": 12},
    {"users": 30, "duration_s": 60, "arrivals_per_s": 100},
)
LONGEST_S = 15
"""A run of more seconds is edited, and stopped by hand."""
READS = (
    "/api/v1/runs?limit=50",
    "/api/v1/runs/{run}",
    "/api/v1/runs/{run}/history",
    "/api/v1/runs/{run}/pod-history",
    "/api/v1/runs/{run}/events",
    "/api/v1/runs/{run}/export?format=html",
    "/api/v1/runs/{run}/export?format=json",
    "/api/v1/runs/{run}/gate",
    "/metrics",
    "/readyz",
    "/api/load-test",
    "/runs",
)


@dataclass
class Work:
    """done: {what: how often}. trouble: sentences on what went wrong, the first ones."""

    scale: Installation
    over: threading.Event = field(default_factory=threading.Event)
    done: Counter[str] = field(default_factory=Counter)
    trouble: list[str] = field(default_factory=list)
    run_ids: list[str] = field(default_factory=list)
    chance: random.Random = field(default_factory=lambda: random.Random(20))

    def lane(self) -> None:
        """One run after the other."""
        for plan in cycle(PLANS):
            if self.over.is_set():
                return
            run_id = self.scale.start(**plan)
            self.run_ids.append(run_id)
            wanted = self._stopped(run_id) if plan["duration_s"] > LONGEST_S else "finished"
            run = self.scale.ended(run_id, END_LIMIT_S)
            self.done["runs"] += 1
            if run["state"] != wanted:
                self.wrong(f"run {run_id} is {run['state']}, not {wanted}: {run['message']}")

    def _stopped(self, run_id: str) -> str:
        self.scale.at(run_id, 3)
        self.scale.ask(f"/api/v1/runs/{run_id}", {"arrivals_per_s": 200}, "PATCH")
        self.over.wait(5)
        self.scale.ask(f"/api/v1/runs/{run_id}/stop", {}, "POST")
        return "stopped"

    def view(self) -> None:
        """Follow a run for a while, then leave, often without a word."""
        while not self.over.wait(0.5):
            run_id = self.newest()
            if not run_id:
                continue
            path = self.chance.choice((f"/api/v1/runs/{run_id}/stream", "/ws/metrics", f"/ws/metrics?test_id={run_id}"))
            try:
                self._follow(path, self.chance.uniform(1, 15))
            except (ConnectionClosed, InvalidStatus):
                continue  # the run has ended meanwhile

    def _follow(self, path: str, seconds: float) -> None:
        with connect(f"ws://127.0.0.1:{self.scale.server.port}{path}") as socket:
            self.done["viewers"] += 1
            ends = threading.Event()
            leave = threading.Timer(seconds, ends.set)
            leave.start()
            while not (ends.is_set() or self.over.is_set()):
                try:
                    json.loads(socket.recv(timeout=1))
                except TimeoutError:
                    continue
            leave.cancel()

    def read(self) -> None:
        """What dashboards, scripts and people ask for."""
        while not self.over.wait(0.5):
            path = self.chance.choice(READS)
            run_id = self.chance.choice(self.run_ids[-20:]) if self.run_ids else ""
            if "{run}" in path and not run_id:
                continue
            status, _ = self.scale.ask(path.format(run=run_id))
            self.done["requests"] += 1
            if status != 200:
                self.wrong(f"GET {path} answered {status}")

    def look(self) -> None:
        """Tabs of the page, each closed after a while."""
        with chromium() as browser:
            while not self.over.is_set():
                path = self.chance.choice(("/", "/runs", f"/runs/{self.newest()}"))
                with visit(browser, self.scale.server.url + path):
                    self.done["tabs"] += 1
                    self.over.wait(self.chance.uniform(5, 15))

    def newest(self) -> str:
        """Id of the run that began last, "" before any."""
        return self.run_ids[-1] if self.run_ids else ""

    def wrong(self, sentence: str) -> None:
        if len(self.trouble) < MOST_TROUBLE:
            self.trouble.append(sentence)


@contextmanager
def working(scale: Installation, browser: bool) -> Iterator[Work]:
    """The work goes on inside the block; all of it has ended after it."""
    work = Work(scale)
    jobs = [work.lane] * LANES + [work.view] * VIEWERS + [work.read]
    if browser and CHROMIUM:
        jobs.append(work.look)
    threads = [threading.Thread(target=_kept_up, args=(work, job)) for job in jobs]
    for thread in threads:
        thread.start()
    try:
        yield work
    finally:
        work.over.set()
        for thread in threads:
            thread.join(JOIN_LIMIT_S)


def _kept_up(work: Work, job: Callable[[], None]) -> None:
    """Until the work is over; what a job stumbles over is told, and it begins anew."""
    while not work.over.is_set():
        try:
            job()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
            work.wrong(f"{job.__name__}: {type(error).__name__}: {str(error)[:300]}")
            work.over.wait(1)
