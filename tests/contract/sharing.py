"""What the contract of leases and bus is asked of: each adapter with a way to let its leases run out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import create_async_engine

from scale_app.adapters.in_process import LocalLeases
from scale_app.adapters.redis import RedisBus, RedisLeases, Server
from scale_app.adapters.store import SqlLeases, migrate
from scale_app.replica_ports import LEASE_S, Leases, RunBus
from tests.fake_bus import FakeBus
from tests.fakes import FakeClock
from tests.redis_server import RedisServer


@dataclass(frozen=True)
class Owning:
    """Leases alone. run_out: lets this lease run out."""

    leases: Leases
    run_out: Callable[[str], Awaitable[None]]


@dataclass(frozen=True)
class Shared:
    """run_out: lets this lease run out."""

    leases: Leases
    bus: RunBus
    run_out: Callable[[str], Awaitable[None]]


def local() -> Shared:
    clock = FakeClock()
    leases = LocalLeases(clock)

    async def run_out(_name: str) -> None:
        clock.advance(LEASE_S)

    return Shared(leases, FakeBus(leases), run_out)


@asynccontextmanager
async def in_redis(redis: RedisServer, installation: str) -> AsyncIterator[Shared]:
    async with aclosing(Closable(redis, installation)) as opened:
        server, leases = opened.server, RedisLeases(opened.server)

        async def run_out(name: str) -> None:
            await server.ask("Letting a lease run out", "PEXPIRE", server.key("lease", name), 1)
            while name not in await leases.free([name]):
                pass

        yield Shared(leases, RedisBus(server), run_out)


@asynccontextmanager
async def in_database(url: str) -> AsyncIterator[Owning]:
    await migrate(url)
    leases = SqlLeases(url)

    async def run_out(name: str) -> None:
        async with create_async_engine(url).begin() as connection:
            await connection.exec_driver_sql(f"UPDATE leases SET until_epoch_s = 0 WHERE name = '{name}'")
        await connection.engine.dispose()

    yield Owning(leases, run_out)
    await leases.close()


class Closable:
    def __init__(self, redis: RedisServer, installation: str) -> None:
        self.server = Server(redis.url, installation)

    async def aclose(self) -> None:
        await self.server.close()
