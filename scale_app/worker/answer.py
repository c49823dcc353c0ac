"""Reads answers off a connection's bytes and keeps only what is counted: status, pod, size.

llhttp (through httptools) does the framing; here is what it leaves open: interim answers, an end by closing,
surplus bytes, and a bound on everything that is not body, so that no target can fill our memory.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from scale_app.domain.unanswered import PLAIN_TO_TLS
from scale_app.worker.counters import Counters, OutcomeCounter
from scale_app.worker.health import HEADER_TOO_LARGE, MALFORMED, SPEAKS_HTTP2, SPEAKS_TLS, RequestFailed

MAX_OVERHEAD_BYTES = 64 * 1024
MOST_REMEMBERED = 1_024
MOST_REMEMBERED_BYTES = 2_048
MOST_BODY_BYTES = 256 * 1024
TO_PLAIN_HTTP = 400
WANTS_TLS = tuple(words.encode() for words in PLAIN_TO_TLS)
TLS_ALERT = b"\x15\x03"
HTTP2_TYPES = (4, 7)
"""Frames that a server sends first: SETTINGS, or GOAWAY when it did not like what came."""


class AnswerReader:
    """The answers of one connection, one at a time: `expect`, then `feed` until it is True.

    status, pod (the header's value, b"" without one), body_bytes: of the answer, valid once complete.
    reusable: False when the connection must be closed after this answer.
    """

    def __init__(self, pod_header: str, head_only: bool = False) -> None:
        self._pod_header = pod_header.lower().encode("ascii")
        self._head_only = head_only
        self._parser = HttpResponseParser(self)
        self.expect()

    def expect(self) -> None:
        """Forget the last answer; the next bytes belong to a new one."""
        if self._head_only:
            # The last answer's announced length made this parser wait for a body that never comes.
            self._parser = HttpResponseParser(self)
        self._overhead = 0
        self._forget()

    def _forget(self) -> None:
        self.status = 0
        self.pod = b""
        self.body_bytes = 0
        self.complete = False
        self.reusable = False
        self._headers_done = False
        self._framed = False
        self._close_asked = False

    def named(self) -> bytes:
        """The pod that the complete answer names, b"" for none."""
        return self.pod

    def feed(self, data: bytes) -> bool:
        """Take bytes; True when the answer is complete. Raises RequestFailed when this is not HTTP or has no end."""
        self._overhead += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            if not self.complete:
                raise RequestFailed(_other_protocol(data) or MALFORMED) from None
            # More than the announced length: the answer stands, the connection is of no more use.
            self.reusable = False
        if self.status == TO_PLAIN_HTTP and any(words in data for words in WANTS_TLS):
            raise RequestFailed(SPEAKS_TLS)
        if self._overhead > MAX_OVERHEAD_BYTES and not self.complete:
            raise RequestFailed(HEADER_TOO_LARGE)
        return self.complete

    def end(self) -> bool:
        """The server closed; True when that is the proper end of the answer."""
        self.complete = self.complete or (self._headers_done and not self._framed)
        self.reusable = False
        return self.complete

    def on_message_begin(self) -> None:
        if self.complete:
            self.reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._headers_done:
            return
        name = name.lower()
        if name == self._pod_header:
            self.pod = self.pod or value
        elif name == b"content-length" or (name == b"transfer-encoding" and value.lower().endswith(b"chunked")):
            self._framed = True
        elif name == b"connection" and b"close" in value.lower():
            self._close_asked = True

    def on_headers_complete(self) -> None:
        if self.complete:
            return
        self._headers_done = True
        self.status = self._parser.get_status_code()
        self.reusable = self._parser.should_keep_alive()
        if self._head_only and self.status >= 200:
            # Without a length the parser thinks that the answer ends by closing; this one has ended here.
            self.reusable = self._parser.get_http_version() == "1.1" and not self._close_asked
            self.complete = True

    def on_body(self, body: bytes) -> None:
        if self._head_only:
            self.reusable = False
            return
        self.body_bytes += len(body)
        self._overhead = 0

    def on_message_complete(self) -> None:
        if self.status >= 200:
            self.complete = True
        elif not self.complete:
            # 100 Continue, 103 Early Hints: the answer proper is still to come; its header budget is shared.
            self._forget()


def _other_protocol(data: bytes) -> str:
    """The cause when the first bytes of an answer are those of another protocol, else ""."""
    if data.startswith(TLS_ALERT):
        return SPEAKS_TLS
    frame = len(data) >= 9 and data[3] in HTTP2_TYPES and data[5:9] == bytes(4)
    return SPEAKS_HTTP2 if frame else ""


class JsonAnswerReader(AnswerReader):
    """For answers whose JSON body names the pod, where no header does.

    keys: the field in the body, one key inside the other. A body that is too large or no JSON names no pod."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = tuple(keys)
        self._body = bytearray()
        super().__init__("")

    def named(self) -> bytes:
        """The field's text, b"" without one."""
        return field_of(bytes(self._body), self._keys) if len(self._body) == self.body_bytes else b""

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        if len(self._body) + len(body) <= MOST_BODY_BYTES:
            self._body += body

    def _forget(self) -> None:
        super()._forget()
        self._body.clear()


def field_of(body: bytes, keys: Sequence[str]) -> bytes:
    """A text or whole number in a JSON object, as bytes; b"" when it is not there."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return b""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return b""
    return str(value).encode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Answer:
    """What is counted of one complete answer. reusable: False when its connection must be closed."""

    cell: OutcomeCounter
    reusable: bool

    def as_last(self) -> Answer:
        """The same, on a connection that is of no more use."""
        return replace(self, reusable=False)


class AnswerCache:
    """Answers of one destination, by their bytes: a pod says the same for a second or longer, but for the date.

    known: {all bytes of an answer that came in one piece: what it means}. Looking one up costs a twentieth of
    parsing it. A server that never says the same twice is parsed each time; the cache begins anew when it is full.
    reader: makes what reads the answers of one connection.
    """

    def __init__(self, counters: Counters, reader: Callable[[], AnswerReader]) -> None:
        self.known: dict[bytes, Answer] = {}
        self.reader = reader
        self._counters = counters

    def answer(self, reader: AnswerReader) -> Answer:
        """What the complete answer means."""
        return Answer(self._counters.cell(reader.named(), reader.status), reader.reusable)

    def learn(self, data: bytes, reader: AnswerReader) -> Answer:
        """The same, remembered by the answer's bytes."""
        answer = self.answer(reader)
        if len(data) <= MOST_REMEMBERED_BYTES:
            if len(self.known) >= MOST_REMEMBERED:
                self.known.clear()
            self.known[data] = answer
        return answer
