"""What goes wrong while load is sent: why a request got no answer, and what is the generator's own limit or fault.

A cause is a few words that people know: the keys of TrafficSample.errors.
"""

from __future__ import annotations

import builtins
import errno
import os
import re
import socket
import ssl
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import gevent

from scale_app.domain.samples import NO_FREE_PORT, TIMED_OUT, GeneratorHealth

if TYPE_CHECKING:
    from locust.env import Environment  # at run time it would patch the process of whoever looks at the ports only


LAG_PROBE_S = 0.05
SHORTEST_SPAN_S = 0.2
PORT_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
SOCKETS = (Path("/proc/net/sockstat"), Path("/proc/net/sockstat6"))

_IN_USE = re.compile(r"^TCP6?: inuse (\d+)(?: orphan \d+ tw (\d+))?", re.MULTILINE)
TIMEOUT = TIMED_OUT
CLOSED_EARLY = "closed early"
MALFORMED = "malformed answer"
SPEAKS_TLS = "server speaks TLS"
SPEAKS_HTTP2 = "server speaks HTTP/2"
SPEAKS_NO_TLS = "TLS: server speaks plain HTTP"
HEADER_TOO_LARGE = "header too large"
ADDRESS_NOT_ALLOWED = "address not allowed"
NOT_RESOLVED = "name not resolved"
PLAIN_REASONS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE")
"""How OpenSSL calls an answer that is no TLS."""
ALPN_REASONS = ("TLSV1_ALERT_NO_APPLICATION_PROTOCOL",)
"""What a server that takes HTTP/2 alone sends to a client that offers HTTP/1.1."""
MOST_CAUSE = 120
DEEPEST = 10
_PLAIN = (OSError, *(kind for kind in vars(builtins).values() if isinstance(kind, type) and issubclass(kind, OSError)))
_BY_NUMBER = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset",
    errno.EPIPE: "connection reset",
    errno.ECONNABORTED: "connection reset",
    errno.ETIMEDOUT: TIMEOUT,
    errno.EHOSTUNREACH: "host unreachable",
    errno.ENETUNREACH: "network unreachable",
    errno.EADDRNOTAVAIL: NO_FREE_PORT,
    errno.EMFILE: "too many open files",
    errno.ENFILE: "too many open files",
}


class HealthMeter:
    """Measures this process. Run `probe` in a greenlet of its own."""

    def __init__(self) -> None:
        self._worst_lag_s = 0.0
        self._share = 0.0
        self._cpu_s = time.process_time()
        self._at_s = time.monotonic()

    def probe(self) -> None:
        """Sleep and look how late we wake, for ever."""
        while True:
            due_s = time.monotonic() + LAG_PROBE_S
            gevent.sleep(LAG_PROBE_S)
            self._worst_lag_s = max(self._worst_lag_s, time.monotonic() - due_s)

    def take(self) -> GeneratorHealth:
        """Share of a core and worst lag since the last call; ports as of now."""
        cpu_s, at_s = time.process_time(), time.monotonic()
        if at_s - self._at_s >= SHORTEST_SPAN_S:  # in less, as at the end, the share of the load is not to be seen
            self._share = min((cpu_s - self._cpu_s) / (at_s - self._at_s), 1.0)
            self._cpu_s, self._at_s = cpu_s, at_s
        health = GeneratorHealth(self._share, self._worst_lag_s * 1_000, ports_left())
        self._worst_lag_s = 0.0
        return health


def ports_left(port_range: Path = PORT_RANGE, sockets: tuple[Path, ...] = SOCKETS) -> int | None:
    """The least number of free ephemeral ports: no socket of this machine holds one or waits in it. None if
    unknown."""
    try:
        first, last = port_range.read_text().split()
        listed = "".join(path.read_text() for path in sockets if path.exists())
    except (OSError, ValueError):
        return None
    used = sum(int(open_now) + int(closing or 0) for open_now, closing in _IN_USE.findall(listed))
    return max(0, int(last) - int(first) + 1 - used)


def watch_for_faults(environment: Environment, give_up: Callable[[str], None], ours: bool = True) -> None:
    """Call `give_up` with a sentence when a user, a greenlet or a callback of the event loop raises.

    ours: False when the users come from a locustfile, whose tasks may raise as they like: Locust logs that.
    """

    def on_user_error(exception: BaseException, **_: object) -> None:
        give_up(_sentence(exception))

    def on_callback_error(context: object, kind: object, exception: BaseException, trace: object) -> None:
        if not isinstance(exception, gevent.get_hub().NOT_ERROR):
            traceback.print_exception(exception)
            give_up(_sentence(exception))

    if ours:
        environment.events.user_error.add_listener(on_user_error)
        gevent.get_hub().handle_error = on_callback_error


def _sentence(exception: BaseException) -> str:
    return f"The load generator had to stop: {type(exception).__name__}: {exception}."


class RequestFailed(Exception):
    """The request ends without an answer. cause: a few words, see this module."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


def cause_of(error: OSError) -> str:
    """The words for what the system reported."""
    if isinstance(error, ssl.SSLError):
        # OpenSSL's errors have these two; those that the ssl module makes up itself do not.
        reason = getattr(error, "verify_message", None) or getattr(error, "reason", None) or "handshake failed"
        if reason in PLAIN_REASONS:
            return SPEAKS_NO_TLS
        if reason in ALPN_REASONS:
            return SPEAKS_HTTP2
        return f"TLS: {reason.lower().replace('_', ' ')}"
    if isinstance(error, socket.gaierror):
        return NOT_RESOLVED
    if error.errno is None:
        return str(error) or "connection failed"
    return cause_of_number(error.errno)


def cause_of_exception(error: BaseException) -> str:
    """The words for what a client of Locust's raised: those of the system's error inside it, if there is one."""
    chain = _chain(error)
    if any("timeout" in type(inner).__name__.lower() for inner in chain):
        return TIMEOUT
    for inner in reversed(chain):
        if isinstance(inner, (ssl.SSLError, socket.gaierror)) or (isinstance(inner, OSError) and type(inner) in _PLAIN):
            return cause_of(inner)
    return (str(error) or type(error).__name__)[:MOST_CAUSE]


def _chain(error: BaseException) -> list[BaseException]:
    """The error and what it was made from, outermost first. Clients hide it in various places."""
    found: list[BaseException] = []
    inner: object = error
    while isinstance(inner, BaseException) and inner not in found and len(found) < DEEPEST:
        found.append(inner)
        named = (getattr(inner, name, None) for name in ("reason", "original"))
        hidden = [inner.__cause__, *named, *inner.args, inner.__context__]
        inner = next((candidate for candidate in hidden if isinstance(candidate, BaseException)), None)
    return found


def cause_of_number(number: int) -> str:
    """The words for a system's error number."""
    return _BY_NUMBER.get(number) or os.strerror(number).lower()
