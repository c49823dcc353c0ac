"""A run's file in pieces, so that neither all of it is in memory nor anybody waits while it is written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing

from scale_app.domain.recording import Recorded, WholeRun
from scale_app.reports.formats import FORMATS, FormatName, export
from scale_app.reports.run_json import BEGINNING, after_recording, before_recording, recorded

Recording = AsyncGenerator[list[Recorded], None]


async def written(
    read: Callable[[], Awaitable[WholeRun]], name: FormatName, recording: Recording
) -> AsyncGenerator[bytes, None]:
    """The same file as `export` makes. read: gives the run without its recording, which is read as the file is written.

    Each piece is made in a thread, and in a few milliseconds; what needs nothing of the run comes before it is read.
    """
    if not FORMATS[name].needs_recording:
        yield (await asyncio.to_thread(export, await read(), name)).content
        return
    yield BEGINNING
    whole = await read()
    async for piece in _aside(before_recording(whole)):
        yield piece
    first = True
    async with aclosing(recording) as reading:
        async for lines in reading:
            yield await asyncio.to_thread(recorded, lines, first)
            first = False
    async for piece in _aside(after_recording(whole)):
        yield piece


async def _aside(pieces: Iterator[bytes]) -> AsyncGenerator[bytes, None]:
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece
