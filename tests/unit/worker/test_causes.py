"""The words for what went wrong."""

from __future__ import annotations

import errno
import os
import socket
import ssl

import pytest

from scale_app.worker.causes import cause_of


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
