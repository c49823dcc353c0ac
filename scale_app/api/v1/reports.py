"""A run as a file, and against the thresholds of its plan.

A file is written while it is sent, and ends honestly whatever comes in between.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from functools import partial

import anyio
from starlette.responses import Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from scale_app.api.operation import NO_STORE, CheckedRequest, Operation
from scale_app.api.v1.operations import RUN
from scale_app.domain.errors import RunNotFound, ScaleError, TooManyExports
from scale_app.domain.gating import GateResult
from scale_app.reports import FORMATS
from scale_app.reports.formats import FormatName, RunFile, file_name, written
from scale_app.service.hub import Hub

log = logging.getLogger(__name__)
MOST_AT_ONCE = 2
"""Files that are made at once: on two cores more would not end sooner, and each takes some tens of megabytes."""
PATIENCE_S = 10.0
"""A small file is made in less; who waits longer is told to come back."""
TAKE_LIMIT_S = 60.0
"""Within which a client takes a piece: one that takes none would keep others from theirs."""
LONGEST_S = 120.0
"""A file may take longer until somebody was turned away: it is then cut off, so that nobody keeps the places by taking
slowly."""

# A report holds names and texts that a target made up; whatever they say, a browser runs nothing of it.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; sandbox"
KINDS = ", ".join(f'"{form.name}" {form.about}' for form in FORMATS.values())


@dataclass(frozen=True, slots=True)
class ExportQuery:
    """format: the format."""

    format: FormatName = "json"


def report_operations(hub: Hub) -> list[Operation]:
    """/api/v1/runs/{run_id}/export and /gate."""
    places = Places()
    media = tuple(dict.fromkeys(form.media_type.partition(";")[0] for form in FORMATS.values() if form.name != "json"))

    async def export(asked: CheckedRequest) -> Response:
        form = FORMATS[asked.query.format]
        await hub.run(asked.run_id)  # refused while it still can be: the answer begins before all is read
        pieces = written(asked.run_id, form.name, hub.whole, hub.recorded)
        headers = {
            "Content-Disposition": f'attachment; filename="{file_name(asked.run_id, form.name)}"',
            "Content-Security-Policy": POLICY,
            "Content-Type": form.media_type,
        }
        place = await places.take()
        return Download(pieces, {**NO_STORE, **headers}, f"The {form.name} of run {asked.run_id}", place)

    return [
        Operation(
            "GET", f"{RUN}/export", "exportRun", "Reports", "Export a run", export, RunFile,
            query=ExportQuery, media=media, errors=(RunNotFound, TooManyExports),
            does=f"Formats: {KINDS}. The file is named after the run. At most two exports run at the same time.",
        ),
        Operation(
            "GET", f"{RUN}/gate", "getGate", "Reports", "Check a run against its thresholds",
            lambda asked: hub.gate(asked.run_id),
            GateResult, errors=(RunNotFound,), does="During a run: the figures so far.",
        ),
    ]  # fmt: skip


class Places:
    """Places for files that are written at once. If none is free, requests wait in order of arrival."""

    def __init__(self, most: int = MOST_AT_ONCE, now_s: Callable[[], float] = time.monotonic) -> None:
        self._most, self._now_s = most, now_s
        self._free = asyncio.Semaphore(most)
        self._turned_away = False

    async def take(self) -> ExportPlace:
        """Raises TooManyExports."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._free.acquire()
        except TimeoutError:
            self._turned_away = True
            raise TooManyExports(self._most, math.ceil(PATIENCE_S)) from None
        return ExportPlace(self, self._now_s())

    def overdue(self, since_s: float) -> bool:
        """Has somebody held a place for too long while others got none?"""
        return self._turned_away and self._now_s() - since_s > LONGEST_S

    def free(self) -> None:
        """Leave one to the next."""
        self._turned_away = False
        self._free.release()


@dataclass(frozen=True, slots=True)
class ExportPlace:
    """One of the places, held since then."""

    of: Places
    since_s: float

    def check(self) -> None:
        """Raises PlaceLost when it is another's turn."""
        if self.of.overdue(self.since_s):
            raise PlaceLost


class PlaceLost(Exception):
    """Others have waited for too long for this place."""


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
        place: ExportPlace,
    ) -> None:
        """what: it is, for the log. place: is free once it has ended, however that was."""
        super().__init__(pieces, headers=headers)
        self._pieces = pieces
        self._what = what
        self._place = place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._place.of.free()

    async def stream_response(self, send: Send) -> None:
        try:
            await super().stream_response(partial(self._taken, send))
        except ScaleError as error:
            log.error("%s was cut off: %s", self._what, error)
        except TimeoutError:
            log.warning("%s was cut off: its client took nothing for %g s", self._what, TAKE_LIMIT_S)
        except PlaceLost:
            log.warning("%s was cut off: not taken within %g s, while others waited", self._what, LONGEST_S)
        finally:
            with anyio.CancelScope(shield=True):
                await self._pieces.aclose()

    async def _taken(self, send: Send, message: Message) -> None:
        """Raises TimeoutError when the client does not take it, PlaceLost when it has taken too long for others."""
        self._place.check()
        async with asyncio.timeout(TAKE_LIMIT_S):
            await send(message)
