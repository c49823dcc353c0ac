"""One real run over /api/v1: real server, real worker, real demo, real database; every face says the same figures."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from scale_app.adapters.store import SqlRunStore
from scale_app.adapters.this_machine import SystemClock
from scale_app.codec import from_json, to_wire
from scale_app.domain.record import RunRecord
from scale_app.reports import FORMATS, run_from_json
from tests.serving import PROJECT, Served, served

RUNS = "/api/v1/runs"
PLAN = {"target_url": "demo", "users": 8, "spawn_rate": 100, "duration_s": 4, "requests_per_connection": 1}
LIMIT_S = 60.0
Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Watched:
    """A run to its end. feed: all messages, over a cut. first: those before it. metrics: of /ws/metrics; scraped: of
    /metrics while it ran, with what REST said in the same moment."""

    run_id: str
    feed: list[Message]
    first: list[Message]
    metrics: list[Message]
    scraped: str


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    scratch = tmp_path_factory.mktemp("served")
    command = [sys.executable, "-m", "tests.integration.hub_application"]
    with served(command, environment=os.environ | {"PYTHONPATH": str(PROJECT)}, scratch=scratch) as server:
        yield server


@pytest.fixture(scope="module")
def watched(server: Served) -> Watched:
    run_id = str(ask(server, "POST", RUNS, PLAN)["run_id"])
    with socket(server, f"/ws/metrics?test_id={run_id}") as plain:
        with socket(server, f"{RUNS}/{run_id}/stream") as stream:
            first = [received(stream)]
            while not (len(first) > 2 and first[-1].get("event", {}).get("kind") == "snapshot"):
                first.append(received(stream))
        scraped = server.get("/metrics")[1].decode()
        with socket(server, f"{RUNS}/{run_id}/stream?after={first[-1]['seq']}") as stream:
            feed = first + everything(stream)
        return Watched(run_id, feed, first, everything(plain), scraped)


def ask(server: Served, method: str, path: str, body: object = None, status: int | None = None) -> Any:
    """The answer's JSON, None when it has no body. status: the one that is expected; any below 400 otherwise."""
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"{server.url}{path}", content, {"Content-Type": "application/json"}, method=method
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert status in (None, answer.status)
        text = answer.read()
    return json.loads(text) if text else None


def socket(server: Served, path: str) -> ClientConnection:
    return connect(f"ws://127.0.0.1:{server.port}{path}", max_size=None)


def received(feed: ClientConnection) -> Message:
    message: Message = json.loads(feed.recv(timeout=LIMIT_S))
    return message


def everything(feed: ClientConnection) -> list[Message]:
    """Every message until the server closes, which says that the run has ended."""
    found = until_closed(feed)
    assert feed.close_code == 1000
    return found


def until_closed(feed: ClientConnection) -> list[Message]:
    found = []
    with contextlib.suppress(ConnectionClosed):
        while True:
            found.append(received(feed))
    return found


def stored(server: Served, run_id: str, told: Message) -> Message:
    """The run as the database has it, read until that is what was told: it is told a moment before it is stored."""

    async def read() -> Message:
        store = SqlRunStore(server.database_url, SystemClock())
        try:
            late_s = time.monotonic() + LIMIT_S
            while (found := to_wire(await store.run(run_id))) != told and time.monotonic() < late_s:
                await asyncio.sleep(0.05)
            return dict(found)
        finally:
            await store.close()

    return asyncio.run(read())


def test_rest_feed_store_and_files_say_the_same_of_the_ended_run(server: Served, watched: Watched) -> None:
    record = ask(server, "GET", f"{RUNS}/{watched.run_id}")
    last = record["last"]
    assert (record["state"], record["source"]) == ("finished", "demo")
    assert last["requests"] > 100
    assert last["unattributed"] == 0
    assert watched.feed[-1]["kind"] == "end"
    assert watched.feed[-1]["run"] == record
    assert [each["event"] for each in watched.feed if each["kind"] == "event"][-1]["snapshot"] == last
    assert stored(server, watched.run_id, record) == record
    exported = run_from_json(server.get(f"{RUNS}/{watched.run_id}/export?format=json")[1])
    assert to_wire(exported.record) == record
    whole = ask(server, "GET", f"{RUNS}/{watched.run_id}/balance")
    assert (whole["balance"], whole["verdict"], whole["seq"]) == (last["balance"], last["verdict"], last["seq"])
    recent = ask(server, "GET", f"{RUNS}/{watched.run_id}/balance?window=10s")
    assert recent["balance"] == last["recent_balance"]
    assert ask(server, "GET", f"{RUNS}/{watched.run_id}/pods")["pods"] == last["pods"]
    assert ask(server, "GET", f"{RUNS}/{watched.run_id}/history")["points"][-1]["score"] == last["balance"]["score"]


def test_the_first_routes_and_their_feed_say_the_same_too(server: Served, watched: Watched) -> None:
    last = ask(server, "GET", f"{RUNS}/{watched.run_id}")["last"]
    assert ask(server, "GET", f"/api/load-test/{watched.run_id}")["last"] == last
    data = watched.metrics[-1]["data"]
    assert (data["balance_score"], data["timestamp"]) == (last["balance"]["score"], last["at_epoch_s"])
    assert data["metrics"] == {"pods": last["pods"], "total_requests": last["requests"]}


def test_the_demos_own_counts_are_the_runs(server: Served, watched: Watched) -> None:
    answered = ask(server, "GET", "/api/v1/demo")["answered"]
    pods = ask(server, "GET", f"{RUNS}/{watched.run_id}/pods")["pods"]
    assert {pod["name"]: pod["requests"] for pod in pods} == answered


def test_the_feed_begins_with_the_run_and_a_cut_loses_no_event(server: Served, watched: Watched) -> None:
    again = watched.feed[len(watched.first)]
    assert (watched.feed[0]["kind"], again["kind"]) == ("run", "run")
    assert again["seq"] == watched.first[-1]["seq"]
    happened = [each for each in watched.feed if each["kind"] == "event"]
    numbers = [each["seq"] for each in happened]
    assert numbers == sorted(set(numbers))
    kept = ask(server, "GET", f"{RUNS}/{watched.run_id}/events")["events"]
    told = [{"seq": each["seq"], "event": each["event"]} for each in happened if each["event"]["kind"] != "snapshot"]
    assert told == [each for each in kept if each["seq"] > watched.feed[0]["seq"]]


def test_what_prometheus_reads_is_a_snapshot_of_the_feed(watched: Watched) -> None:
    samples = {
        (sample.name, sample.labels.get("window", "")): sample.value
        for family in text_string_to_metric_families(watched.scraped)
        for sample in family.samples
        if sample.labels.get("run_id") == watched.run_id
    }
    shots = [each["event"]["snapshot"] for each in watched.feed if each.get("event", {}).get("kind") == "snapshot"]
    pairs = {(shot["requests"], shot["balance"]["score"], shot["balance"]["cv"]) for shot in shots}
    scraped = (
        samples["scale_requests_total", ""],
        samples["scale_balance_score", "run"],
        samples["scale_balance_cv", "run"],
    )
    assert scraped in pairs


@pytest.mark.parametrize("name", list(FORMATS))
def test_the_run_is_a_file_of_each_kind(server: Served, watched: Watched, name: str) -> None:
    status, content = server.get(f"{RUNS}/{watched.run_id}/export?format={name}")
    assert (status, len(content) > 100) == (200, True)


def test_the_run_is_listed_gated_and_a_baseline(server: Served, watched: Watched) -> None:
    listed = ask(server, "GET", f"{RUNS}?state=finished&source=demo&target=demo&limit=1")
    assert [run["run_id"] for run in listed["runs"]] == [watched.run_id]
    exported = run_from_json(server.get(f"{RUNS}/{watched.run_id}/export")[1])
    assert ask(server, "GET", f"{RUNS}/{watched.run_id}/gate") == to_wire(exported.gate)
    ask(server, "PUT", f"{RUNS}/{watched.run_id}/baseline", {"name": "main"}, 200)
    assert ask(server, "GET", "/api/v1/baselines/main")["run_id"] == watched.run_id
    ask(server, "DELETE", f"{RUNS}/{watched.run_id}/baseline", status=204)
    record = ask(server, "GET", f"{RUNS}/{watched.run_id}")
    assert (record["baseline"], stored(server, watched.run_id, record)) == ("", record)


def test_a_run_is_edited_stopped_run_again_compared_and_deleted(server: Served) -> None:
    first = str(ask(server, "POST", RUNS, {"target_url": "simulated", "users": 5, "duration_s": 60}, 201)["run_id"])
    with socket(server, f"{RUNS}/{first}/stream") as stream:
        while received(stream).get("event", {}).get("kind") != "snapshot":
            pass
        ask(server, "PATCH", f"{RUNS}/{first}", {"users": 9}, 200)
        ask(server, "POST", f"{RUNS}/{first}/stop", status=202)
        ended = everything(stream)[-1]["run"]
    assert (ended["state"], ended["plan"]["users"]) == ("stopped", 9)
    again = from_json(RunRecord, json.dumps(ask(server, "POST", f"{RUNS}/{first}/rerun", status=201)))
    assert (again.plan.users, again.plan.target_url) == (9, "simulated")
    with socket(server, f"{RUNS}/{again.run_id}/stream") as stream:
        while received(stream).get("event", {}).get("kind") != "snapshot":
            pass
        ask(server, "POST", f"{RUNS}/{again.run_id}/stop", status=202)
        everything(stream)
    compared = ask(server, "GET", f"/api/v1/compare?ids={first},{again.run_id}")
    assert (compared["first_id"], compared["second_id"]) == (first, again.run_id)
    for run_id in (first, again.run_id):
        ask(server, "DELETE", f"{RUNS}/{run_id}", status=204)
    assert ask(server, "GET", f"{RUNS}?source=simulated")["total"] == 0


def test_a_plan_is_saved_and_run(server: Served) -> None:
    ask(server, "PUT", "/api/v1/plans/quick%20look", {"target_url": "simulated", "duration_s": 1}, 200)
    plan = ask(server, "GET", "/api/v1/plans/quick%20look")["plan"]
    run_id = ask(server, "POST", RUNS, plan, 201)["run_id"]
    with socket(server, f"{RUNS}/{run_id}/stream") as stream:
        assert everything(stream)[-1]["run"]["plan"] == plan
    ask(server, "DELETE", "/api/v1/plans/quick%20look", status=204)


def test_the_documents_are_served(server: Served) -> None:
    assert json.loads(server.get("/openapi.json")[1])["openapi"] == "3.1.0"
    assert server.get("/api/docs")[1].startswith(b"<!doctype html>")
    assert ask(server, "GET", "/api/v1/installation")["max_runs"] == 8


def test_a_server_that_ends_closes_the_feed_and_says_what_became_of_the_run(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.integration.hub_application"]
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    with served(command, environment=environment, scratch=tmp_path) as server:
        run_id = ask(server, "POST", RUNS, {"target_url": "simulated"}, 201)["run_id"]
        with socket(server, f"{RUNS}/{run_id}/stream") as stream:
            while (seen := received(stream)).get("event", {}).get("kind") != "snapshot":
                pass
            server.process.kill()
            assert "end" not in [each["kind"] for each in until_closed(stream)]
    with (
        served(command, environment=environment, scratch=tmp_path) as server,
        socket(server, f"{RUNS}/{run_id}/stream?after={seen['seq']}") as stream,
    ):
        rest = everything(stream)
    assert rest[0]["seq"] == seen["seq"]
    assert rest[-1]["run"]["state"] == "interrupted"
    assert [each["event"]["state"] for each in rest if each.get("event", {}).get("kind") == "state"] == ["interrupted"]
