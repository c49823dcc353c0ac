"""The real API on the real hub, as `scale serve` has it but for the page; `python -m` serves it until SIGTERM."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from scale_app import wiring
from scale_app.api.guard import Guard
from scale_app.api.identity import KnownCallers
from scale_app.api.routes import api_app
from scale_app.cli.connections import allow_connections
from scale_app.cli.server import listener


async def main() -> None:
    """One process, so that nothing is left when it is killed."""
    settings = wiring.settings()
    application = Guard(KnownCallers(api_app(wiring.hub()), wiring.ways_in()), settings)
    allow_connections(settings.max_connections)
    server = listener(application, settings.host, settings)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.stop)
    async with wiring.lifespan():
        await server.serve()
    # As `scale serve` ends: a driver that hangs is not waited for.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main())
