"""Three real servers behind a proxy without stickiness, on one PostgreSQL and one Redis (`make replicas`).

    make replicas                                        # prints, writes build/replicas.json
    make replicas ARGS="--viewers 40 --kills 5"

First a rolling update under load: runs that are edited all the time, viewers that check every number, and each server
replaced by a new one, which lets its runs end before. Then kills at random moments: how soon another server says that
the runs of the killed one were interrupted, and that it says so once. Ends with 1 when anything is not as promised.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.bench.machine import circumstances
from tests.bench.replicas_front import Front, front
from tests.bench.replicas_viewers import Viewer
from tests.postgres import postgres_here
from tests.redis_server import redis_here
from tests.serving import Served, fetch, served

RESULT = Path("build/replicas.json")
SERVERS, RUNS = 3, 8
SERVE = (sys.executable, "-m", "scale_app.cli", "serve")
DRAIN_S = 45
SHORT_S, LONG_S = 30.0, 300.0
EDIT_EVERY_S = 1.0
UPDATE_AFTER_S = 5.0
PATIENCE_S = 60.0
INTERRUPTED_WITHIN_S = 5.0
JSON = {"Content-Type": "application/json"}


class Replicas:
    """The servers of one installation, of which any may be ended and replaced, and what leads to them."""

    def __init__(self, stack: ExitStack, folder: Path, settings: Mapping[str, str]) -> None:
        self._stack, self._folder, self._settings, self._made = stack, folder, settings, 0
        self.servers = [self._server() for _ in range(SERVERS)]
        (folder / "front").mkdir()
        self.front: Front = stack.enter_context(front(folder / "front", self._ports()))

    def replace(self, number: int, killed: bool = False) -> Served:
        """Put a new server in the place of one; that one. Told to end when the new one answers, or killed before."""
        old = self.servers[number]
        if killed:
            old.process.kill()
            old.process.wait()
        self.servers[number] = self._server()
        self.front.lead_to(self._ports())
        if not killed:
            old.process.terminate()
        return old

    def ask(self, path: str, body: Mapping[str, object] | None = None) -> Any:
        """The answer of whichever server gets it. Raises AssertionError for an error."""
        given = None if body is None else json.dumps(body).encode()
        status, answer = fetch(f"{self.front.url}{path}", JSON, given)
        running = [each.process.poll() is None for each in self.servers]
        assert status < 300, (path, status, answer, running)
        return json.loads(answer)

    def start(self, duration_s: float) -> str:
        """A run somewhere; its id."""
        plan = {"target_url": "simulated?pods=5", "users": 10, "spawn_rate": 10, "duration": duration_s}
        return str(self.ask("/api/load-test/start", plan)["test_id"])

    def events(self, run_id: str) -> list[dict[str, Any]]:
        """All but its snapshots, as they are stored."""
        return list(self.ask(f"/api/v1/runs/{run_id}/events?limit=1000")["events"])

    def states(self, run_id: str) -> list[str]:
        """Of the run, one after the other."""
        return [each["event"]["state"] for each in self.events(run_id) if each["event"]["kind"] == "state"]

    def owner(self, run_id: str) -> int | None:
        """The place of the server that runs it."""
        own = f'run_id="{run_id}"'
        found = [number for number, each in enumerate(self.servers) if own in each.get("/metrics")[1].decode()]
        return found[0] if found else None

    def _server(self) -> Served:
        self._made += 1
        scratch = self._folder / f"server-{self._made}"
        scratch.mkdir()
        environment = {**os.environ, **self._settings}
        return self._stack.enter_context(served(SERVE, environment=environment, scratch=scratch))

    def _ports(self) -> list[int]:
        return [each.port for each in self.servers]


def updated(replicas: Replicas, viewers: int) -> dict[str, Any]:
    """A rolling update under runs, edits and viewers: what each saw, which runs did not end by themselves."""
    durations_s = [SHORT_S if number % 4 else LONG_S for number in range(RUNS)]
    runs = {replicas.start(duration_s): duration_s for duration_s in durations_s}
    watching = [Viewer(replicas.front.url, run_id) for run_id in runs for _ in range(viewers // RUNS)]
    with ThreadPoolExecutor(2) as beside:
        following = beside.submit(asyncio.run, _all_follow(watching))
        editing = beside.submit(_edit, replicas.front.url, list(runs))
        time.sleep(UPDATE_AFTER_S)
        began_s = time.monotonic()
        # In this thread: a server ends with the thread that started it.
        exits = [old.process.wait(DRAIN_S + PATIENCE_S) for old in [replicas.replace(at) for at in range(SERVERS)]]
        took_s = time.monotonic() - began_s
        following.result(PATIENCE_S)
        edits = editing.result(PATIENCE_S)
    stored = {run_id: replicas.events(run_id) for run_id in runs}
    missed = {f"{number} of {each.run_id}": each.missed(stored[each.run_id]) for number, each in enumerate(watching)}
    ends = {run_id: "finished" if duration_s == SHORT_S else "interrupted" for run_id, duration_s in runs.items()}
    states = {run_id: replicas.states(run_id) for run_id in runs}
    return {
        "viewers": len(watching),
        "took_s": round(took_s, 1),
        "exit_codes": exits,
        "edits": edits,
        "events_of_viewers": sum(len(each.events) for each in watching),
        "connected_again": sum(each.cuts for each in watching),
        "missed_events": {who: numbers for who, numbers in missed.items() if numbers},
        "out_of_order": [problem for each in watching for problem in each.trouble],
        "wrong_ends": {run_id: seen for run_id, seen in states.items() if seen != ["running", ends[run_id]]},
    }


async def _all_follow(watching: list[Viewer]) -> None:
    await asyncio.gather(*(viewer.follow() for viewer in watching))


def _edit(url: str, runs: list[str]) -> dict[str, int]:
    """Change the runs all the time, through any server, until none is active; how often which status came."""
    answers: Counter[int] = Counter()
    while runs:
        run_id = runs[answers.total() % len(runs)]
        status = _patch(f"{url}/api/v1/runs/{run_id}", {"users": 10 + answers.total() % 90})
        answers[status] += 1
        if status == 409:
            runs.remove(run_id)
        time.sleep(EDIT_EVERY_S / RUNS)
    return {str(status): times for status, times in sorted(answers.items())}


def _patch(url: str, body: Mapping[str, object]) -> int:
    request = urllib.request.Request(url, json.dumps(body).encode(), JSON, method="PATCH")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code
    except OSError:
        return 0


def killed(replicas: Replicas, kills: int, seed: int = 1) -> dict[str, Any]:
    """Kill servers at random moments: until others say that the runs were interrupted, and what else happened."""
    chance, took_s, wrong = random.Random(seed), [], {}
    for _ in range(kills):
        runs = [replicas.start(LONG_S) for _ in range(2)]
        time.sleep(2 + 3 * chance.random())
        (own, place), *_ = [(run_id, replicas.owner(run_id)) for run_id in runs]
        assert place is not None, "nobody runs it"
        began_s = time.monotonic()
        replicas.servers[place].process.kill()
        mine = [run_id for run_id in runs if run_id == own]
        took_s.append(_until_interrupted(replicas, mine, began_s))
        replicas.replace(place, killed=True)
        wrong |= {run_id: seen for run_id in mine if (seen := replicas.states(run_id)) != ["running", "interrupted"]}
        for run_id in set(runs) - set(mine):
            replicas.ask(f"/api/load-test/{run_id}/stop", {}) if replicas.states(run_id) == ["running"] else None
    return {"kills": kills, "interrupted_after_s": sorted(round(each, 2) for each in took_s), "wrong_ends": wrong}


def _until_interrupted(replicas: Replicas, runs: list[str], began_s: float) -> float:
    for run_id in runs:
        while replicas.ask(f"/api/v1/runs/{run_id}")["state"] != "interrupted":
            assert time.monotonic() - began_s < PATIENCE_S, "nobody interrupted it"
            time.sleep(0.05)
    return time.monotonic() - began_s


def main() -> int:
    """1 when something is not as promised."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--viewers", type=int, default=200)
    parser.add_argument("--kills", type=int, default=20)
    asked = parser.parse_args()
    measured = circumstances(os.getloadavg()[0])
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="scale-replicas-")))
        folder.chmod(0o755)
        database = asyncio.run(stack.enter_context(postgres_here()).create_database("replicas"))
        settings = {
            "SCALE_DATABASE_URL": database,
            "SCALE_REDIS_URL": stack.enter_context(redis_here()).url,
            "SCALE_AUTH": "none",
            "SCALE_DRAIN_S": str(DRAIN_S),
            "TMPDIR": str(folder),
        }
        replicas = Replicas(stack, folder, settings)
        found = {**measured, "update": updated(replicas, asked.viewers)}
        print(json.dumps(found["update"], indent=1), flush=True)
        found["kills"] = killed(replicas, asked.kills)
    print(json.dumps(found["kills"], indent=1))
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(found, indent=1) + "\n")
    return int(not _kept(found))


def _kept(found: Mapping[str, Any]) -> bool:
    update, kills = found["update"], found["kills"]
    quiet = not (update["missed_events"] or update["out_of_order"] or update["wrong_ends"] or kills["wrong_ends"])
    return quiet and not any(update["exit_codes"]) and max(kills["interrupted_after_s"]) <= INTERRUPTED_WITHIN_S


if __name__ == "__main__":
    sys.exit(main())
