"""Where a command's runs live: in this process, with its own database, or in a running server, reached by its API."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol, cast

from scale_app.api.v1.shapes import RunSummary, summary_of
from scale_app.cli.there import Server
from scale_app.domain.cluster import PermissionList, TargetList
from scale_app.domain.compare import Comparison
from scale_app.domain.plan import LoadPlan
from scale_app.domain.recording import WholeRun
from scale_app.domain.run import RunRecord
from scale_app.service.hub import Hub


class House(Protocol):
    """What commands ask for; each method raises what the hub's of the same name raises."""

    async def start(self, plan: LoadPlan) -> str: ...

    def watch(self, run_id: str) -> AsyncIterator[RunRecord]:
        """The run as it is, again and again, until it has ended; the last one is how it ended."""

    async def stop(self, run_id: str) -> None: ...

    async def run(self, run_id: str) -> RunRecord: ...

    async def runs(self, limit: int) -> list[RunSummary]: ...

    async def whole(self, run_id: str, recording: bool = False, pods: bool = False) -> WholeRun: ...

    async def compare(self, first_id: str, second_id: str) -> Comparison: ...

    async def mark_baseline(self, run_id: str, name: str) -> None: ...

    async def targets(self) -> TargetList: ...

    async def permissions(self) -> PermissionList: ...


class Here:
    """The hub of this process."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.start, self.stop, self.run = hub.start, hub.stop, hub.run
        self.whole, self.compare, self.mark_baseline = hub.whole, hub.compare, hub.mark_baseline
        self.targets, self.permissions = hub.targets, hub.permissions

    async def runs(self, limit: int) -> list[RunSummary]:
        return [summary_of(run) for run in await self._hub.runs(limit)]

    async def watch(self, run_id: str) -> AsyncIterator[RunRecord]:
        """Ends only when everything of the run is stored."""
        async with self._hub.follow(run_id) as followed:
            yield followed.record
            async for _ in followed.updates:
                yield await self._hub.run(run_id)
        yield await self._hub.run(run_id)


@asynccontextmanager
async def opened(server: str | None) -> AsyncIterator[House]:
    """The house that a command works in. server: the URL of a running server, None for this process.

    Raises SettingsError, StoreUnavailable, ServerRefused, ServerAway.
    """
    if server:
        async with Server(server) as there:
            yield there
        return
    # As late as this, because it takes a second.
    wiring = importlib.import_module("scale_app.wiring")
    async with wiring.lifespan():
        yield Here(cast(Hub, wiring.hub()))
