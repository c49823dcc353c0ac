"""Tasks of the service that may hang or fail: waited for no longer than a limit, and no failure stays silent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from scale_app.ports import Clock

log = logging.getLogger(__name__)
Sleep = Callable[[float], Awaitable[None]]
"""Lets this many seconds pass."""


async def settled_within(clock: Clock, limit_s: float, what: str, *works: Coroutine[Any, Any, object]) -> bool:
    """Run these to their end, side by side, for at most so long; True when each ended well.

    What one raises is logged, and so is that one is late: that one is cancelled and not waited for any more.
    what: they are, for the log.
    """
    tasks: set[asyncio.Future[Any]] = {asyncio.ensure_future(work) for work in works}
    late = await late_after(clock, limit_s, tasks)
    for task in late:
        task.cancel()
        log.error("%s: not done within %g s, abandoned", what, limit_s)
    errors = [error for task in tasks - late if not task.cancelled() and (error := task.exception())]
    for error in errors:
        log.error("%s: failed", what, exc_info=error)
    return not late and not errors


async def late_after(clock: Clock, limit_s: float, tasks: set[asyncio.Future[Any]]) -> set[asyncio.Future[Any]]:
    """Wait until these are done, or so long; those that are not."""
    limit = asyncio.ensure_future(clock.sleep(limit_s))
    try:
        waiting = set(tasks)
        while waiting and not limit.done():
            await asyncio.wait({*waiting, limit}, return_when=asyncio.FIRST_COMPLETED)
            waiting = {task for task in waiting if not task.done()}
        return waiting
    finally:
        limit.cancel()


async def first_of(*works: Awaitable[object]) -> None:
    """Return when one of these is over; the others are cancelled then. What they raise is not told."""
    waits = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await cancelled(*waits)


async def cancelled(*tasks: asyncio.Future[Any]) -> None:
    """Cancel them and return when they are over; what they raise is the caller's no more."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class Background:
    """Tasks that go on behind the callers until `end`. One that fails is logged; the others go on."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def end(self) -> None:
        """Cancel all that still go on and return when they are over."""
        await cancelled(*self._tasks)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("a part of Scale ended unexpectedly", exc_info=error)
