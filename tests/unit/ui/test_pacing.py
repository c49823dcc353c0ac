"""Events in batches."""

import asyncio
from contextlib import aclosing

from scale_app.ui.shown.following import paced


async def of(*items):
    for item in items:
        yield item


async def test_all_that_waits_comes_as_one_batch():
    assert [batch async for batch in paced(of(1, 2, 3), gap_s=0, idle_s=5)] == [[1, 2, 3]]


async def test_it_ends_with_its_source():
    assert [batch async for batch in paced(of(), gap_s=0, idle_s=5)] == []


async def test_an_idle_source_gives_empty_batches_and_is_not_disturbed():
    go = asyncio.Event()

    async def late():
        await go.wait()
        yield "late"

    batches = []
    async for batch in paced(late(), gap_s=0, idle_s=0.01):
        batches.append(batch)
        go.set()
    assert batches[0] == []
    assert batches[-1] == ["late"]


async def test_leaving_early_cancels_the_wait_for_the_next_item():
    cancelled = asyncio.Event()

    async def endless():
        yield 1
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with aclosing(paced(endless(), gap_s=0, idle_s=5)) as batches:
        assert await anext(batches) == [1]
    await asyncio.wait_for(cancelled.wait(), 5)
