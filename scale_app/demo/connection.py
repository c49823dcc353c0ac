"""A client's connection to the demo: HTTP/1.1 requests out of its bytes, answered in order by the pod that it meets.

llhttp (through httptools) does the framing; `RequestReader` has what it leaves open: what a pod refuses, and bounds.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from dataclasses import dataclass
from typing import Any, Literal, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from scale_app.demo.cluster import DemoPod, PodCluster

DRAIN_IDLE_S = 1.0
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
MAX_HEAD_BYTES = 16_384
MAX_LENGTH_DIGITS = 15
FIELD_FRAME_BYTES = len(b": \r\n")
MOST_REMEMBERED = 512
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


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
    """Cuts a stream of bytes into requests, pipelined or in pieces. Bodies are skipped as they arrive, never kept.

    A piece that is one whole request is remembered by its bytes: a load generator sends the same again and again.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Drop what has arrived and was not handed out."""
        self._parser: Any = None  # made when the first piece is not known: most connections need none
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
        self._parser = self._parser or HttpRequestParser(self)
        try:
            self._parser.feed_data(data)
            if self._part == "head" and self._head_bytes == counted:
                self._untold_bytes += len(data)  # llhttp keeps a field until it is whole, and tells nothing meanwhile
                self._bound_head()
        except HttpParserUpgrade as upgrade:  # nobody upgrades here: what follows is HTTP/1.1 as before
            self._parser = None
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


_UNREADABLE = Request(head_only=False, body_bytes=0, connection="close", expects_continue=False)


class ClientConnection(asyncio.Protocol):
    """HTTP/1.1 on one socket, tied to one pod at accept() until it ends.

    Under a layer-7 policy the balancer ends the connection itself, so that each further request is tied to a pod anew.
    A pod's answer is counted when it is written, so that a cut request is no answer.
    """

    _transport: asyncio.Transport
    _pod: DemoPod
    _client: str

    def __init__(self, cluster: PodCluster) -> None:
        self._cluster = cluster
        self._reader = RequestReader()
        self._thinking: asyncio.TimerHandle | None = None
        self._draining: asyncio.TimerHandle | None = None
        self._peer_full = False
        self._asked = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._client = transport.get_extra_info("peername")[0]
        self._meet_pod()

    def connection_lost(self, exc: Exception | None) -> None:
        if hasattr(self, "_pod"):
            self._pod.links.discard(self)
        for timer in (self._thinking, self._draining):
            if timer:
                timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        self._proceed()

    def pause_writing(self) -> None:
        """The peer does not read its answers: take no more requests from it."""
        self._peer_full = True
        self._steer_reading()

    def resume_writing(self) -> None:
        self._peer_full = False
        self._steer_reading()

    def reset(self) -> None:
        """Cut the connection as a vanished pod does: the peer gets a TCP reset, unsent bytes are dropped."""
        peer = self._transport.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self._transport.abort()

    def drain(self) -> None:
        """End after the next answer, or when none is asked for within a second.

        A peer under load has its next request on the way already, so closing at once would lose it.
        """
        self._draining = asyncio.get_running_loop().call_later(DRAIN_IDLE_S, self._drained)

    def _drained(self) -> None:
        if self._thinking:
            self._reader.forget()  # so that the answer in the making is the last one
        else:
            self._transport.close()

    def _proceed(self) -> None:
        try:
            while not self._thinking and not self._transport.is_closing() and (request := self._reader.next()):
                self._take(request)
        except BadRequest:
            self._answer(_UNREADABLE, 400)
            return
        if self._reader.continue_due():
            self._transport.write(CONTINUE)

    def _meet_pod(self) -> bool:
        """Tie this connection to the pod that the balancer picks; False, and the connection is cut, without one."""
        pod = self._cluster.pick(self._client)
        if pod is None:
            self.reset()
            return False
        if hasattr(self, "_pod"):
            self._pod.links.discard(self)
        self._pod = pod
        pod.links.add(self)
        return True

    def _take(self, request: Request) -> None:
        if self._asked and self._cluster.per_request and not self._meet_pod():
            return
        self._asked = True
        status = self._pod.status(self._cluster.rng)
        loop = asyncio.get_running_loop()
        if delay_s := self._pod.take(loop.time()):
            self._thinking = loop.call_later(delay_s, self._answer_late, request, status)
            self._steer_reading()
        else:
            self._answer(request, status)

    def _answer_late(self, request: Request, status: int) -> None:
        self._thinking = None
        self._answer(request, status)
        if not self._transport.is_closing():
            self._steer_reading()
            self._proceed()

    def _answer(self, request: Request, status: int) -> None:
        connection = request.connection
        if self._draining and self._reader.empty:
            connection = "close"
        self._transport.write(self._pod.answers[status, request.head_only, connection])
        self._pod.answered += 1
        if connection == "close":
            self._transport.close()

    def _steer_reading(self) -> None:
        """Leave further requests in the kernel while one is being answered, so that memory stays bounded."""
        if self._thinking or self._peer_full:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()
