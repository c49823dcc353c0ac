"""A client's connection: tied to one pod at accept() and answered in order by that pod until it ends.

Under a layer-7 policy the balancer ends the connection itself, so that each further request is tied to a pod anew.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import cast

from scale_app.demo.cluster import PodCluster
from scale_app.demo.http1 import CONTINUE, BadRequest, Request, RequestReader
from scale_app.demo.pods import DemoPod

DRAIN_IDLE_S = 1.0
RESET_ON_CLOSE = struct.pack("ii", 1, 0)

_UNREADABLE = Request(head_only=False, body_bytes=0, connection="close", expects_continue=False)


class ClientConnection(asyncio.Protocol):
    """HTTP/1.1 on one socket. A pod's answer is counted when it is written, so that a cut request is no answer."""

    _transport: asyncio.Transport
    _pod: DemoPod
    _client: str

    def __init__(self, cluster: PodCluster) -> None:
        self._cluster = cluster
        self._reader = RequestReader()
        self._thinking: asyncio.TimerHandle | None = None
        self._draining: asyncio.TimerHandle | None = None
        self._peer_full = False
        self._asked = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._client = transport.get_extra_info("peername")[0]
        self._meet_pod()

    def connection_lost(self, exc: Exception | None) -> None:
        if hasattr(self, "_pod"):
            self._pod.links.discard(self)
        for timer in (self._thinking, self._draining):
            if timer:
                timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        self._proceed()

    def pause_writing(self) -> None:
        """The peer does not read its answers: take no more requests from it."""
        self._peer_full = True
        self._steer_reading()

    def resume_writing(self) -> None:
        self._peer_full = False
        self._steer_reading()

    def reset(self) -> None:
        """Cut the connection as a vanished pod does: the peer gets a TCP reset, unsent bytes are dropped."""
        peer = self._transport.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self._transport.abort()

    def drain(self) -> None:
        """End after the next answer, or when none is asked for within a second.

        A peer under load has its next request on the way already, so closing at once would lose it.
        """
        self._draining = asyncio.get_running_loop().call_later(DRAIN_IDLE_S, self._drained)

    def _drained(self) -> None:
        if self._thinking:
            self._reader.forget()  # so that the answer in the making is the last one
        else:
            self._transport.close()

    def _proceed(self) -> None:
        try:
            while not self._thinking and not self._transport.is_closing() and (request := self._reader.next()):
                self._take(request)
        except BadRequest:
            self._answer(_UNREADABLE, 400)
            return
        if self._reader.continue_due():
            self._transport.write(CONTINUE)

    def _meet_pod(self) -> bool:
        """Tie this connection to the pod that the balancer picks; False, and the connection is cut, without one."""
        pod = self._cluster.pick(self._client)
        if pod is None:
            self.reset()
            return False
        if hasattr(self, "_pod"):
            self._pod.links.discard(self)
        self._pod = pod
        pod.links.add(self)
        return True

    def _take(self, request: Request) -> None:
        if self._asked and self._cluster.per_request and not self._meet_pod():
            return
        self._asked = True
        status = self._pod.status(self._cluster.rng)
        loop = asyncio.get_running_loop()
        if delay_s := self._pod.take(loop.time()):
            self._thinking = loop.call_later(delay_s, self._answer_late, request, status)
            self._steer_reading()
        else:
            self._answer(request, status)

    def _answer_late(self, request: Request, status: int) -> None:
        self._thinking = None
        self._answer(request, status)
        if not self._transport.is_closing():
            self._steer_reading()
            self._proceed()

    def _answer(self, request: Request, status: int) -> None:
        connection = request.connection
        if self._draining and self._reader.empty:
            connection = "close"
        self._transport.write(self._pod.answers[status, request.head_only, connection])
        self._pod.answered += 1
        if connection == "close":
            self._transport.close()

    def _steer_reading(self) -> None:
        """Leave further requests in the kernel while one is being answered, so that memory stays bounded."""
        if self._thinking or self._peer_full:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()
