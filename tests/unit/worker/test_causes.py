"""The words for what went wrong."""

from __future__ import annotations

import errno
import os
import socket
import ssl

import pytest

from scale_app.worker.health import cause_of, cause_of_exception


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), "connection refused"),
        (BrokenPipeError(errno.EPIPE, "x"), "connection reset"),
        (OSError(errno.EMFILE, "x"), "too many open files"),
        (OSError(errno.ENOBUFS, "x"), os.strerror(errno.ENOBUFS).lower()),
        (OSError("cut"), "cut"),
        (OSError(), "connection failed"),
        (socket.gaierror(-2, "x"), "name not resolved"),
        (ssl.SSLError(1, "x"), "TLS: handshake failed"),
    ],
)
def test_each_error_has_its_words(error: OSError, cause: str) -> None:
    assert cause_of(error) == cause


def hidden(error: BaseException, **attributes: object) -> BaseException:
    """An error of a client's own kind around the system's."""
    outer = Exception("HTTPConnectionPool(host='x', port=80): Max retries exceeded")
    for name, value in attributes.items():
        setattr(outer, name, value)
    if not attributes:
        outer.__cause__ = error
    return outer


REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, "x")


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (hidden(REFUSED), "connection refused"),
        (hidden(REFUSED, reason=hidden(REFUSED)), "connection refused"),
        (hidden(REFUSED, original=REFUSED), "connection refused"),
        (hidden(socket.gaierror(-2, "x")), "name not resolved"),
        (hidden(OSError("address not allowed")), "address not allowed"),
        (hidden(TimeoutError("timed out")), "timeout"),
        (ValueError("the basket is empty"), "the basket is empty"),
        (KeyError(), "KeyError"),
        (ValueError("x" * 1_000), "x" * 120),
    ],
)
def test_what_a_client_s_error_hides_is_found(error: BaseException, cause: str) -> None:
    assert cause_of_exception(error) == cause


def test_errors_that_hide_one_another_end_too() -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    assert cause_of_exception(first) == "first"
