"""Several real servers on one database and one Redis: kills, pauses, and a Redis that is away or forgets."""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from tests.postgres import Postgres, postgres_here
from tests.redis_server import PASSWORD, RedisServer, redis_here, running_redis
from tests.serving import Served, fetch, served

# A server that a busy machine does not let run for seconds loses its runs to the others, as it should.
pytestmark = pytest.mark.alone
DATABASES = itertools.count()
PATIENCE_S = 30.0
SERVER = (sys.executable, "-m", "tests.integration.hub_application")
WITH_PAGE = (sys.executable, "-m", "scale_app.cli", "serve")
INTERRUPTED_WITHIN_S = 5.0
ENDS_WITHIN_S = 12.0
BUSY_S = 10.0
"""On top of what is promised, since the machine of a test may be busy."""


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with postgres_here() as server:
        yield server


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with redis_here() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/scale.db"
    server: Postgres = request.getfixturevalue("postgres")
    return await server.create_database(f"replicas{next(DATABASES)}")


@dataclass
class Installation:
    """Starts servers that share a database. host: of which machine it seems to be, by the folder of its locks.

    page: as `scale serve` has it.
    """

    database: str
    folder: Path
    stack: ExitStack

    def server(self, redis: str = "", host: str = "one", page: bool = False, **settings: str) -> Served:
        scratch, locks = self.folder / str(next(DATABASES)), self.folder / f"host-{host}"
        scratch.mkdir()
        locks.mkdir(exist_ok=True)
        own = {"SCALE_DATABASE_URL": self.database, "TMPDIR": str(locks), "SCALE_AUTH": "none", **settings}
        environment = {**os.environ, **own, **({"SCALE_REDIS_URL": redis} if redis else {})}
        return self.stack.enter_context(served(WITH_PAGE if page else SERVER, environment=environment, scratch=scratch))


@pytest.fixture
def installation(database: str, tmp_path: Path) -> Iterator[Installation]:
    with ExitStack() as stack:
        yield Installation(database, tmp_path, stack)


def asked_to_start(server: Served, duration: float = 300) -> tuple[int, dict[str, Any]]:
    plan = {"target_url": "simulated", "users": 10, "spawn_rate": 10, "duration": duration}
    body = json.dumps(plan).encode()
    status, answer = fetch(f"{server.url}/api/load-test/start", {"Content-Type": "application/json"}, body)
    return status, json.loads(answer)


def start(server: Served, duration: float = 300) -> str:
    status, answer = asked_to_start(server, duration)
    assert status in (200, 201, 202), answer
    return str(answer["test_id"])


def run(server: Served, run_id: str) -> dict[str, Any]:
    status, body = server.get(f"/api/v1/runs/{run_id}")
    found: dict[str, Any] = json.loads(body)
    return found if status == 200 else {"state": "", "last": None, **found}


def listed(server: Served, run_id: str, what: str, name: str) -> list[dict[str, Any]]:
    """Of a part of the run the list of this name; [] of a run that is not stored yet."""
    status, body = server.get(f"/api/v1/runs/{run_id}/{what}")
    return list(json.loads(body)[name]) if status == 200 else []


def seconds(server: Served, run_id: str) -> int:
    return len(listed(server, run_id, "history", "points"))


def ends(server: Served, run_id: str) -> list[str]:
    """The states of the run, one after the other."""
    events = [each["event"] for each in listed(server, run_id, "events", "events")]
    return [event["state"] for event in events if event["kind"] == "state"]


def until(holds: Callable[[], object]) -> float:
    """Seconds until it holds. Raises AssertionError when it does not."""
    began_s = time.monotonic()
    while not holds():
        assert time.monotonic() - began_s < PATIENCE_S, "it took too long"
        time.sleep(0.1)
    return time.monotonic() - began_s


@contextmanager
def paused(server: Served) -> Iterator[None]:
    os.killpg(server.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(server.process.pid, signal.SIGCONT)


def test_the_run_of_a_killed_server_is_interrupted_by_another_one_once_with_all_its_seconds(
    installation: Installation, redis: RedisServer
) -> None:
    one, two, three = (installation.server(redis.url) for _ in range(3))
    lost, kept = start(one), start(two)
    until(lambda: seconds(three, lost) >= 3)
    stored = seconds(three, lost) - 1  # the newest one is shown before it is stored
    one.process.kill()
    took_s = until(lambda: run(three, lost)["state"] == "interrupted")
    assert took_s < INTERRUPTED_WITHIN_S + BUSY_S
    assert seconds(three, lost) >= stored
    time.sleep(1.0)  # the other server has seen the same
    assert ends(two, lost) == ["running", "interrupted"]
    assert run(two, kept)["state"] == "running"


def test_a_server_that_was_paused_beyond_its_lease_changes_nothing_of_its_run(
    installation: Installation, redis: RedisServer
) -> None:
    one, two = installation.server(redis.url), installation.server(redis.url)
    lost = start(one)
    until(lambda: seconds(two, lost) >= 2)
    with paused(one):
        until(lambda: run(two, lost)["state"] == "interrupted")
        time.sleep(1.0)  # it is read from the store now, not as it was followed
        stored = seconds(two, lost), ends(two, lost)
    until(lambda: run(one, lost)["state"] == "interrupted")
    until(lambda: "was taken from this server" in one.printed() or "ended by another server" in one.printed())
    time.sleep(2.0)  # what it would still write would be written now
    assert (seconds(two, lost), ends(two, lost)) == stored
    assert run(one, start(one))["state"] in ("starting", "running")


def test_a_server_that_is_told_to_end_lets_its_runs_end_begins_none_and_interrupts_what_takes_longer(
    installation: Installation, redis: RedisServer
) -> None:
    one, two = installation.server(redis.url, page=True, SCALE_DRAIN_S="8"), installation.server(redis.url)
    short, long = start(one, 5.0), start(one)
    until(lambda: seconds(two, long) >= 1)
    began_s = time.monotonic()
    one.process.send_signal(signal.SIGTERM)
    until(lambda: one.get("/readyz")[0] == 503)
    assert one.get("/healthz")[0] == 200
    status, answer = asked_to_start(one)
    assert (status, "begins no more runs" in answer["error"]) == (503, True)
    assert asked_to_start(two)[0] in (200, 201, 202)
    assert one.process.wait(30) == 0
    assert time.monotonic() - began_s >= 7
    assert (run(two, short)["state"], ends(two, short)) == ("finished", ["running", "finished"])
    until(lambda: run(two, long)["state"] == "interrupted")
    time.sleep(1.0)  # it is read from the store now, not as it was followed
    assert ends(two, long) == ["running", "interrupted"]
    assert seconds(two, long) >= 7


def test_a_server_without_runs_ends_at_once_and_one_that_waits_for_its_runs_does_at_a_second_signal(
    installation: Installation, redis: RedisServer
) -> None:
    one, two = (installation.server(redis.url, page=True, SCALE_DRAIN_S="60") for _ in range(2))
    lost = start(two)
    assert one.stop()[0] == 0
    two.process.send_signal(signal.SIGTERM)
    until(lambda: two.get("/readyz")[0] == 503)
    assert two.stop()[0] == 0
    three = installation.server(redis.url)
    assert (run(three, lost)["state"], ends(three, lost)) == ("interrupted", ["running", "interrupted"])


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_an_outage_of_redis_costs_no_run(installation: Installation, redis: RedisServer) -> None:
    one, two = installation.server(redis.url), installation.server(redis.url)
    first, second = start(one), start(two)
    until(lambda: seconds(one, first) >= 2)
    with redis.down():
        before = seconds(one, first)
        time.sleep(8.0)  # longer than any lease
        assert seconds(one, first) >= before + 3
        status, answer = asked_to_start(one)
        assert status == 503
        assert "Check that Redis runs" in answer["error"]
    redis.say("FLUSHALL")
    time.sleep(6.0)  # longer than it takes to interrupt what nobody holds
    assert [run(two, first)["state"], run(one, second)["state"]] == ["running", "running"]
    assert run(one, start(one, 2.0))["state"] in ("starting", "running")
    assert PASSWORD not in one.printed() + two.printed()


def told(server: Served, run_id: str, after: str = "", most: int = 1_000) -> list[dict[str, Any]]:
    """The messages of a feed until its end, or so many of them, heartbeats apart."""
    messages: list[dict[str, Any]] = []
    where = f"{server.url.replace('http', 'ws')}/api/v1/runs/{run_id}/stream{after}"
    with connect(where, open_timeout=PATIENCE_S) as feed:
        for text in feed:
            message = json.loads(text)
            if message["kind"] != "heartbeat":
                messages.append(message)
            if len(messages) == most:
                break
    return messages


def changed(server: Served, method: str, path: str, body: bytes = b"{}") -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(f"{server.url}{path}", body, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_any_server_shows_and_controls_any_run(installation: Installation, redis: RedisServer) -> None:
    one, two = installation.server(redis.url), installation.server(redis.url)
    run_id = start(one)
    until(lambda: run(two, run_id).get("last") and seconds(two, run_id) >= 2)

    early = told(two, run_id, most=4)
    assert [message["kind"] for message in early] == ["run", "event", "event", "event"]
    reached = early[-1]["seq"]
    assert changed(two, "PATCH", f"/api/v1/runs/{run_id}", b'{"users": 25}')[0] == 200
    until(lambda: run(one, run_id)["plan"]["users"] == 25)
    status, refusal = changed(two, "PATCH", f"/api/v1/runs/{run_id}", b'{"users": 99999999}')
    assert (status, refusal["detail"]) == (
        422,
        changed(one, "PATCH", f"/api/v1/runs/{run_id}", b'{"users": 99999999}')[1]["detail"],
    )

    with ThreadPoolExecutor(4) as pool:
        feeds = [pool.submit(told, server, run_id, f"?after={reached}") for server in (one, two, two)]
        until(lambda: seconds(two, run_id) >= 8)
        assert changed(two, "POST", f"/api/v1/runs/{run_id}/stop")[0] in (200, 202, 204)
        at_one, at_two, again = [feed.result(PATIENCE_S) for feed in feeds]

    for messages in (at_one, at_two, again):
        assert messages[-1]["kind"] == "end"
        assert messages[-1]["run"]["state"] == "stopped"
        seqs = [message["seq"] for message in messages if message["kind"] == "event"]
        assert seqs == list(range(reached + 1, seqs[-1] + 1))
    events = [[m["event"] for m in messages if m["kind"] == "event"] for messages in (at_one, at_two)]
    assert events[0][1:] == events[1][1:]
    assert (ends(one, run_id), ends(two, run_id)) == (["running", "stopping", "stopped"],) * 2


def refused(installation: Installation, redis: str = "", host: str = "two") -> str:
    """What a server says that does not start."""
    with pytest.raises(AssertionError, match="the server is not up") as error:
        installation.server(redis, host)
    return str(error.value)


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_without_redis_a_second_host_is_refused_until_the_first_is_gone(installation: Installation) -> None:
    one = installation.server(host="one")
    run_id = start(one)
    until(lambda: seconds(one, run_id) >= 2)
    assert "Another Scale uses the same database" in refused(installation)
    assert run(one, run_id)["state"] == "running"
    one.process.kill()
    two = installation.server(host="two")
    assert ends(two, run_id) == ["running", "interrupted"]


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_whoever_shares_no_redis_with_the_others_is_refused(installation: Installation, redis: RedisServer) -> None:
    one = installation.server(redis.url)
    run_id = start(one)
    assert "Another Scale on this machine" in refused(installation, host="one")
    assert "Another Scale uses the same database" in refused(installation)
    with running_redis() as other:
        assert "Another Scale uses the same database" in refused(installation, other.url)
    redis.say("FLUSHALL")
    two = installation.server(redis.url, host="two")
    time.sleep(5.0)  # longer than it takes to interrupt what nobody holds
    assert run(two, run_id)["state"] == "running"


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_redis_of_no_use_is_told_at_the_start_without_its_password(installation: Installation) -> None:
    said = refused(installation, f"redis://:{PASSWORD}@127.0.0.1:1/0")
    assert "failed on redis://127.0.0.1:1/0" in said
    assert PASSWORD not in said


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (("--appendonly", "no"), "keeps nothing on disk"),
        (("--appendonly", "yes", "--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru"), "allkeys-lru"),
        (("--appendonly", "yes"), ""),
    ],
)
def test_a_redis_that_may_lose_something_is_told_at_the_start(
    tmp_path: Path, settings: tuple[str, ...], said: str
) -> None:
    with running_redis(*settings) as redis, ExitStack() as stack:
        one = Installation(f"sqlite+aiosqlite:///{tmp_path}/scale.db", tmp_path, stack).server(redis.url)
        start(one)
        assert said in one.printed()
        assert ("redis://127.0.0.1" in one.printed()) is bool(said)
        assert PASSWORD not in one.printed()


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
@pytest.mark.parametrize("shared", [False, True])
def test_a_server_ends_in_time_while_the_database_hangs(
    installation: Installation, postgres: Postgres, redis: RedisServer, shared: bool
) -> None:
    one = installation.server(redis.url if shared else "")
    run_id = start(one)
    until(lambda: seconds(one, run_id) >= 2)
    with postgres.stopped():
        code, took_s = one.stop()
    assert code == 0
    assert took_s < ENDS_WITHIN_S
