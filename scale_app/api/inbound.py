"""What a client may send over a WebSocket, looked at before anybody parses it: length, parts and depth.

Only the page's own socket is listened to. Its messages may be long, since a form's text may hold a request's body of
1 MiB, but have few parts: it is parts that are slow to parse, to walk through and to put into a log.
"""

from __future__ import annotations

import re

from starlette.types import Message, Receive, Scope, Send

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
MARK = re.compile(r"[\[\]{}]")


class Inbound:
    """The two ends of one WebSocket. It is closed, with the reason, instead of giving on what is too much."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._page = scope["path"].startswith(PAGE_SOCKET)
        self._receive = receive
        self._send = send
        self._closed = False

    async def receive(self) -> Message:
        """The next message, or a disconnect if that message is too large."""
        message = {"type": "websocket.disconnect", "code": TOO_BIG} if self._closed else await self._receive()
        if message["type"] == "websocket.receive" and (why := objection(_content(message), self._page)):
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
