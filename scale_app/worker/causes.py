"""Why a request got no answer, in a few words that people know: the keys of TrafficSample.errors."""

from __future__ import annotations

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
    """The request in hand ends without an answer. cause: a few words, see this module."""

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


def cause_of_number(number: int) -> str:
    """The words for a system's error number."""
    return _BY_NUMBER.get(number) or os.strerror(number).lower()
