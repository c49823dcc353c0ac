"""As much of HTTP/1.1 as a pod needs: requests out of a byte stream, pipelined or in pieces. Pure.

llhttp (through httptools) does the framing; here is what it leaves open: what a pod refuses, and bounds. A piece that
is one whole request is remembered by its bytes, because a load generator sends the same bytes again and again.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

MAX_HEAD_BYTES = 16_384
MAX_LENGTH_DIGITS = 15
FIELD_FRAME_BYTES = len(b": \r\n")
MOST_REMEMBERED = 512

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
REASONS = {200: "OK", 400: "Bad Request", 500: "Internal Server Error"}


class BadRequest(Exception):
    """The bytes are not a request that a pod can answer; the connection cannot be used any further."""


@dataclass(frozen=True, slots=True)
class Request:
    """What decides the answer.

    connection: the answer's Connection header: "" (kept open), "close", or "keep-alive" (kept open, HTTP/1.0).
    """

    head_only: bool
    body_bytes: int
    connection: str
    expects_continue: bool


_KNOWN: dict[bytes, Request] = {}
"""{all bytes of a piece: the one request that it is}."""


class RequestReader:
    """Cuts a stream of bytes into requests. Bodies are skipped as they arrive, never kept."""

    __slots__ = (
        "_body_bytes",
        "_expects",
        "_head_bytes",
        "_owed",
        "_parser",
        "_part",
        "_piece",
        "_ready",
        "_refused",
        "_untold_bytes",
    )

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Drop what has arrived and was not handed out."""
        self._parser = HttpRequestParser(self)
        self._ready: deque[Request] = deque()
        self._piece = b""
        self._part: Literal["", "head", "body"] = ""
        self._head_bytes = self._untold_bytes = self._body_bytes = 0
        self._expects = self._owed = self._refused = False

    @property
    def empty(self) -> bool:
        """True when nothing of a further request has arrived."""
        return not (self._ready or self._part or self._refused)

    def feed(self, data: bytes) -> None:
        """More bytes from the peer."""
        alone = self.empty
        if alone and data in _KNOWN:
            self._ready.append(_KNOWN[data])
            return
        self._parse(data)
        if alone and len(self._ready) == 1 and not self._part and not self._refused and len(data) <= MAX_HEAD_BYTES:
            if len(_KNOWN) >= MOST_REMEMBERED:
                _KNOWN.clear()
            _KNOWN[data] = self._ready[0]

    def next(self) -> Request | None:
        """The next request whose body has arrived in full, or None. Raises BadRequest."""
        if self._refused and not self._ready:
            raise BadRequest
        return self._ready.popleft() if self._ready else None

    def continue_due(self) -> bool:
        """True once for a request whose sender waits for "100 Continue" before it sends the body."""
        due, self._owed = self._owed, False
        return due

    def _parse(self, data: bytes) -> None:
        self._piece, counted = data, self._head_bytes
        try:
            self._parser.feed_data(data)
            if self._part == "head" and self._head_bytes == counted:
                self._untold_bytes += len(data)  # llhttp keeps a field until it is whole, and tells nothing meanwhile
                self._bound_head()
        except HttpParserUpgrade as upgrade:  # nobody upgrades here: what follows is HTTP/1.1 as before
            self._parser = HttpRequestParser(self)
            self._parse(data[upgrade.args[0] :])
        except (HttpParserError, BadRequest):
            self._refused = True

    def _count(self, head_bytes: int) -> None:
        self._head_bytes += head_bytes
        self._untold_bytes = 0
        self._bound_head()

    def _bound_head(self) -> None:
        if self._head_bytes + self._untold_bytes > MAX_HEAD_BYTES:
            raise BadRequest

    # -- what llhttp tells

    def on_message_begin(self) -> None:
        self._part = "head"
        self._head_bytes = self._untold_bytes = self._body_bytes = 0
        self._expects = False

    def on_url(self, part: bytes) -> None:
        if b"  " + part in self._piece:  # llhttp would let any number of spaces pass
            raise BadRequest
        self._count(len(part))

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        self._count(len(name) + len(value) + FIELD_FRAME_BYTES)
        if name == b"content-length" and len(value) <= MAX_LENGTH_DIGITS:
            self._body_bytes = int(value)
        elif name in (b"content-length", b"transfer-encoding"):
            raise BadRequest
        elif name == b"expect":
            self._expects = b"100-continue" in value.lower()

    def on_headers_complete(self) -> None:
        if self._parser.get_http_version() not in ("1.0", "1.1"):
            raise BadRequest
        self._part = "body"
        self._expects = self._owed = self._expects and self._body_bytes > 0

    def on_message_complete(self) -> None:
        parser = self._parser
        if parser.should_upgrade() and self._body_bytes:  # llhttp would take the body for the other protocol
            raise BadRequest
        connection = "close" if not parser.should_keep_alive() else ""
        if not connection and parser.get_http_version() == "1.0":
            connection = "keep-alive"
        self._ready.append(Request(parser.get_method() == b"HEAD", self._body_bytes, connection, self._expects))
        self._part, self._owed = "", False


def answer(status: int, pod: str, *, head_only: bool, connection: str) -> bytes:
    """A complete answer of a pod, ready to be written."""
    body = "" if status == 200 else f"{status} {REASONS[status]} "
    body += f"from {pod}\n"
    lines = [
        f"HTTP/1.1 {status} {REASONS[status]}",
        f"X-Pod-Name: {pod}",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(body)}",
    ]
    if connection:
        lines.append(f"Connection: {connection}")
    return ("\r\n".join(lines) + "\r\n\r\n" + ("" if head_only else body)).encode()
