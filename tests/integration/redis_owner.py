"""A process that owns a run in Redis and appends an event to its stream every tenth of a second: `URL INSTALLATION`.

Each line that it prints is the number of an event that was appended, and at last why it ended.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

from scale_app.adapters.redis import RedisBus, RedisLeases, Server
from scale_app.domain.errors import BusUnavailable, LeaseLost
from scale_app.domain.events import Numbered, StateChanged
from scale_app.domain.snapshot import RunState


def say(what: object) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


async def main(url: str, installation: str) -> None:
    server = Server(url, installation)
    leases, bus = RedisLeases(server), RedisBus(server)
    lease = await leases.claim("run run-1", "owner")
    assert lease is not None
    try:
        for seq in range(200):  # a test that fails must end as well
            with suppress(BusUnavailable):  # an answer that a pause has made late
                await bus.append(lease, "run-1", [Numbered(seq, StateChanged(float(seq), RunState.RUNNING))])
                say(seq)
                await leases.renew(lease)
            await asyncio.sleep(0.1)
    except LeaseLost as error:
        say(error)
    await server.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
