"""A run's file in pieces, so that neither all of it is in memory nor anybody waits while it is written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing

from scale_app.domain.recording import Recorded, WholeRun
from scale_app.reports.formats import FORMATS, FormatName, export
from scale_app.reports.run_json import BEGINNING, after_recording, before_recording, recorded


async def written(
    run_id: str,
    name: FormatName,
    read: Callable[..., Awaitable[WholeRun]],
    recorded_lines: Callable[[str], AsyncGenerator[list[Recorded], None]],
) -> AsyncGenerator[bytes, None]:
    """The same file as `export` makes. read, recorded_lines: see `RunQueries.whole` and `recorded`.

    The recording is read as the file is written. Each piece is made in a thread, and in a few milliseconds; what needs
    nothing of the run comes before it is read.
    """
    form = FORMATS[name]
    pods = form.needs_pods or form.needs_recording
    if not form.needs_recording:
        yield (await asyncio.to_thread(export, await read(run_id, pods=pods), name)).content
        return
    yield BEGINNING
    whole = await read(run_id, pods=pods)
    async for piece in _aside(before_recording(whole)):
        yield piece
    first = True
    async with aclosing(recorded_lines(run_id)) as reading:
        async for lines in reading:
            yield await asyncio.to_thread(recorded, lines, first)
            first = False
    async for piece in _aside(after_recording(whole)):
        yield piece


async def _aside(pieces: Iterator[bytes]) -> AsyncGenerator[bytes, None]:
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece
