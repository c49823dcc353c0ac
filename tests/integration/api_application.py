"""The application that test_api_server runs in a process of its own: the real API over a fake hub in motion."""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.types import ASGIApp

from scale_app.api.guard import Guard
from scale_app.api.routes import api_app
from scale_app.cli.connections import LimitedServer
from scale_app.domain.events import SnapshotTaken
from scale_app.domain.plan import LoadPlan
from scale_app.domain.record import RunRecord
from scale_app.domain.snapshot import RunState, Source
from scale_app.settings import Settings
from tests.fakes import a_snapshot
from tests.fakes_hub import FakeHub

EVERY_S = 0.01
CUT_AFTER_S = 3.0
HEAD_LIMIT_S = 5.0
PODS = 300


@asynccontextmanager
async def in_motion() -> AsyncIterator[ASGIApp]:
    hub, settings = FakeHub(), Settings(allowed_origins=("https://scale.example",))
    hub.add(RunRecord("run-0", LoadPlan(), Source.DEMO, RunState.RUNNING, 1.0))

    task = asyncio.create_task(_publish(hub))
    yield Guard(api_app(hub), settings)
    task.cancel()


async def _publish(hub: FakeHub) -> None:
    for seq in itertools.count():
        hub.publish("run-0", SnapshotTaken(float(seq), a_snapshot("run-0", seq, requests=range(PODS))))
        await asyncio.sleep(EVERY_S)


async def serve(port: int) -> None:
    """As `scale serve` does, but less patient with a client that takes or says nothing."""
    async with in_motion() as application:
        limits = {"cut_after_s": CUT_AFTER_S, "head_limit_s": HEAD_LIMIT_S}
        await LimitedServer(application, "127.0.0.1", port, 2_000, **limits).serve()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
