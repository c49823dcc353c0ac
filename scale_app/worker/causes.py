"""Why a request got no answer, in a few words that people know: the keys of TrafficSample.errors."""

from __future__ import annotations

import builtins
import errno
import os
import socket
import ssl

TIMEOUT = "timeout"
CLOSED_EARLY = "closed early"
MALFORMED = "malformed answer"
HEADER_TOO_LARGE = "header too large"
ADDRESS_NOT_ALLOWED = "address not allowed"
NOT_RESOLVED = "name not resolved"

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
    errno.EADDRNOTAVAIL: "no free local port",
    errno.EMFILE: "too many open files",
    errno.ENFILE: "too many open files",
}


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
