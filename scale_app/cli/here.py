"""The hub of this process."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from functools import partial

from scale_app.api.v1.summary import RunSummary, summary_of
from scale_app.domain.record import RunRecord
from scale_app.reports.formats import FORMATS, FormatName
from scale_app.reports.streaming import written
from scale_app.service.hub import Hub


class Here:
    """Fulfils House with the hub of this process."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.start, self.stop, self.run = hub.start, hub.stop, hub.run
        self.whole, self.compare, self.mark_baseline = hub.whole, hub.compare, hub.mark_baseline
        self.targets, self.permissions = hub.targets, hub.permissions

    async def runs(self, limit: int) -> list[RunSummary]:
        return [summary_of(run) for run in await self._hub.runs(limit)]

    async def file(self, run_id: str, name: FormatName) -> AsyncGenerator[bytes, None]:
        form = FORMATS[name]
        read = partial(self._hub.whole, run_id, pods=form.needs_pods or form.needs_recording)
        async with aclosing(written(read, name, self._hub.recorded(run_id))) as pieces:
            async for piece in pieces:
                yield piece

    async def watch(self, run_id: str) -> AsyncIterator[RunRecord]:
        """Ends only when everything of the run is stored."""
        async with self._hub.follow(run_id) as followed:
            yield followed.record
            async for _ in followed.updates:
                yield await self._hub.run(run_id)
        yield await self._hub.run(run_id)
