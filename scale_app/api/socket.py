"""The live feed for programs: each new snapshot and alert as one message, encoded once however many listen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

import anyio
from starlette.websockets import WebSocket, WebSocketDisconnect

from scale_app.api.legacy_shapes import live_wire
from scale_app.domain.errors import RunNotFound, ScaleError
from scale_app.domain.events import Event, SnapshotTaken
from scale_app.domain.snapshot import Source
from scale_app.service.hub import Hub

SEND_LIMIT_S = 10.0
"""A client that takes nothing for so long is let go; the hub has dropped snapshots for it meanwhile."""
CLOSE_LIMIT_S = 2.0
"""Such a client does not take the close frame either; the server cuts its connection, see cli/serve.py."""
BEHIND = "This client took nothing for too long, or fell too far behind. The test may go on: connect again."
UNKNOWN_TEST, TRY_LATER, ENDED = 4404, 1013, 1000
MAX_REASON_BYTES = 123  # what fits into a WebSocket's close frame

Socket = Callable[[WebSocket], Awaitable[None]]


def metrics_socket(hub: Hub) -> Socket:
    """The endpoint of /ws/metrics. ?test_id= follows one test and closes when that ends; without it, all tests."""
    encoder = Encoder(hub)

    async def metrics(socket: WebSocket) -> None:
        await socket.accept()
        test_id = socket.query_params.get("test_id")
        try:
            async with hub.subscribe(test_id) as events:
                kept_up = await until_first(_send_all(socket, encoder, events), listen(socket))
            # A feed of all tests has no end of its own, nor has that of one that goes on: the client was left behind.
            if kept_up and test_id is not None and not (await hub.run(test_id)).state.active:
                await close(socket, ENDED, "The test has ended.")
            else:
                await close(socket, TRY_LATER, BEHIND)
        except RunNotFound as error:
            await close(socket, UNKNOWN_TEST, str(error))
        except ScaleError as error:
            await close(socket, TRY_LATER, str(error))

    return metrics


class Encoder:
    """Messages as text. Listeners get the same event object within a moment, so one text per run is kept."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._newest: dict[str, tuple[Event, str]] = {}

    def text(self, run_id: str, event: Event, source: Source | None) -> str | None:
        """The message for an event, None when it has none. source: of the run, when the listener knows it."""
        kept = self._newest.get(run_id)
        if kept and kept[0] is event:
            return kept[1]
        message = live_wire(run_id, event, source or self._source(run_id))
        if message is None:
            return None
        text = json.dumps(message, allow_nan=False, separators=(",", ":"))
        self._forget_ended()
        self._newest[run_id] = (event, text)
        return text

    def _source(self, run_id: str) -> Source | None:
        return next((run.source for run in self._hub.active() if run.run_id == run_id), None)

    def _forget_ended(self) -> None:
        active = {run.run_id for run in self._hub.active()}
        for run_id in self._newest.keys() - active:
            del self._newest[run_id]


async def _send_all(socket: WebSocket, encoder: Encoder, events: AsyncIterator[tuple[str, Event]]) -> None:
    sources: dict[str, Source] = {}
    async for run_id, event in events:
        if isinstance(event, SnapshotTaken):
            sources[run_id] = event.snapshot.source
        text = encoder.text(run_id, event, sources.get(run_id))
        if text is not None:
            async with asyncio.timeout(SEND_LIMIT_S):
                await socket.send_text(text)


async def listen(socket: WebSocket) -> None:
    """Wait for the client to go; what it says is not asked for and not read into."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass


async def until_first(*parts: Coroutine[Any, Any, None]) -> bool:
    """Run all until one ends; end the others. False when that was a client that stopped taking.

    One that went away is no error.
    """
    kept_up = True
    async with anyio.create_task_group() as group:

        async def run(part: Coroutine[Any, Any, None]) -> None:
            nonlocal kept_up
            try:
                with suppress(WebSocketDisconnect):
                    await part
            except TimeoutError:
                kept_up = False
            group.cancel_scope.cancel()

        for part in parts:
            group.start_soon(run, part)
    return kept_up


async def close(socket: WebSocket, code: int, reason: str) -> None:
    """Close, with as much of the reason as a close frame holds."""
    # The client may be gone already, or take nothing; then there is nobody left to tell.
    with suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
        async with asyncio.timeout(CLOSE_LIMIT_S):
            await socket.close(code, reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore"))
