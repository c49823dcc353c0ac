"""What contracts are held by: pods behind a fake API server with a client of it, and every store of runs."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from scale_app.adapters.kubernetes.client import ClusterClient
from scale_app.adapters.store import SqlRunStore, migrate
from scale_app.ports import RunStore
from tests.contract.sharing import Owning, Shared, in_database, in_redis, local
from tests.fake_pods import FakePods
from tests.fakes import FakeClock, FakeStore
from tests.postgres import Postgres, postgres_here
from tests.redis_server import RedisServer, redis_here

DATABASES = itertools.count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with postgres_here() as server:
        yield server


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=["fake", "sqlite", "postgres"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> AsyncIterator[RunStore]:
    if request.param == "fake":
        yield FakeStore(clock)
        return
    url = await _new_database(request, tmp_path)
    await migrate(url)
    kept = SqlRunStore(url, clock)
    yield kept
    await kept.close()


@pytest.fixture
async def server() -> AsyncIterator[FakePods]:
    fake = FakePods()
    await fake.start()
    yield fake
    await fake.stop()


@pytest.fixture
async def cluster(server: FakePods, tmp_path: Path) -> AsyncIterator[ClusterClient]:
    opened = ClusterClient(server.kubeconfig(tmp_path))
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisServer]:
    with redis_here() as server:
        yield server


@pytest.fixture(params=["local", "redis"])
async def shared(request: pytest.FixtureRequest) -> AsyncIterator[Shared]:
    if request.param == "local":
        yield local()
        return
    async with in_redis(request.getfixturevalue("redis"), f"contract{next(DATABASES)}") as found:
        yield found


@pytest.fixture(params=["local", "redis", "sqlite", "postgres"])
async def owning(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Owning | Shared]:
    if request.param == "local":
        yield local()
    elif request.param == "redis":
        async with in_redis(request.getfixturevalue("redis"), f"contract{next(DATABASES)}") as shared:
            yield shared
    else:
        async with in_database(await _new_database(request, tmp_path)) as owning:
            yield owning


async def _new_database(request: pytest.FixtureRequest, folder: Path) -> str:
    if request.param == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        return await server.create_database(f"contract{next(DATABASES)}")
    return f"sqlite+aiosqlite:///{folder}/scale.db"
