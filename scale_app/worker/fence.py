"""Keeps the connections of code that is not ours inside the networks that were admitted."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from typing import Any

from scale_app.worker.causes import ADDRESS_NOT_ALLOWED

INTERNET = (socket.AF_INET, socket.AF_INET6)


def fence(permits: Callable[[str], bool], opened: Callable[[], None]) -> None:
    """From now on every TCP connection that this process's Python code opens is checked, and told when it stands.

    permits: may a connection to this address be opened? Raises OSError in the code that tries another one. It is a
    fence against mistakes, such as an absolute URL or a redirect; code that wants to get around it can.
    """

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event != "socket.connect":
            return
        connecting, address = arguments
        if connecting.family in INTERNET and connecting.type == socket.SOCK_STREAM:
            if not _permitted(str(address[0]), permits):
                raise OSError(ADDRESS_NOT_ALLOWED)
            # gevent asks twice, the second time when the connection stands.
            if _stands(connecting):
                opened()

    sys.addaudithook(watch)


def _stands(connecting: socket.socket) -> bool:
    try:
        connecting.getpeername()
    except OSError:
        return False
    return True


def _permitted(host: str, permits: Callable[[str], bool]) -> bool:
    try:
        return permits(host)
    except ValueError:  # a name, which nobody has resolved and checked
        return False
