"""One run as a numbered feed: as it is now, then what happens; after a cut a client goes on where it stopped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

from starlette.exceptions import HTTPException
from starlette.websockets import WebSocket, WebSocketDisconnect

from scale_app.api.operation import CheckedRequest, Operation
from scale_app.api.socket import ENDED, TRY_LATER, Socket, Texts, close, closed_with_reason, listen, send, until_first
from scale_app.api.v1.operations import RUN
from scale_app.codec import prepare, query_from_wire, to_json
from scale_app.domain.events import Event, Numbered
from scale_app.domain.record import RunRecord
from scale_app.service.broadcast import Followed
from scale_app.service.hub import Hub

HEARTBEAT_S = 5.0
CUT_OFF = "This client fell too far behind; connect again with ?after= the last number that it has."


DOES = (
    "A WebSocket. The first message is the run as it is. Every event follows in order; of snapshots only the newest is "
    "sent. A heartbeat comes after five quiet seconds. The last message is the run as it is stored, and the connection "
    "closes with 1000. After a cut, connect again with `?after=` the last number: no event is missed. Other closing "
    "codes: 4404 no such run, 4422 a number that the run has not reached, 1013 try again later. Messages: RunNow, "
    "Happened, Heartbeat, RunEnded."
)


@dataclass(frozen=True, slots=True)
class RunNow:
    """The first message: the run with its newest snapshot. seq: the number after which the feed continues.

    The run may be a moment ahead of the number, so an event may repeat what the run already shows.
    """

    seq: int
    run: RunRecord
    kind: Literal["run"] = "run"


@dataclass(frozen=True, slots=True)
class Happened:
    """An event, snapshots included. seq: rising; missing numbers are snapshots that newer ones replaced."""

    seq: int
    event: Event
    kind: Literal["event"] = "event"


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Sent after five seconds without news: the connection is alive. seq: of the last message with news."""

    seq: int
    kind: Literal["heartbeat"] = "heartbeat"


@dataclass(frozen=True, slots=True)
class RunEnded:
    """The last message: the run as it is stored; then the connection is closed with 1000."""

    seq: int
    run: RunRecord
    kind: Literal["end"] = "end"


Message = RunNow | Happened | Heartbeat | RunEnded


@dataclass(frozen=True, slots=True)
class StreamQuery:
    """after: the number of the last message that the client has, to go on from there; left out, it begins with now."""

    after: int | None = None


def stream_operation() -> Operation:
    """What the feed's address says to a plain request, and to readers of the reference."""
    return Operation(
        "GET", f"{RUN}/stream", "followRun", "Runs", "Follow a run", _not_so, status=101, query=StreamQuery,
        refuses=(426,), does=DOES,
    )  # fmt: skip


async def _not_so(_asked: CheckedRequest) -> object:
    raise HTTPException(426, "This address is for WebSockets; open it with ws:// or wss://.", {"Upgrade": "websocket"})


def run_stream(hub: Hub, heartbeat_s: float = HEARTBEAT_S) -> Socket:
    """The endpoint of /api/v1/runs/{run_id}/stream."""

    texts = Texts()

    async def stream(socket: WebSocket) -> None:
        await socket.accept()
        feed = _Feed(socket, texts, heartbeat_s)
        await asyncio.to_thread(prepare, *get_args(Message))
        async with closed_with_reason(socket):
            query = query_from_wire(StreamQuery, dict(socket.query_params))
            async with hub.follow(socket.path_params["run_id"], query.after) as followed:
                kept_up = await until_first(feed.send(followed), listen(socket))
            await feed.end(await hub.run(socket.path_params["run_id"]), kept_up)

    return stream


class _Feed:
    """What one client is told."""

    def __init__(self, socket: WebSocket, texts: Texts, heartbeat_s: float) -> None:
        self._socket = socket
        self._texts = texts
        self._heartbeat_s = heartbeat_s
        self._seq = -1

    async def send(self, followed: Followed) -> None:
        self._seq = followed.seq
        await self._send(RunNow(self._seq, followed.record))
        async for numbered in with_pauses(followed.updates, self._heartbeat_s):
            if numbered is None:
                await self._send(Heartbeat(self._seq))
            else:
                self._seq = numbered.seq
                write = partial(_text, Happened(numbered.seq, numbered.event))
                await send(self._socket, self._texts.text(numbered.event, write))

    async def end(self, record: RunRecord, kept_up: bool) -> None:
        """Say how it ended and close; a run that goes on has left this client behind, as has one it took nothing of."""
        if record.state.active or not kept_up:
            return await close(self._socket, TRY_LATER, CUT_OFF)
        # The client may be gone already; then there is nobody left to tell.
        with suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
            await self._send(RunEnded(self._seq, record))
        return await close(self._socket, ENDED, "The run has ended.")

    async def _send(self, message: Message) -> None:
        await send(self._socket, _text(message))


def _text(message: Message) -> str:
    return to_json(message).decode()


async def with_pauses(updates: AsyncIterator[Numbered], pause_s: float) -> AsyncIterator[Numbered | None]:
    """The updates, and None whenever none came for so long."""
    coming = asyncio.ensure_future(anext(updates, None))
    try:
        while True:
            done, _ = await asyncio.wait({coming}, timeout=pause_s)
            if not done:
                yield None
                continue
            numbered = coming.result()
            if numbered is None:
                return
            coming = asyncio.ensure_future(anext(updates, None))
            yield numbered
    finally:
        coming.cancel()
        with suppress(asyncio.CancelledError):
            await coming
