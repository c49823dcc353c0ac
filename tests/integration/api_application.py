"""The application that test_api_server runs in a process of its own: the real API over a fake hub in motion."""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from granian.constants import Interfaces
from starlette.applications import Starlette
from starlette.types import ASGIApp

from scale_app.api.guard import Guard
from scale_app.api.routes import api_app
from scale_app.cli.server import CuttingServer
from scale_app.domain.events import SnapshotTaken
from scale_app.domain.plan import LoadPlan
from scale_app.domain.record import RunRecord
from scale_app.domain.snapshot import RunState, Source
from scale_app.settings import Settings
from tests.fakes import a_snapshot
from tests.fakes_hub import FakeHub

EVERY_S = 0.01
CUT_AFTER_S = 3.0
PODS = 300


def application() -> ASGIApp:
    hub, settings = FakeHub(), Settings(allowed_origins=("https://scale.example",))
    hub.add(RunRecord("run-0", LoadPlan(), Source.DEMO, RunState.RUNNING, 1.0))

    @asynccontextmanager
    async def in_motion(_app: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(_publish(hub))
        yield
        task.cancel()

    app = Starlette(lifespan=in_motion)
    app.mount("", api_app(hub))
    return Guard(app, settings)


async def _publish(hub: FakeHub) -> None:
    for seq in itertools.count():
        hub.publish("run-0", SnapshotTaken(float(seq), a_snapshot("run-0", seq, requests=range(PODS))))
        await asyncio.sleep(EVERY_S)


async def serve(port: int) -> None:
    """As `scale serve` does, but less patient with a client that takes nothing."""
    server = CuttingServer(
        application(), "127.0.0.1", port, interface=Interfaces.ASGI, websockets=True, cut_after_s=CUT_AFTER_S
    )
    await server.serve()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
