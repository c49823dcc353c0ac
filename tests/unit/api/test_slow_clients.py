"""Clients of the feeds that take nothing: they are told the truth, as far as they take that, and are let go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.websockets import WebSocket

from scale_app.api import socket as feeds
from scale_app.api.legacy_routes import BEHIND, metrics_socket
from scale_app.api.socket import MAX_REASON_BYTES
from scale_app.api.v1 import stream
from scale_app.api.v1.stream import run_stream
from scale_app.domain.events import SnapshotTaken
from scale_app.domain.plan import LoadPlan
from scale_app.domain.record import RunRecord
from scale_app.domain.snapshot import RunState, Source
from tests.fakes import a_snapshot
from tests.fakes_hub import FakeHub
from tests.unit.service.harness import Harness


class Stalled:
    """A client as the server sees it: it takes the handshake, no message, and the close frame if `takes_close`."""

    def __init__(self, query: str = "", takes_close: bool = True, **path: str) -> None:
        self.closed: tuple[int, str] | None = None
        self._takes_close = takes_close
        scope = {"type": "websocket", "query_string": query.encode(), "path_params": path, "headers": []}
        self.socket = WebSocket(scope, self._receive, self._send)
        self._connected = False

    async def _receive(self) -> dict[str, Any]:
        if self._connected:
            await asyncio.Event().wait()
        self._connected = True
        return {"type": "websocket.connect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "websocket.send" or (message["type"] == "websocket.close" and not self._takes_close):
            await asyncio.Event().wait()
        if message["type"] == "websocket.close":
            self.closed = (message["code"], message["reason"])


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "SEND_LIMIT_S", 0.01)
    monkeypatch.setattr(feeds, "CLOSE_LIMIT_S", 0.01)


@pytest.fixture
def hub() -> FakeHub:
    hub = FakeHub()
    hub.add(RunRecord("run-1", LoadPlan(), Source.DEMO, RunState.RUNNING, 1.0, last=a_snapshot()))
    return hub


@pytest.fixture
async def harness() -> AsyncIterator[Harness]:
    built = Harness()
    yield built
    await built.close()


@pytest.mark.parametrize("query", ["", "test_id=run-1"])
async def test_a_client_of_the_metrics_that_takes_nothing_is_told_so(hub: FakeHub, query: str) -> None:
    client = Stalled(query)
    await asyncio.wait_for(metrics_socket(hub)(client.socket), 5)
    assert client.closed == (1013, BEHIND)
    assert len(BEHIND.encode()) <= MAX_REASON_BYTES
    assert hub.subscribers == 0


async def test_a_feed_of_all_tests_that_ends_was_left_behind(hub: FakeHub) -> None:
    client = Stalled()
    serving = asyncio.create_task(metrics_socket(hub)(client.socket))
    while not hub.subscribers:
        await asyncio.sleep(0)
    hub.publish("run-1", SnapshotTaken(1.0, a_snapshot(seq=1)))
    await asyncio.wait_for(serving, 5)
    assert client.closed == (1013, BEHIND)


@pytest.mark.parametrize("ended", [False, True])
async def test_a_client_of_a_run_that_takes_nothing_is_told_so(harness: Harness, ended: bool) -> None:
    run_id = await harness.started()
    client = Stalled(run_id=run_id)
    serving = asyncio.create_task(run_stream(harness.hub)(client.socket))
    if ended:
        harness.load.end(60)
    await asyncio.wait_for(serving, 5)
    assert client.closed == (1013, stream.CUT_OFF)


async def test_a_client_that_does_not_even_take_the_close_is_not_waited_for(hub: FakeHub, harness: Harness) -> None:
    client = Stalled(takes_close=False)
    await asyncio.wait_for(metrics_socket(hub)(client.socket), 5)
    follower = Stalled(takes_close=False, run_id=await harness.started())
    await asyncio.wait_for(run_stream(harness.hub)(follower.socket), 5)
    assert client.closed is follower.closed is None
