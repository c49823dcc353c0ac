"""What every WebSocket here needs: sending, listening and closing with a reason, within limits; each event written once
however many listen. And what a client may send, looked at before anybody parses it: length, parts and depth.

Only the page's own socket is listened to. Its messages may be long, since a form's text may hold a request's body of
1 MiB, but have few parts: it is parts that are slow to parse, to walk through and to put into a log.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import anyio
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from scale_app.domain.addresses import plain
from scale_app.domain.errors import PlanError, RunNotFound, ScaleError
from scale_app.domain.events import Event

SEND_LIMIT_S = 10.0
"""A client that takes nothing for so long is let go; the hub has dropped snapshots for it meanwhile."""
CLOSE_LIMIT_S = 2.0
"""Such a client does not take the close frame either; the server cuts its connection, see cli/server.py."""
UNKNOWN_RUN, BAD_NUMBER, TRY_LATER, ENDED = 4404, 4422, 1013, 1000
TEXTS_KEPT = 16
MAX_REASON_BYTES = 123  # what fits into a WebSocket's close frame

PAGE_SOCKET = "/_event"
MOST_PAGE_CHARACTERS = 1_000_000
"""As Reflex's own limit, REFLEX_SOCKET_MAX_HTTP_BUFFER_SIZE; it closes without a word."""
MOST_CHARACTERS = 4_096
"""On a feed, which asks for nothing; and of bytes, which no page sends."""
MOST_BARE_CHARACTERS = 65_536
MOST_PARTS = 10_000
MOST_DEPTH = 100
TOO_BIG = 1009
STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
OF_A_PAGE = re.compile(r"[0-6]")
"""How each message of Engine.IO begins that is text."""
MARK = re.compile(r"[\[\]{}]")

Socket = Callable[[WebSocket], Awaitable[None]]


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
    except ScaleError as error:
        code = {RunNotFound: UNKNOWN_RUN, PlanError: BAD_NUMBER}.get(type(error), TRY_LATER)
        await close(socket, code, str(error))


async def close(socket: WebSocket, code: int, reason: str) -> None:
    """Close, with as much of the reason as a close frame holds."""
    # The client may be gone already, or take nothing; then there is nobody left to tell.
    with suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
        async with asyncio.timeout(CLOSE_LIMIT_S):
            await socket.close(code, reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore"))


class TakenBytes:
    """Of each open WebSocket, how many bytes of whole messages came, by the client's address and port.

    The server keeps the parts of a message until the last one is there. What a connection received beside this is such
    parts: cli/connections.py cuts it where they are many.
    """

    def __init__(self) -> None:
        self._of: dict[tuple[str, int], int] = {}

    def __bool__(self) -> bool:
        return bool(self._of)

    @contextmanager
    def counted(self, client: tuple[str, int] | None) -> Iterator[Callable[[int], None]]:
        """While the WebSocket is open; call the result with the bytes of each message."""
        host, port = client or ("", 0)
        key = _peer(host, int(port))  # granian tells it as text
        self._of[key] = 0

        def add(size_bytes: int) -> None:
            self._of[key] = self._of.get(key, 0) + size_bytes

        try:
            yield add
        finally:
            self._of.pop(key, None)

    def of(self, host: str, port: int) -> int | None:
        """None for what is no open WebSocket."""
        return self._of.get(_peer(host, port))


def _peer(host: str, port: int) -> tuple[str, int]:
    """The same for an IPv4 address however it is written."""
    with suppress(ValueError):
        address = plain(host)
        host = str(getattr(address, "ipv4_mapped", None) or address)
    return host, port


TAKEN = TakenBytes()


class Inbound:
    """The two ends of one WebSocket. It is closed, with the reason, instead of giving on what is too much."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, took: Callable[[int], None]) -> None:
        """took: is called with the bytes of each message."""
        self._page = scope["path"].startswith(PAGE_SOCKET)
        self._took = took
        self._receive = receive
        self._send = send
        self._closed = False

    async def receive(self) -> Message:
        """The next message, or a disconnect if that message is too large."""
        message = {"type": "websocket.disconnect", "code": TOO_BIG} if self._closed else await self._receive()
        if message["type"] != "websocket.receive":
            return message
        content = _content(message)
        self._took(len(content.encode(errors="replace") if isinstance(content, str) else content))
        if why := objection(content, self._page):
            await self.send({"type": "websocket.close", "code": TOO_BIG, "reason": why})
            return {"type": "websocket.disconnect", "code": TOO_BIG}
        return message

    async def send(self, message: Message) -> None:
        """Nothing can be told after a close; what still tries is not wrong."""
        if not self._closed:
            self._closed = message["type"] == "websocket.close"
            await self._send(message)


def objection(content: str | bytes, page: bool) -> str:
    """Why a message is too much, "" when it is not. page: over the page's socket, whose messages are read."""
    most = MOST_PAGE_CHARACTERS if page and isinstance(content, str) else MOST_CHARACTERS
    if len(content) > most:
        return f"A message of {len(content):,} characters is too long: at most {most:,} are accepted here."
    if not page or isinstance(content, bytes):
        return ""
    if not OF_A_PAGE.match(content):
        return "A message that is no event of a page is not accepted."
    # A text within the message may hold what it likes; only a message that is long or has many marks is looked into.
    if len(content) <= MOST_CHARACTERS and _openings(content) <= MOST_DEPTH:
        return ""
    return _page_objection(STRING.sub("", content))


def _page_objection(bare: str) -> str:
    if len(bare) > MOST_BARE_CHARACTERS:
        return f"A message with {len(bare):,} characters outside of its texts is too much."
    if bare.count(",") + _openings(bare) > MOST_PARTS:
        return f"A message of more than {MOST_PARTS:,} parts is too much."
    if "{" not in bare:  # Reflex would parse a text in place of the event, and log what it cannot
        return "A long message without an object is no event of a page."
    return f"A message nested deeper than {MOST_DEPTH} is not accepted." if _depth(bare) > MOST_DEPTH else ""


def _content(message: Message) -> str | bytes:
    text: str | None = message.get("text")
    return text if text is not None else message.get("bytes") or b""


def _openings(text: str) -> int:
    return text.count("[") + text.count("{")


def _depth(bare: str) -> int:
    """How deep lists and objects are nested in JSON without its strings; it has few of them."""
    depth = deepest = 0
    for mark in MARK.findall(bare):
        depth += 1 if mark in "[{" else -1
        deepest = max(deepest, depth)
    return deepest
