"""One user's connection on a raw socket that never blocks: the event loop calls back, no greenlet ever waits.

Nothing here retries behind our back, so that the counts are exact. Deadlines are the owner's: it closes.
"""

from __future__ import annotations

import _socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from scale_app.worker.answer import Answer, AnswerCache, AnswerReader
from scale_app.worker.connector import Connector, Resolver, TlsSession, endpoint_of
from scale_app.worker.counters import CountedConnection, Counters
from scale_app.worker.health import CLOSED_EARLY, RequestFailed, cause_of

RECEIVE_BYTES = 65_536
READ, WRITE = 1, 2


class ConnectionOwner(Protocol):
    """Who uses a connection: hears exactly one of the first three for each `open` and each `send`. It may close."""

    def answered(self, answer: Answer) -> None:
        """The whole answer has arrived."""

    def failed(self, cause: str) -> None:
        """There will be no answer."""

    def went_stale(self) -> None:
        """The server closed a connection that had been of use before it answered anything: send on a new one."""

    def lost(self) -> None:
        """No request was in flight: the server closed, or sent bytes that nobody asked for."""


@dataclass(frozen=True, slots=True)
class Network:
    """What all connections to one destination share. loop: gevent's event loop. host: the name in certificates.

    with_endpoints: note each connection's own address and port, by which its pod can be found.
    """

    loop: Any
    resolver: Resolver
    tls: ssl.SSLContext | None
    host: str
    cache: AnswerCache
    counters: Counters
    with_endpoints: bool = False


class Connection:
    """A connection to a pod, from the name to the close. counts: what it answered so far, once it is open."""

    counts: CountedConnection

    def __init__(self, network: Network, owner: ConnectionOwner) -> None:
        self._network = network
        self._owner = owner
        self._known = network.cache.known
        self._connector = Connector(network.loop, self._connected, owner.failed)
        self._socket: _socket.socket | None = None
        self._reading: Any = None
        self._writing: Any = None
        self._reader: AnswerReader | None = None
        self._tls: TlsSession | None = None
        self._request = b""
        self._unsent = b""
        # A request is in flight; it has left whole and nothing of its answer has come; some of it has come.
        self._unanswered = False
        self._untouched = False
        self._begun = False

    def open(self, request: bytes) -> None:
        """Connect, then send. Call once."""
        self._request = request
        self._connector.begin(self._network.resolver)

    def send(self, request: bytes) -> None:
        """Send on an open connection that has no request in flight."""
        self._unanswered = self._untouched = True
        if self._tls is not None:
            self._post(self._tls.encrypt(request))
            return
        try:
            sent = self._send(request)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._broke(error)
            return
        if sent != len(request):
            self._keep(request[sent:])

    @property
    def opened(self) -> CountedConnection | None:
        """What it answered so far; None while it is not open."""
        return None if self._socket is None else self.counts

    def close(self) -> None:
        """Close and count the connection as closed; the owner hears nothing more. Call once."""
        if self._socket is None:
            self._connector.cancel()
            return
        self._network.counters.closed(self.counts)
        self._reading.stop()
        self._reading.close()
        self._stop_writing()
        self._socket.close()
        self._socket = None

    # -- opening

    def _connected(self, opened: _socket.socket) -> None:
        network = self._network
        self._socket = opened
        self._receive: Callable[[int], bytes] = opened.recv
        self._send: Callable[[bytes], int] = opened.send
        self.counts = network.counters.opened(endpoint_of(opened) if network.with_endpoints else "")
        self._reading = network.loop.io(opened.fileno(), READ)
        if network.tls is None:
            self._reading.start(self._on_plain)
            self.send(self._request)
        else:
            self._tls = TlsSession(network.tls, network.host)
            self._unanswered = True
            self._reading.start(self._on_encrypted)
            self._shake_hands(self._tls, None)

    def _shake_hands(self, tls: TlsSession, received: bytes | None) -> None:
        try:
            done = tls.shake_hands(received)
        except ssl.SSLError as error:
            self._post(tls.outgoing())
            if self._socket is not None:
                self._fail(cause_of(error))
            return
        self._post(tls.outgoing())
        if done and self._socket is not None:
            self.send(self._request)

    # -- receiving

    def _on_plain(self) -> None:
        try:
            data = self._receive(RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._broke(error)
            return
        if self._untouched and data in self._known:
            # The path of almost every answer: all of it in one piece, and one that was seen before.
            self._unanswered = self._untouched = False
            self._owner.answered(self._known[data])
        else:
            self._take(data)

    def _on_encrypted(self) -> None:
        tls = self._tls
        assert tls is not None
        try:
            received = self._receive(RECEIVE_BYTES)
            if not tls.established:
                self._shake_hands(tls, received)
                return
            data = tls.decrypt(received)
        except BlockingIOError:
            return
        except OSError as error:
            self._broke(error)
            return
        self._post(tls.outgoing())
        if data is not None and self._socket is not None:
            self._take(data)

    def _take(self, data: bytes) -> None:
        """Bytes of an answer, or b"" for the end of the connection."""
        if not self._unanswered:
            self._owner.lost()
        elif self._untouched and data in self._known:
            self._complete(self._known[data])
        elif data:
            self._read(data)
        else:
            self._ended()

    def _read(self, data: bytes) -> None:
        whole, self._untouched = self._untouched, False
        cache, reader = self._network.cache, self._reader
        if reader is None:
            reader = self._reader = cache.reader()
        if not self._begun:
            self._begun = True
            reader.expect()
        try:
            complete = reader.feed(data)
        except RequestFailed as failed:
            self._fail(failed.cause)
            return
        if complete:
            self._complete(cache.learn(data, reader) if whole else cache.answer(reader))

    def _complete(self, answer: Answer) -> None:
        self._unanswered = self._untouched = self._begun = False
        if self._unsent:
            # Answered before it had read everything: what is unsent would be taken for the next request.
            answer = answer.as_last()
        self._owner.answered(answer)

    # -- ending

    def _ended(self) -> None:
        """The server closed while a request was in flight."""
        reader = self._reader
        if self._is_stale():
            self._owner.went_stale()
        elif self._begun and reader is not None and reader.end():
            self._complete(self._network.cache.answer(reader))
        else:
            self._fail(CLOSED_EARLY)

    def _broke(self, error: OSError) -> None:
        """The system or TLS reports that the connection is of no more use."""
        if not self._unanswered:
            self._owner.lost()
        elif self._is_stale():
            self._owner.went_stale()
        else:
            self._fail(cause_of(error))

    def _is_stale(self) -> bool:
        return self.counts.answers > 0 and not self._begun

    def _fail(self, cause: str) -> None:
        self._unanswered = self._untouched = False
        self._owner.failed(cause)

    # -- sending what the system does not take at once

    def _post(self, data: bytes) -> None:
        """Send bytes of TLS in their order. When the connection breaks, it is closed on return."""
        if not self._unsent and data:
            try:
                data = data[self._send(data) :]
            except BlockingIOError:
                pass
            except OSError as error:
                self._broke(error)
                return
        if data:
            self._keep(data)

    def _keep(self, rest: bytes) -> None:
        self._untouched = False
        self._unsent += rest
        if self._writing is None:
            assert self._socket is not None
            self._writing = self._network.loop.io(self._socket.fileno(), WRITE)
            self._writing.start(self._send_rest)

    def _send_rest(self) -> None:
        try:
            self._unsent = self._unsent[self._send(self._unsent) :]
        except BlockingIOError:
            return
        except OSError as error:
            self._broke(error)
            return
        if not self._unsent:
            self._stop_writing()

    def _stop_writing(self) -> None:
        if self._writing is not None:
            self._writing.stop()
            self._writing.close()
            self._writing = None
