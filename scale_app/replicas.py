"""Who may use the database: this process alone, or all that share one Redis; and what those share. Where the ports of
several servers meet their adapters.

Redis's client is loaded where a Redis is configured: docs/decisions/0023-replicas.md.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING

from scale_app.adapters.in_process import LocalLeases
from scale_app.adapters.store import SqlLeases, migrate
from scale_app.adapters.this_machine import SystemClock, single_instance
from scale_app.settings import load_settings

if TYPE_CHECKING:
    from scale_app.adapters.redis import Server
    from scale_app.ports import Clock
    from scale_app.replica_ports import Leases, RunBus
    from scale_app.service.holding import Users

log = logging.getLogger(__name__)
LET_GO_S = 0.5
"""The end of the process waits no longer for a database that hangs; the lease then runs out by itself."""


@asynccontextmanager
async def in_use(database_url: str) -> AsyncIterator[None]:
    """This process may use the database, which has this version's tables: alone, or with those that share its Redis.

    Raises StoreUnavailable, BusUnavailable.
    """
    with single_instance(database_url, shared=bool(redis_url())):
        await migrate(database_url)
        if database_url.startswith("sqlite") and not redis_url():
            yield  # no other machine has the file
            return
        async with _held(SqlLeases(database_url)):
            yield


@asynccontextmanager
async def _held(leases: SqlLeases) -> AsyncIterator[None]:
    """Hold the database's lease. If it is lost, the process ends at once."""
    from scale_app.service.holding import Holding
    from scale_app.service.tasks import cancelled

    users = await _users(leases)
    holding = Holding(leases, users, SystemClock(), lambda: os.kill(os.getpid(), signal.SIGINT))
    await holding.claim()
    keeping = asyncio.create_task(holding.keep())
    try:
        yield
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(LET_GO_S):
                await cancelled(keeping)
                await holding.let_go()
        await leases.close()


async def _users(leases: SqlLeases) -> Users:
    """Those that use the database together: this process, or all that share its Redis. Raises BusUnavailable."""
    from scale_app.service.holding import Users

    if (server := redis()) is None:
        alone = uuid.uuid4().hex
        return Users(lambda: asyncio.sleep(0, alone), lambda _: asyncio.sleep(0), alone=True)
    server.installation = await leases.installation()
    for sentence in await redis_warnings():
        log.warning(sentence)
    return Users(server.identity, server.remember, alone=False)


async def redis_warnings() -> list[str]:
    """What of the settings of Redis may cost something later. Raises BusUnavailable."""
    if (server := redis()) is None:
        return []
    from scale_app.adapters.redis import warnings

    return await warnings(server)


async def let_go_of_redis() -> None:
    if server := redis():
        await server.close()


@cache
def redis_url() -> str:
    return load_settings().redis_url


@cache
def redis() -> Server | None:
    """What several servers share; None where there is but one."""
    if not redis_url():
        return None
    from scale_app.adapters.redis import Server

    return Server(redis_url())


def run_leases(clock: Clock) -> Leases:
    """Under which runs are owned."""
    if (server := redis()) is None:
        return LocalLeases(clock)
    from scale_app.adapters.redis import RedisLeases

    return RedisLeases(server)


def run_bus() -> RunBus | None:
    """To the other servers; None where there are none."""
    if (server := redis()) is None:
        return None
    from scale_app.adapters.redis import RedisBus

    return RedisBus(server)
