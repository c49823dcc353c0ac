"""From a destination to a connected socket: resolve, check, try one address after the other, never waiting."""

from __future__ import annotations

import _socket
import errno
from collections.abc import Callable
from typing import Any

from scale_app.worker.causes import cause_of, cause_of_number
from scale_app.worker.resolver import Address, Resolved, Resolver

WRITE = 2


class Dial:
    """One attempt to connect. Calls exactly one of the two, unless it is cancelled before; never retries."""

    __slots__ = ("_addresses", "_cause", "_connected", "_failed", "_loop", "_over", "_socket", "_writable")

    def __init__(self, loop: Any, connected: Callable[[_socket.socket], None], failed: Callable[[str], None]) -> None:
        self._loop = loop
        self._connected = connected
        self._failed = failed
        self._addresses: list[Address] = []
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

    def _resolved(self, resolved: Resolved) -> None:
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

    def _try(self, address: Address) -> str:
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
        if number == 0 or _is_connected(connecting):
            self._hand_over()
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
            self._hand_over()

    def _hand_over(self) -> None:
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


def _is_connected(connecting: _socket.socket) -> bool:
    """On this machine a connection often stands before the system reports it; a turn of the loop is saved then."""
    try:
        connecting.getpeername()
    except OSError:
        return False
    return True


def endpoint_of(connected: _socket.socket) -> str:
    """Our side of the connection, "address:port"."""
    address, port = connected.getsockname()[:2]
    return f"{address.removeprefix('::ffff:')}:{port}"
