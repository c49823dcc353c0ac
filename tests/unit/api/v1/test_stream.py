"""A run's numbered feed: what comes first, what comes then, the pulse, the cut, the end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from scale_app.api.socket import TEXTS_KEPT, Texts
from scale_app.api.v1.stream import Happened, run_stream, with_pauses
from scale_app.codec import to_json, to_wire
from scale_app.domain.errors import StoreUnavailable
from scale_app.domain.events import Numbered, StateChanged
from scale_app.domain.snapshot import RunState
from tests.unit.api.conftest import RUNS, Site
from tests.unit.api.v1.test_runs import assert_problem
from tests.unit.service.harness import Harness


def messages(socket: Any) -> list[dict[str, Any]]:
    """Every message until the server closes."""
    found: list[dict[str, Any]] = []
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            found.append(socket.receive_json())
    return found


def test_the_run_comes_first_then_each_event_then_the_end(site: Site) -> None:
    run_id = site.started()
    with site.client.websocket_connect(f"{RUNS}/{run_id}/stream") as socket:
        first = socket.receive_json()
        site.traffic(1, a=60, b=40)
        site.end()
        rest = messages(socket)
    assert (first["kind"], first["run"]["run_id"], first["run"]["state"]) == ("run", run_id, "running")
    assert [each["kind"] for each in rest] == ["event"] * (len(rest) - 1) + ["end"]
    assert [each["seq"] for each in rest[:-1]] == sorted({each["seq"] for each in rest[:-1]})
    assert rest[-1]["run"] == site.client.get(f"{RUNS}/{run_id}").json()
    shots = [each["event"]["snapshot"] for each in rest[:-1] if each["event"]["kind"] == "snapshot"]
    assert shots[-1] == rest[-1]["run"]["last"]
    assert all(each["event"]["snapshot"]["seq"] == each["seq"] for each in rest[:-1] if "snapshot" in each["event"])


def test_after_a_cut_a_client_goes_on_where_it_stopped(site: Site) -> None:
    run_id = site.started()
    with site.client.websocket_connect(f"{RUNS}/{run_id}/stream") as socket:
        seq = socket.receive_json()["seq"]
    site.traffic(1, a=60, b=40)
    site.traffic(2, a=90, b=70)
    site.call(site.harness.hub.stop, run_id)
    with site.client.websocket_connect(f"{RUNS}/{run_id}/stream?after={seq}") as socket:
        site.end()
        found = messages(socket)
    assert (found[0]["kind"], found[0]["seq"]) == ("run", seq)
    stored = site.call(site.harness.store.events, run_id)
    happened = {each["seq"]: each["event"] for each in found[1:-1]}
    missed = {n: to_wire(e) for n, e in enumerate(stored) if n > seq and e.kind != "snapshot"}
    assert missed.items() <= happened.items()
    assert list(happened) == sorted(happened)


def test_an_ended_run_is_told_and_closed(site: Site) -> None:
    run_id = site.finished(50, 50)
    with site.client.websocket_connect(f"{RUNS}/{run_id}/stream") as socket:
        found = messages(socket)
    assert [each["kind"] for each in found] == ["run", "end"]
    assert found[0]["run"] == found[1]["run"]
    with site.client.websocket_connect(f"{RUNS}/{run_id}/stream?after=-1") as socket:
        again = messages(socket)
    assert [each["kind"] for each in again] == ["run", *["event"] * (len(again) - 2), "end"]
    assert again[-1]["seq"] == found[-1]["seq"]


@pytest.mark.parametrize(
    ("run", "query", "code", "says"),
    [
        ("no-such", "", 4404, "No run has the id"),
        ("", "?after=999", 4422, "the newest of this run"),
        ("", "?after=-2", 4422, "the newest of this run"),
        ("", "?after=x", 4422, "a whole number is needed"),
        ("", "?before=1", 4422, "no such field"),
    ],
)
def test_what_cannot_be_followed_is_closed_with_a_code_and_a_sentence(
    site: Site, run: str, query: str, code: int, says: str
) -> None:
    path = f"{RUNS}/{run or site.started()}/stream{query}"
    with site.client.websocket_connect(path) as socket, pytest.raises(WebSocketDisconnect) as closed:
        socket.receive_json()
    assert (closed.value.code, says in closed.value.reason) == (code, True)


def test_a_database_that_is_gone_closes_with_try_later(site: Site) -> None:
    site.harness.store.broken = StoreUnavailable("The database is gone.")
    with site.client.websocket_connect(f"{RUNS}/x/stream") as socket, pytest.raises(WebSocketDisconnect) as closed:
        socket.receive_json()
    assert (closed.value.code, closed.value.reason) == (1013, "The database is gone.")


def test_a_plain_request_is_told_to_open_a_websocket(site: Site) -> None:
    response = site.client.get(f"{RUNS}/x/stream")
    assert_problem(response, 426)
    assert response.headers["Upgrade"] == "websocket"


def test_a_quiet_feed_has_a_pulse() -> None:
    harness = Harness()
    feed = WebSocketRoute("/{run_id}", run_stream(harness.hub, heartbeat_s=0.01))
    with TestClient(Starlette(routes=[feed])) as client:
        assert client.portal is not None
        run_id = client.portal.call(harness.started)
        with client.websocket_connect(f"/{run_id}") as socket:
            found = [socket.receive_json() for _ in range(3)]
        client.portal.call(harness.hub.close)
    assert [each["kind"] for each in found] == ["run", "heartbeat", "heartbeat"]
    assert {each["seq"] for each in found} == {found[0]["seq"]}


def test_an_event_is_written_once_for_all_clients() -> None:
    texts, event = Texts(), StateChanged(1.0, RunState.RUNNING)

    def write() -> str:
        return to_json(Happened(3, event)).decode()

    first = texts.text(event, write)
    assert texts.text(event, write) is first
    for _ in range(TEXTS_KEPT):
        texts.text(StateChanged(2.0, RunState.RUNNING), write)
    assert texts.text(event, write) == first


async def test_a_pause_is_told_and_loses_nothing() -> None:
    told = asyncio.Event()

    async def slow() -> AsyncIterator[Numbered]:
        for seq in range(2):
            told.clear()
            await told.wait()
            yield Numbered(seq, StateChanged(0.0, RunState.RUNNING))

    seen: list[int | None] = []
    async for numbered in with_pauses(slow(), pause_s=0.001):
        seen.append(numbered and numbered.seq)
        if numbered is None:
            told.set()
    assert [seq for seq in seen if seq is not None] == [0, 1]
    assert seen[0] is None
    assert None in seen[seen.index(0) :]
