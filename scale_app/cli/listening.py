"""The server's socket: a connection whose client takes nothing is cut by the system, not kept for as long as it is."""

from __future__ import annotations

import os
import socket
from typing import Any

from granian.net import SocketSpec  # type: ignore[attr-defined]
from granian.server.embed import Server

CUT_AFTER_S = 30.0
"""From the first byte that a client does not take. A browser that sleeps for longer connects again."""


class CuttingServer(Server):
    """granian's server, which waits for ever for a closing WebSocket whose client does not read.

    cut_after_s: see CUT_AFTER_S. Where the system does not know TCP_USER_TIMEOUT (it is Linux's) nothing is cut.
    """

    def __init__(self, *args: Any, cut_after_s: float = CUT_AFTER_S, **more: Any) -> None:
        super().__init__(*args, **more)
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
