"""An answer that is written while it is sent, and ends honestly whatever comes in between."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncGenerator, Callable, Mapping
from functools import partial

import anyio
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from scale_app.domain.errors import ScaleError, TooManyExports

log = logging.getLogger(__name__)
MOST_AT_ONCE = 2
"""Files that are made at once: on two cores more would not end sooner, and each takes some tens of megabytes."""
PATIENCE_S = 10.0
"""A small file is made in less; who waits longer is told to come back."""
TAKE_LIMIT_S = 60.0
"""Within which a client takes a piece: one that takes none would keep others from theirs."""


class Places:
    """For so many files at once. Who finds none free waits a while for one, in the order in which they came."""

    def __init__(self, most: int = MOST_AT_ONCE) -> None:
        self._most = most
        self._free = asyncio.Semaphore(most)

    async def take(self) -> None:
        """Raises TooManyExports."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._free.acquire()
        except TimeoutError:
            raise TooManyExports(self._most, math.ceil(PATIENCE_S)) from None

    def free(self) -> None:
        """Leave it to the next."""
        self._free.release()


class Download(StreamingResponse):
    """Sends the pieces as they come. When the client goes, their making ends at once.

    An error in the middle is logged, and the connection ends without the last chunk: the client sees that the file is
    not whole.
    """

    def __init__(
        self,
        pieces: AsyncGenerator[bytes, None],
        headers: Mapping[str, str],
        what: str,
        over: Callable[[], None] = lambda: None,
    ) -> None:
        """what: it is, for the log. over: called once, however it ended."""
        super().__init__(pieces, headers=headers)
        self._pieces = pieces
        self._what = what
        self._over = over

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._over()

    async def stream_response(self, send: Send) -> None:
        try:
            await super().stream_response(partial(_taken, send))
        except ScaleError as error:
            log.error("%s was cut off: %s", self._what, error)
        except TimeoutError:
            log.warning("%s was cut off: its client took nothing for %g s", self._what, TAKE_LIMIT_S)
        finally:
            with anyio.CancelScope(shield=True):
                await self._pieces.aclose()


async def _taken(send: Send, message: Message) -> None:
    """Raises TimeoutError when the client does not take it."""
    async with asyncio.timeout(TAKE_LIMIT_S):
        await send(message)
