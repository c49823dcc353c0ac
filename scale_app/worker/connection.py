"""One user's connection: resolved, checked, connected, used and closed, on a gevent socket.

Nothing here retries behind our back, so that the counts are exact. Deadlines are the caller's (gevent.Timeout).
"""

from __future__ import annotations

import random
import socket
import ssl
import time
from dataclasses import dataclass
from typing import Any

from gevent.lock import BoundedSemaphore  # type: ignore[import-untyped]

from scale_app.worker.answer import AnswerReader
from scale_app.worker.causes import (
    ADDRESS_NOT_ALLOWED,
    CLOSED_EARLY,
    RequestFailed,
    cause_of,
)
from scale_app.worker.destination import Destination
from scale_app.worker.tally import Carried, Tally

RECEIVE_BYTES = 65_536
NAME_KEPT_S = 1.0
_PEEK = socket.MSG_PEEK | socket.MSG_DONTWAIT


class StaleConnection(Exception):
    """The server closed a connection that had been idle before it answered anything: send again on a new one."""


@dataclass(frozen=True, slots=True)
class Address:
    """One resolved address: socket family and the tuple to connect to."""

    family: int
    endpoint: tuple[Any, ...]


class Resolver:
    """The destination's permitted addresses, looked up at most once a second whatever the number of users.

    A fresh lookup for each connection would put the whole load on the cluster's name server as well.
    Several addresses (a headless service) are tried in random order, as a shuffling name server would have it,
    those of the preferred family first.
    """

    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        self._lock = BoundedSemaphore(1)
        self._until_s = 0.0
        self._found: list[Address] = []
        self._cause = ""

    def addresses(self) -> list[Address]:
        """At least one. Raises RequestFailed: name not resolved, address not allowed."""
        with self._lock:
            if time.monotonic() >= self._until_s:
                self._look_up()
                self._until_s = time.monotonic() + NAME_KEPT_S
        if self._cause:
            raise RequestFailed(self._cause)
        if len(self._found) == 1:
            return self._found
        preferred = self._found[0].family
        return sorted(self._found, key=lambda a: (a.family != preferred, random.random()))

    def _look_up(self) -> None:
        self._cause, self._found = "", []
        where = self._destination
        try:
            found = socket.getaddrinfo(where.host, where.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            self._cause = cause_of(error) if isinstance(error, OSError) else "name not resolved"
            return
        self._found = [Address(f, endpoint) for f, _, _, _, endpoint in found if where.permits(str(endpoint[0]))]
        if not self._found:
            self._cause = ADDRESS_NOT_ALLOWED


def tls_context() -> ssl.SSLContext:
    """Certificates and names are verified against the system's authorities (SSL_CERT_FILE overrides them)."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


class Connection:
    """An open connection to a pod. carried: what it answered so far, as the tally sees it."""

    __slots__ = ("_socket", "_tally", "_tls", "answer", "carried")

    def __init__(self, opened: socket.socket, tls: bool, answer: AnswerReader, tally: Tally, carried: Carried) -> None:
        self._socket = opened
        self._tls = tls
        self._tally = tally
        self.answer = answer
        self.carried = carried

    def exchange(self, request: bytes) -> AnswerReader:
        """Send a request and read its whole answer; the body is thrown away.

        Raises RequestFailed, or StaleConnection when a used connection turns out to be closed.
        """
        answer = self.answer
        answer.expect()
        begun = False
        try:
            sent = self._socket.send(request)
            if sent < len(request):
                self._socket.sendall(request[sent:])
            while data := self._socket.recv(RECEIVE_BYTES):
                begun = True
                if answer.feed(data):
                    return answer
        except OSError as error:
            self._raise_if_stale(begun)
            raise RequestFailed(cause_of(error)) from error
        self._raise_if_stale(begun)
        if not answer.end():
            raise RequestFailed(CLOSED_EARLY)
        return answer

    def spoke_while_idle(self) -> bool:
        """True when the server closed, or sent bytes that nobody asked for, since the last answer."""
        try:
            data = self._socket._sock.recv(1, _PEEK)  # type: ignore[attr-defined]
        except BlockingIOError:
            return False
        except OSError:
            return True
        # Over TLS, bytes may be a session ticket; only the end is a sign there.
        return not data or not self._tls

    def close(self) -> None:
        """Close and count the connection as closed. Call once."""
        self._tally.closed(self.carried)
        self._socket.close()

    def _raise_if_stale(self, begun: bool) -> None:
        if self.carried.answers and not begun:
            raise StaleConnection


class Connector:
    """Opens connections to one destination."""

    def __init__(self, destination: Destination, pod_header: str, tally: Tally) -> None:
        self._destination = destination
        self._resolver = Resolver(destination)
        self._tls = tls_context() if destination.tls else None
        self._pod_header = pod_header
        self._tally = tally

    def open(self) -> Connection:
        """A new connection. Raises RequestFailed with the last address's cause when none can be reached."""
        cause = ""
        for address in self._resolver.addresses():
            try:
                return self._connect(address)
            except OSError as error:
                cause = cause_of(error)
        raise RequestFailed(cause)

    def _connect(self, address: Address) -> Connection:
        opened = socket.socket(address.family, socket.SOCK_STREAM)
        try:
            opened.connect(address.endpoint)
        except BaseException:  # the deadline, too, must leave no socket behind
            opened.close()
            raise
        carried = self._tally.opened()
        try:
            if self._tls is not None:
                name = self._destination.host
                opened = self._tls.wrap_socket(opened, server_hostname=name, do_handshake_on_connect=False)
                opened.do_handshake()
        except BaseException:
            self._tally.closed(carried)
            opened.close()
            raise
        return Connection(opened, self._tls is not None, AnswerReader(self._pod_header), self._tally, carried)
