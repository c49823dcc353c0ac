"""Events in batches: all that wait are taken at once, so that a page is redrawn once however many came."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar

T = TypeVar("T")


async def paced(items: AsyncIterator[T], gap_s: float, idle_s: float) -> AsyncIterator[list[T]]:
    """Batches at least gap_s apart; an empty one after each idle_s without an item. Ends when `items` end."""
    coming: asyncio.Future[T] = asyncio.ensure_future(anext(items))
    try:
        while True:
            await asyncio.wait({coming}, timeout=idle_s)
            batch: list[T] = []
            while coming.done():
                try:
                    batch.append(coming.result())
                except StopAsyncIteration:
                    if batch:
                        yield batch
                    return
                coming = asyncio.ensure_future(anext(items))
                await asyncio.sleep(0)
            yield batch
            if batch:
                await asyncio.sleep(gap_s)
    finally:
        coming.cancel()
