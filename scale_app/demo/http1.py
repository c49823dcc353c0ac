"""As much of HTTP/1.1 as a pod needs: requests out of a byte stream, pipelined or in pieces. Pure.

Heads are parsed once and remembered, because a load generator sends the same bytes again and again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

MAX_HEAD_BYTES = 16_384
MAX_LENGTH_DIGITS = 15
REMEMBERED_HEADS = 512

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
REASONS = {200: "OK", 400: "Bad Request", 500: "Internal Server Error"}

_HEAD_END = b"\r\n\r\n"
_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_METHOD_BEGUN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}(?: |\Z)")
_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) [\x21-\xff]+ HTTP/1\.([01])")
_FIELD = re.compile(rb"(" + _TOKEN + rb"):[ \t]*([^\x00\r\n]*)")


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


class RequestReader:
    """Cuts a stream of bytes into requests. Bodies are skipped as they arrive, never kept."""

    __slots__ = ("_at", "_body_left", "_owed_continue", "_request", "_unread")

    def __init__(self) -> None:
        self._unread = b""
        self._at = 0
        self._request: Request | None = None
        self._body_left = 0
        self._owed_continue = False

    @property
    def empty(self) -> bool:
        """True when nothing of a further request has arrived."""
        return self._request is None and self._at == len(self._unread)

    def feed(self, data: bytes) -> None:
        """More bytes from the peer."""
        self._unread = self._unread[self._at :] + data
        self._at = 0

    def forget(self) -> None:
        """Drop what has arrived and was not handed out."""
        self.__init__()  # type: ignore[misc]

    def next(self) -> Request | None:
        """The next request whose body has arrived in full, or None. Raises BadRequest."""
        if self._request is None:
            self._request = self._next_head()
        if self._request is None or not self._body_skipped():
            return None
        request, self._request, self._owed_continue = self._request, None, False
        return request

    def continue_due(self) -> bool:
        """True once for a request whose sender waits for "100 Continue" before it sends the body."""
        due, self._owed_continue = self._owed_continue, False
        return due

    def _next_head(self) -> Request | None:
        while self._unread.startswith(b"\r\n", self._at):
            self._at += 2
        end = self._unread.find(_HEAD_END, self._at)
        if end < 0:
            refuse_hopeless(self._unread[self._at :])
            return None
        request = parse_head(self._unread[self._at : end])
        self._at = end + len(_HEAD_END)
        self._body_left = request.body_bytes
        self._owed_continue = request.expects_continue
        return request

    def _body_skipped(self) -> bool:
        if self._body_left:
            skipped = min(self._body_left, len(self._unread) - self._at)
            self._at += skipped
            self._body_left -= skipped
        return not self._body_left


def refuse_hopeless(begun: bytes) -> None:
    """Raise BadRequest when no further byte can make a head of this beginning.

    Without it a peer that speaks TLS, or ends its lines with a bare newline, would wait for ever.
    """
    if not begun:
        return
    line, newline, _ = begun.partition(b"\n")
    if len(begun) > MAX_HEAD_BYTES or not _METHOD_BEGUN.match(line):
        raise BadRequest
    if newline and not (line.endswith(b"\r") and _REQUEST_LINE.fullmatch(line[:-1])):
        raise BadRequest


@lru_cache(REMEMBERED_HEADS)
def parse_head(head: bytes) -> Request:
    """A request from its head, the closing empty line left out. Raises BadRequest."""
    first, *rest = head.split(b"\r\n")
    line = _REQUEST_LINE.fullmatch(first)
    if line is None or len(head) > MAX_HEAD_BYTES:
        raise BadRequest
    method, minor = line.groups()
    fields = [_field(each) for each in rest]
    if any(name == b"transfer-encoding" for name, _ in fields):
        raise BadRequest
    body_bytes = _body_bytes([value for name, value in fields if name == b"content-length"])
    return Request(
        head_only=method == b"HEAD",
        body_bytes=body_bytes,
        connection=_connection(minor, set(_options(fields, b"connection"))),
        expects_continue=body_bytes > 0 and b"100-continue" in _options(fields, b"expect"),
    )


def _field(line: bytes) -> tuple[bytes, bytes]:
    field = _FIELD.fullmatch(line)
    if field is None:
        raise BadRequest
    return field[1].lower(), field[2].strip(b" \t")


def _options(fields: list[tuple[bytes, bytes]], wanted: bytes) -> Iterator[bytes]:
    for name, value in fields:
        if name == wanted:
            yield from (option.strip(b" \t").lower() for option in value.split(b","))


def _body_bytes(values: list[bytes]) -> int:
    if not values:
        return 0
    digits = values[0]
    if len(set(values)) > 1 or not digits.isdigit() or len(digits) > MAX_LENGTH_DIGITS:
        raise BadRequest
    return int(digits)


def _connection(minor: bytes, options: set[bytes]) -> str:
    if b"close" in options:
        return "close"
    if minor == b"0":
        return "keep-alive" if b"keep-alive" in options else "close"
    return ""


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
