"""Where a command's runs live: in this process, with its own database, or in a running server, reached by its API."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

from scale_app.cli.loading import loading

if TYPE_CHECKING:
    from scale_app.api.v1.summary import RunSummary
    from scale_app.domain.cluster import PermissionList, TargetList
    from scale_app.domain.compare import Comparison
    from scale_app.domain.plan import LoadPlan
    from scale_app.domain.record import RunRecord
    from scale_app.domain.recording import WholeRun
    from scale_app.reports.formats import FormatName


class House(Protocol):
    """What commands ask for; each method raises what the hub's of the same name raises."""

    async def start(self, plan: LoadPlan) -> str: ...

    def watch(self, run_id: str) -> AsyncIterator[RunRecord]:
        """The run as it is, again and again, until it has ended; the last one is how it ended."""

    async def stop(self, run_id: str) -> None: ...

    async def run(self, run_id: str) -> RunRecord: ...

    async def runs(self, limit: int) -> list[RunSummary]: ...

    async def whole(self, run_id: str, recording: bool = False, pods: bool = False) -> WholeRun: ...

    def file(self, run_id: str, name: FormatName) -> AsyncGenerator[bytes, None]:
        """The run as a file, in pieces."""

    async def compare(self, first_id: str, second_id: str) -> Comparison: ...

    async def mark_baseline(self, run_id: str, name: str) -> None: ...

    async def targets(self) -> TargetList: ...

    async def permissions(self) -> PermissionList: ...


@asynccontextmanager
async def opened(server: str | None) -> AsyncIterator[House]:
    """The house that a command works in. server: the URL of a running server, None for this process.

    Raises SettingsError, StoreUnavailable, ServerRefused, ServerAway.
    """
    # As late as this: each way brings libraries along that the other has no use for.
    if server:
        from scale_app.cli.there import Server

        async with Server(server) as there:
            yield there
        return
    with loading():
        from scale_app import wiring
        from scale_app.cli.here import Here

    async with wiring.lifespan():
        yield Here(wiring.hub())
