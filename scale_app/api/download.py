"""An answer that is written while it is sent, and ends honestly whatever comes in between."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Mapping

import anyio
from starlette.responses import StreamingResponse
from starlette.types import Send

from scale_app.domain.errors import ScaleError

log = logging.getLogger(__name__)


class Download(StreamingResponse):
    """Sends the pieces as they come. When the client goes, their making ends at once.

    An error in the middle is logged, and the connection ends without the last chunk: the client sees that the file is
    not whole.
    """

    def __init__(self, pieces: AsyncGenerator[bytes, None], headers: Mapping[str, str], what: str) -> None:
        super().__init__(pieces, headers=headers)
        self._pieces = pieces
        self._what = what

    async def stream_response(self, send: Send) -> None:
        try:
            await super().stream_response(send)
        except ScaleError as error:
            log.error("%s was cut off: %s", self._what, error)
        finally:
            with anyio.CancelScope(shield=True):
                await self._pieces.aclose()
