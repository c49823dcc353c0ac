"""Reads answers off a connection's bytes and keeps only what is counted: status, pod, size.

llhttp (through httptools) does the framing; here is what it leaves open: interim answers, an end by closing,
surplus bytes, and a bound on everything that is not body, so that no target can fill our memory.
"""

from __future__ import annotations

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from scale_app.worker.causes import HEADER_TOO_LARGE, MALFORMED, RequestFailed

MAX_OVERHEAD_BYTES = 64 * 1024


class AnswerReader:
    """The answers of one connection, one at a time: `expect`, then `feed` until it is True.

    status, pod (the header's value, b"" without one), body_bytes: of the answer, valid once complete.
    reusable: False when the connection must be closed after this answer.
    """

    __slots__ = (
        "_framed",
        "_headers_done",
        "_overhead",
        "_parser",
        "_pod_header",
        "body_bytes",
        "complete",
        "pod",
        "reusable",
        "status",
    )

    def __init__(self, pod_header: str) -> None:
        self._pod_header = pod_header.lower().encode("ascii")
        self._parser = HttpResponseParser(self)
        self.expect()

    def expect(self) -> None:
        """Forget the last answer; the next bytes belong to a new one."""
        self.status = 0
        self.pod = b""
        self.body_bytes = 0
        self.complete = False
        self.reusable = False
        self._headers_done = False
        self._framed = False
        self._overhead = 0

    def feed(self, data: bytes) -> bool:
        """Take bytes; True when the answer is complete. Raises RequestFailed when this is not HTTP or has no end."""
        self._overhead += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            if not self.complete:
                raise RequestFailed(MALFORMED) from None
            # More than the announced length: the answer stands, the connection is of no more use.
            self.reusable = False
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

    def on_headers_complete(self) -> None:
        if not self.complete:
            self._headers_done = True
            self.status = self._parser.get_status_code()
            self.reusable = self._parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        self.body_bytes += len(body)
        self._overhead = 0

    def on_message_complete(self) -> None:
        if self.status >= 200:
            self.complete = True
        elif not self.complete:
            # 100 Continue, 103 Early Hints: the answer proper is still to come; its header budget is shared.
            overhead = self._overhead
            self.expect()
            self._overhead = overhead
