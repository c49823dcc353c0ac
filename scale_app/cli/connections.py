"""Who may be connected to `scale serve`: how many in all, how many of one client, and how long in silence.

granian, which serves, has a limit in all only, and waits when that is reached. So it is given a higher one than ours,
and a thread looks at this process's own sockets and cuts what is beyond our limits. Nobody's bytes pass through here:
docs/decisions/0021-connections.md.
"""

from __future__ import annotations

import ipaddress
import itertools
import logging
import os
import resource
import socket
import struct
import sys
import time
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.net import SocketSpec  # type: ignore[attr-defined]
from granian.server.embed import Server
from starlette.types import ASGIApp

from scale_app.api.socket import TAKEN
from scale_app.child_process import allow_all_files
from scale_app.cli.commands import CannotStart

log = logging.getLogger(__name__)

CUT_AFTER_S = 30.0
"""From the first byte that a client does not take. A browser that sleeps for longer connects again."""
HEAD_LIMIT_S = 30.0
"""For a request's whole head, from the connection's begin or the last answer: for the first byte and idling as well."""
BACKLOG = 4_096
BETWEEN_LOOKS = 1_000
"""So many connections beyond the limit are taken, to be cut at the next look."""
FILES_BESIDE = 500
LOOK_EVERY_S = 1.0
SAY_EVERY_S = 60.0
TOO_MANY = (
    "%s connections were cut: at most %s of one client (SCALE_MAX_CONNECTIONS_PER_CLIENT) and %s in all "
    "(SCALE_MAX_CONNECTIONS) may be open, and of a WebSocket's message that is not complete at most 4 MiB may come."
)
LOGGED_AS_ALL: dict[str, Any] = {"handlers": {}, "formatters": {}, "loggers": {"_granian": {}, "granian.access": {}}}
"""In place of granian's handlers; see log_lines.py."""
OPEN_FILES = Path("/proc/self/fd")
TCP_INFO = struct.Struct("=B119xQQ")
"""Of Linux' tcp_info: the state, how many bytes the client has acknowledged, and how many came from it."""
MOST_IN_PARTS_BYTES = 4 * 1024 * 1024
"""Of a WebSocket's message that is not complete; the longest that is taken has 1 MB."""
OPEN_STATES = (1, 8)
"""ESTABLISHED and CLOSE_WAIT; the others are being let go."""


class LimitedServer(Server):
    """granian's server with HTTP/1.1 only, since only there it gives up a client that says nothing.

    cut_after_s: see CUT_AFTER_S. Where the system does not know TCP_USER_TIMEOUT (it is Linux's) nothing is cut.
    connections: the most in all. The application's lifespan is not its own to enter: see server.py.
    """

    def __init__(
        self,
        application: ASGIApp,
        host: str,
        port: int,
        connections: int,
        *,
        cut_after_s: float = CUT_AFTER_S,
        head_limit_s: float = HEAD_LIMIT_S,
    ) -> None:
        super().__init__(
            application, host, port, interface=Interfaces.ASGINL, log_level=LogLevels.error, http=HTTPModes.http1,
            http1_settings=HTTP1Settings(header_read_timeout=round(head_limit_s * 1_000)),
            backlog=BACKLOG, backpressure=connections + BETWEEN_LOOKS, log_dictconfig=LOGGED_AS_ALL,
        )  # fmt: skip
        self._cut_after_s = cut_after_s

    def _init_shared_socket(self) -> None:
        """Listen. Connections inherit what is set here."""
        if self.bind_uds or not hasattr(socket, "TCP_USER_TIMEOUT"):
            super()._init_shared_socket()  # type: ignore[no-untyped-call]
            return
        shared = SocketSpec(self.bind_addr, self.bind_port, self.backlog).build()
        with socket.socket(fileno=os.dup(shared.get_fd())) as listening:
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(self._cut_after_s * 1_000))
        self._shd = shared  # type: ignore[assignment]


def allow_connections(connections: int) -> None:
    """Let this process have as many. Raises CannotStart where the system does not."""
    allow_all_files()
    most, needed = resource.getrlimit(resource.RLIMIT_NOFILE)[1], connections + BETWEEN_LOOKS + FILES_BESIDE
    if most != resource.RLIM_INFINITY and most < needed:
        raise CannotStart(
            f"SCALE_MAX_CONNECTIONS = {connections} needs {needed:,} open files, and this system allows {most:,}: "
            "raise that (ulimit -Hn), or set SCALE_MAX_CONNECTIONS lower."
        )


class AcceptedConnection(NamedTuple):
    """A client's connection. order: when it was first seen. answered: it has taken bytes of an answer.

    in_parts: it is a WebSocket's, and more has come over it than messages that are complete.
    """

    file: int
    peer: tuple[Any, ...]
    client: str
    order: int
    answered: bool
    in_parts: bool = False

    @property
    def rank(self) -> tuple[bool, int]:
        """The smallest is cut first: of what was never answered what waits longest, then the newest of the others, so
        that those who were let in stay."""
        return self.answered, -self.order if self.answered else self.order


class ConnectionWatch:
    """Cuts this process's connections on a port beyond the limits, silent ones first."""

    def __init__(self, port: int, in_all: int, per_client: int) -> None:
        self._port, self._in_all, self._per_client = port, in_all, per_client
        self._orders: dict[tuple[Any, ...], int] = {}
        self._next = itertools.count()
        self._said_s, self._cut = -SAY_EVERY_S, 0

    def start(self) -> None:
        """Look until the process ends, where the system shows a process its own files."""
        if sys.platform == "linux":
            Thread(target=self._look_on, name="connections", daemon=True).start()

    def look(self) -> int:
        """Cut what is too much now; how many."""
        files = os.listdir(OPEN_FILES)
        if len(files) <= min(self._in_all, self._per_client) and not TAKEN:
            self._orders = {}
            return 0
        found = list(self._connections(map(int, files)))
        self._orders = {each.peer: each.order for each in found}
        kept = [each for each in found if not each.in_parts]
        return sum(map(_cut, set(found).difference(kept).union(surplus(kept, self._in_all, self._per_client))))

    def _look_on(self) -> None:
        while True:
            time.sleep(LOOK_EVERY_S)
            try:
                self._cut += self.look()
                self._say()
            except Exception:
                log.exception("Connections were not looked at; that is tried again.")

    def _say(self) -> None:
        if self._cut and time.monotonic() - self._said_s >= SAY_EVERY_S:
            log.warning(TOO_MANY, self._cut, self._per_client, self._in_all)
            self._said_s, self._cut = time.monotonic(), 0

    def _connections(self, files: Iterator[int]) -> Iterator[AcceptedConnection]:
        for file in files:
            # A file that is closed meanwhile, or is no connection, is passed over.
            with suppress(OSError), _borrowed(file) as seen:
                state, taken_bytes, came_bytes = _state(seen)
                if state in OPEN_STATES and seen.getsockname()[1] == self._port:
                    peer = seen.getpeername()
                    order = self._orders[peer] if peer in self._orders else next(self._next)
                    whole = TAKEN.of(*peer[:2])
                    in_parts = whole is not None and came_bytes - whole > MOST_IN_PARTS_BYTES
                    yield AcceptedConnection(file, peer, client_of(peer[0]), order, taken_bytes > 1, in_parts)


def surplus(found: list[AcceptedConnection], in_all: int, per_client: int) -> list[AcceptedConnection]:
    """What has to be cut: of each client what is beyond its limit, and of those who have most until all is within."""
    of_clients: defaultdict[str, list[AcceptedConnection]] = defaultdict(list)
    for each in sorted(found, key=lambda each: each.rank, reverse=True):
        of_clients[each.client].append(each)
    most = max(1, bisect_right(range(1, per_client + 1), in_all, key=lambda most: _in_all(of_clients, most)))
    cut = [each for own in of_clients.values() for each in own[most:]]
    left = [each for own in of_clients.values() for each in own[:most]]
    return cut + sorted(left, key=lambda each: each.rank)[: max(0, len(left) - in_all)]


def client_of(address: str) -> str:
    """Who this address belongs to: of IPv6, one client has a network of 64 bits."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or ipaddress.ip_network((found, 64), strict=False))


def _in_all(of_clients: dict[str, list[AcceptedConnection]], most: int) -> int:
    """How many there are when each client has so many at most."""
    return sum(min(len(own), most) for own in of_clients.values())


@contextmanager
def _borrowed(file: int) -> Iterator[socket.socket]:
    """It, without becoming its owner. Raises OSError for what is no socket.

    No copy is made: it would have to be closed, and a process that closes any copy of a database's file loses all of
    its locks on it (fcntl(2), record locks).
    """
    seen = socket.socket(socket.AF_INET, socket.SOCK_STREAM, fileno=file)
    try:
        yield seen
    finally:
        seen.detach()


def _state(seen: socket.socket) -> tuple[int, int, int]:
    """Of a TCP connection its state, and how many bytes its client took and sent. Raises OSError for what is none."""
    state, taken_bytes, came_bytes = TCP_INFO.unpack(
        seen.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO.size)
    )
    return state, taken_bytes, came_bytes


def _cut(each: AcceptedConnection) -> bool:
    """End the connection; granian sees that it ended, and lets go of it. False when it is gone already."""
    with suppress(OSError), _borrowed(each.file) as seen:
        if seen.getpeername() == each.peer:
            seen.shutdown(socket.SHUT_RDWR)
            return True
    return False
