"""The live feed for programs: each new snapshot and alert as one message, written once however many listen.

And what every WebSocket here needs: sending, listening and closing with a reason, within limits.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import anyio
from starlette.websockets import WebSocket, WebSocketDisconnect

from scale_app.api.legacy_shapes import live_wire
from scale_app.domain.errors import PlanError, RunNotFound, ScaleError
from scale_app.domain.events import Event, SnapshotTaken
from scale_app.domain.snapshot import Source
from scale_app.service.hub import Hub

SEND_LIMIT_S = 10.0
"""A client that takes nothing for so long is let go; the hub has dropped snapshots for it meanwhile."""
CLOSE_LIMIT_S = 2.0
"""Such a client does not take the close frame either; the server cuts its connection, see cli/server.py."""
BEHIND = "This client took nothing for too long, or fell too far behind. The test may go on: connect again."
UNKNOWN_RUN, BAD_NUMBER, TRY_LATER, ENDED = 4404, 4422, 1013, 1000
TEXTS_KEPT = 16
MAX_REASON_BYTES = 123  # what fits into a WebSocket's close frame

Socket = Callable[[WebSocket], Awaitable[None]]


def metrics_socket(hub: Hub) -> Socket:
    """The endpoint of /ws/metrics. ?test_id= follows one test and closes when that ends; without it, all tests."""
    texts = Texts()

    async def metrics(socket: WebSocket) -> None:
        await socket.accept()
        test_id = socket.query_params.get("test_id")
        async with closed_with_reason(socket):
            async with hub.subscribe(test_id) as events:
                kept_up = await until_first(_send_all(socket, hub, texts, events), listen(socket))
            # A feed of all tests, or of a test that goes on, has no end: the client was too slow.
            if kept_up and test_id is not None and not (await hub.run(test_id)).state.active:
                await close(socket, ENDED, "The test has ended.")
            else:
                await close(socket, TRY_LATER, BEHIND)

    return metrics


async def _send_all(socket: WebSocket, hub: Hub, texts: Texts, events: AsyncIterator[tuple[str, Event]]) -> None:
    sources: dict[str, Source] = {}
    async for run_id, event in events:
        if isinstance(event, SnapshotTaken):
            sources[run_id] = event.snapshot.source
        await send(socket, texts.text(event, partial(live_text, hub, run_id, event, sources.get(run_id))))


def live_text(hub: Hub, run_id: str, event: Event, source: Source | None) -> str | None:
    """The message for an event, None when it has none. source: of the run, when the listener knows it."""
    source = source or next((run.source for run in hub.active() if run.run_id == run_id), None)
    message = live_wire(run_id, event, source)
    return None if message is None else json.dumps(message, allow_nan=False, separators=(",", ":"))


class Texts:
    """Events as text. All listeners get the same event object within a moment, so the newest few texts are kept."""

    def __init__(self) -> None:
        self._kept: deque[tuple[Event, str | None]] = deque(maxlen=TEXTS_KEPT)

    def text(self, event: Event, write: Callable[[], str | None]) -> str | None:
        """The text, written once however many listeners there are."""
        for kept, text in self._kept:
            if kept is event:
                return text
        text = write()
        self._kept.append((event, text))
        return text


async def send(socket: WebSocket, text: str | None) -> None:
    """Send it, if there is a text. Raises TimeoutError when the client takes nothing."""
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


@asynccontextmanager
async def closed_with_reason(socket: WebSocket) -> AsyncIterator[None]:
    """An error inside closes the WebSocket, with its sentence."""
    try:
        yield
    except RunNotFound as error:
        await close(socket, UNKNOWN_RUN, str(error))
    except PlanError as error:
        await close(socket, BAD_NUMBER, str(error))
    except ScaleError as error:
        await close(socket, TRY_LATER, str(error))


async def close(socket: WebSocket, code: int, reason: str) -> None:
    """Close, with as much of the reason as a close frame holds."""
    # The client may be gone already, or take nothing; then there is nobody left to tell.
    with suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
        async with asyncio.timeout(CLOSE_LIMIT_S):
            await socket.close(code, reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore"))
