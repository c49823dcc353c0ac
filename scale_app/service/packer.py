"""Packs lines that wait for long, in a thread, one after another: the event loop goes on meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from scale_app.service.backlog import Backlog

Backlogs = Callable[[], Iterable[Backlog[Any]]]


class Packer:
    """Keeps what waits small. Begins with the first line that is to be packed."""

    def __init__(self, backlogs: Backlogs, packed: Callable[[], None]) -> None:
        """backlogs: all that may hold lines to pack. packed: called after each line."""
        self._backlogs = backlogs
        self._packed = packed
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def look(self) -> None:
        """There may be a line to pack. Never waits."""
        if any(backlog.to_pack() for backlog in self._backlogs()):
            self._task = self._task or asyncio.create_task(self._pack())
            self._wake.set()

    async def end(self) -> None:
        """Pack no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _pack(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            for backlog in list(self._backlogs()):
                while (waiting := backlog.to_pack()) is not None:
                    backlog.put_back(await asyncio.to_thread(waiting.packed))
                    self._packed()
