"""Opens connections: resolves the name, checks the address, tries one after the other, never waiting; and TLS on them.

TLS is done in memory, so that sockets are read and written in one way only.
"""

from __future__ import annotations

import _socket
import errno
import ipaddress
import random
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any

import gevent

from scale_app.domain.plan import DnsPolicy
from scale_app.worker.destination import Destination, is_connected
from scale_app.worker.health import ADDRESS_NOT_ALLOWED, NOT_RESOLVED, cause_of, cause_of_number

FAILURE_KEPT_S = 1.0
NAME_KEPT_S: dict[DnsPolicy, float] = {"connection": 0.0, "second": 1.0, "once": float("inf")}
"""What the plan's policy means for `Resolver`."""
WRITE = 2
RECORDS_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class ResolvedAddress:
    """One resolved address: socket family and the tuple to connect to."""

    family: int
    endpoint: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a name led to: permitted addresses, or the cause why there is none."""

    addresses: tuple[ResolvedAddress, ...] = ()
    cause: str = ""

    def in_order(self) -> list[ResolvedAddress]:
        """In random order, as a shuffling name server would have it, those of the preferred family first."""
        if len(self.addresses) < 2:
            return list(self.addresses)
        preferred = self.addresses[0].family
        return sorted(self.addresses, key=lambda a: (a.family != preferred, random.random()))


class Resolver:
    """The destination's permitted addresses, each answer of the name server kept for this many seconds.

    Kept for 0 s, every connection has a lookup of its own, as with real clients; that puts the whole load on the
    cluster's name server as well. A failed lookup is never kept for longer than a second.
    """

    def __init__(self, destination: Destination, kept_s: float) -> None:
        self._destination = destination
        self._kept_s = kept_s
        self._known = Resolution()
        self._until_s = 0.0
        self._waiting: list[Callable[[Resolution], None]] = []
        with suppress(ValueError):  # what is an address is known for good
            ipaddress.ip_address(destination.host)
            self._known, self._until_s = look_up(destination), float("inf")

    def ask(self, then: Callable[[Resolution], None]) -> None:
        """Call `then` with the result: at once when it is known, else after the lookup."""
        if monotonic() < self._until_s:
            then(self._known)
        elif not self._kept_s:
            gevent.spawn(lambda: then(look_up(self._destination)))
        else:
            self._waiting.append(then)
            if len(self._waiting) == 1:
                gevent.spawn(self._refresh)

    def _refresh(self) -> None:
        self._known = look_up(self._destination)
        kept_s = self._kept_s if self._known.addresses else min(self._kept_s, FAILURE_KEPT_S)
        self._until_s = monotonic() + kept_s
        waiting, self._waiting = self._waiting, []
        for then in waiting:
            then(self._known)


def look_up(where: Destination) -> Resolution:
    """The permitted addresses of a destination. Waits for the name server: call it in a greenlet."""
    try:
        found = socket.getaddrinfo(where.host, where.port, type=socket.SOCK_STREAM)
    except OSError as error:
        return Resolution(cause=cause_of(error))
    except UnicodeError:
        return Resolution(cause=NOT_RESOLVED)
    reached = [ResolvedAddress(family, endpoint) for family, _, _, _, endpoint in found]
    permitted = tuple(each for each in reached if where.permits(str(each.endpoint[0]), where.port))
    return Resolution(permitted) if permitted else Resolution(cause=ADDRESS_NOT_ALLOWED)


class Connector:
    """One attempt to connect. Calls exactly one of the two, unless it is cancelled before; never retries."""

    __slots__ = ("_addresses", "_cause", "_connected", "_failed", "_loop", "_over", "_socket", "_writable")

    def __init__(self, loop: Any, connected: Callable[[_socket.socket], None], failed: Callable[[str], None]) -> None:
        self._loop = loop
        self._connected = connected
        self._failed = failed
        self._addresses: list[ResolvedAddress] = []
        self._cause = ""
        self._socket: _socket.socket | None = None
        self._writable: Any = None
        self._over = False

    def begin(self, resolver: Resolver) -> None:
        """Connect to the first address that can be reached; with none, the last one's cause is what failed."""
        resolver.ask(self._resolved)

    def cancel(self) -> None:
        """Nothing is called any more and no socket is left. Idempotent."""
        self._over = True
        self._drop()

    def _resolved(self, resolved: Resolution) -> None:
        if not self._over:
            self._addresses, self._cause = resolved.in_order(), resolved.cause
            self._try_next()

    def _try_next(self) -> None:
        while self._addresses:
            self._cause = self._try(self._addresses.pop(0))
            if not self._cause:
                return
        self._over = True
        self._failed(self._cause)

    def _try(self, address: ResolvedAddress) -> str:
        """Begin to connect. Gives the cause when that failed at once, "" when it did not."""
        try:
            connecting = _socket.socket(address.family, _socket.SOCK_STREAM)
        except OSError as error:
            return cause_of(error)
        connecting.setblocking(False)
        connecting.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        self._socket = connecting
        number = connecting.connect_ex(address.endpoint)
        if number not in (0, errno.EINPROGRESS):
            self._drop()
            return cause_of_number(number)
        # On this machine it often stands before the system reports it; a turn of the loop is saved then.
        if number == 0 or is_connected(connecting):
            self._succeed()
        else:
            self._writable = self._loop.io(connecting.fileno(), WRITE)
            self._writable.start(self._decided)
        return ""

    def _decided(self) -> None:
        assert self._socket is not None
        number = self._socket.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR)
        if number:
            self._drop()
            self._cause = cause_of_number(number)
            self._try_next()
        else:
            self._succeed()

    def _succeed(self) -> None:
        connected, self._socket = self._socket, None
        self._over = True
        self._drop()
        assert connected is not None
        self._connected(connected)

    def _drop(self) -> None:
        if self._writable is not None:
            self._writable.stop()
            self._writable.close()
            self._writable = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def endpoint_of(connected: _socket.socket) -> str:
    """Our side of the connection, "address:port"."""
    address, port = connected.getsockname()[:2]
    return f"{address.removeprefix('::ffff:')}:{port}"


def tls_context(verify: bool = True, ca_pem: str = "") -> ssl.SSLContext:
    """Certificates and names are verified against the system's authorities, or against those of `ca_pem` alone.

    SSL_CERT_FILE overrides the system's. Raises ssl.SSLError or ValueError for text that is no certificate.
    """
    context = ssl.create_default_context(cadata=ca_pem or None)
    context.set_alpn_protocols(["http/1.1"])
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class TlsSession:
    """One connection's TLS. Every method that may produce bytes for the peer leaves them in `outgoing`."""

    __slots__ = ("_inbound", "_outbound", "_session", "established")

    def __init__(self, context: ssl.SSLContext, name: str) -> None:
        self._inbound = ssl.MemoryBIO()
        self._outbound = ssl.MemoryBIO()
        self._session = context.wrap_bio(self._inbound, self._outbound, server_hostname=name)
        self.established = False

    def shake_hands(self, received: bytes | None = None) -> bool:
        """Go on with the handshake; b"" means that the peer closed. True when it is done. Raises ssl.SSLError."""
        if received is not None:
            self._take(received)
        try:
            self._session.do_handshake()
        except ssl.SSLWantReadError:
            return False
        self.established = True
        return True

    def outgoing(self) -> bytes:
        """Bytes for the peer, b"" when there are none."""
        return self._outbound.read() if self._outbound.pending else b""

    def encrypt(self, data: bytes) -> bytes:
        """The bytes to send for these. Raises ssl.SSLError."""
        self._session.write(data)
        return self._outbound.read()

    def decrypt(self, received: bytes) -> bytes | None:
        """What the received bytes said: None when nothing yet, b"" when the peer has closed. Raises ssl.SSLError."""
        self._take(received)
        said: list[bytes] = []
        try:
            while self._inbound.pending or self._session.pending() or not said:
                said.append(self._session.read(RECORDS_BYTES))
        except ssl.SSLWantReadError:
            return b"".join(said) if said else None
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b"".join(said)
        return said[0] if len(said) == 1 else b"".join(said)

    def _take(self, received: bytes) -> None:
        if received:
            self._inbound.write(received)
        else:
            self._inbound.write_eof()
