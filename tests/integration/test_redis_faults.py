"""A real Redis that hangs, ends, forgets and refuses; and an owner that is paused beyond its lease."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager

import pytest

from scale_app.adapters.redis import RedisBus, RedisLeases, Server
from scale_app.domain.errors import BusUnavailable
from scale_app.domain.events import Numbered, StateChanged
from scale_app.domain.snapshot import RunState
from scale_app.replica_ports import Lease
from tests.redis_server import PASSWORD, RedisServer, redis_here
from tests.serving import PROJECT, free_port

ENDS_WITHIN_S = 30.0
LEASE = Lease("run run-1", "a", 1_700_000_000_000_000)


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with redis_here() as server:
        yield server


@pytest.fixture
async def server(redis: RedisServer) -> AsyncIterator[Server]:
    opened = Server(redis.url, "faults")
    yield opened
    await opened.close()


def event(seq: int) -> Numbered:
    return Numbered(seq, StateChanged(float(seq), RunState.RUNNING))


async def refusal(server: Server) -> str:
    with pytest.raises(BusUnavailable) as refused:
        await RedisLeases(server).renew(LEASE)
    return str(refused.value)


async def test_one_that_hangs_is_told_of_in_time_and_works_again_afterwards(redis: RedisServer, server: Server) -> None:
    leases = RedisLeases(server)
    await leases.renew(LEASE)
    with redis.stopped():
        assert "no answer in time" in await refusal(server)
    await leases.renew(LEASE)
    assert await leases.free([LEASE.name]) == frozenset()


async def test_one_that_came_back_is_used_again(redis: RedisServer, server: Server) -> None:
    bus = RedisBus(server)
    await bus.append(LEASE, "run-1", [event(0)])
    with redis.down():
        assert f"Renewing a lease failed on redis://127.0.0.1:{redis.port}/0" in await refusal(server)
    await bus.append(LEASE, "run-1", [event(1)])
    assert await bus.read("run-1") == [event(0), event(1)]


async def test_one_that_has_forgotten_everything_takes_what_is_renewed(redis: RedisServer, server: Server) -> None:
    leases, bus = RedisLeases(server), RedisBus(server)
    before = await leases.claim("run run-1", "a")
    assert before is not None
    await bus.append(before, "run-1", [event(0)])
    redis.say("FLUSHALL")
    await leases.renew(before)
    await bus.append(before, "run-1", [event(1)])
    assert await leases.claim("run run-1", "b") is None
    assert await bus.read("run-1") == [event(1)]


async def test_a_claim_after_everything_was_forgotten_still_shuts_out_the_earlier_owner(
    redis: RedisServer, server: Server
) -> None:
    leases = RedisLeases(server)
    before = await leases.claim("run run-1", "a")
    redis.say("FLUSHALL")
    now = await leases.claim("run run-1", "b")
    assert before is not None
    assert now is not None
    assert now.number > before.number


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis://:wrong-secret@127.0.0.1:{port}/0", "Check user name and password in SCALE_REDIS_URL"),
        ("redis://127.0.0.1:{port}/0", "Put the password into SCALE_REDIS_URL"),
        ("redis://:{password}@127.0.0.1:{port}/99", "Check the number of the database"),
        ("redis://:{password}@127.0.0.1:{free}/0", "Check that Redis runs and answers, and SCALE_REDIS_URL"),
        ("redis://:{password}@no-such-host.invalid/0", "Check that Redis runs and answers, and SCALE_REDIS_URL"),
    ],
)
async def test_a_wrong_url_is_told_with_what_to_do_and_without_its_password(
    redis: RedisServer, url: str, said: str
) -> None:
    wrong = Server(url.format(port=redis.port, password=PASSWORD, free=free_port()), "faults")
    sentence = await refusal(wrong)
    await wrong.close()
    assert said in sentence
    assert sentence.endswith(".")
    assert "secret" not in sentence


@pytest.mark.parametrize("url", ["http://:a-secret@host/0", "redis://:a-secret@host:port/0", "a-secret"])
def test_a_url_of_no_use_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(BusUnavailable, match="Reading SCALE_REDIS_URL failed") as refused:
        Server(url, "faults")
    assert "secret" not in str(refused.value)


@contextmanager
def owning(url: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.integration.redis_owner", url, "faults"]
    owner = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT)
    try:
        assert owner.stdout is not None
        with closing(owner.stdout):
            yield owner
    finally:
        owner.kill()
        owner.wait()


async def until_free(leases: RedisLeases, name: str) -> float:
    """Seconds until nobody holds it any more."""
    began_s = time.monotonic()
    async with asyncio.timeout(ENDS_WITHIN_S):
        while name not in await leases.free([name]):
            await asyncio.sleep(0.05)
    return time.monotonic() - began_s


async def test_an_owner_that_was_paused_beyond_its_lease_writes_nothing(redis: RedisServer, server: Server) -> None:
    leases, bus = RedisLeases(server), RedisBus(server)
    with owning(redis.url) as owner:
        assert owner.stdout is not None
        while int(await asyncio.to_thread(owner.stdout.readline)) < 3:
            pass
        owner.send_signal(signal.SIGSTOP)
        await until_free(leases, "run run-1")
        taken = await leases.claim("run run-1", "other")
        assert taken is not None
        seen = await bus.read("run-1")
        await bus.append(taken, "run-1", [event(1_000)])
        await leases.release(taken)
        owner.send_signal(signal.SIGCONT)
        rest = await asyncio.to_thread(owner.stdout.readlines)
        assert "does not own 'run run-1' any more" in rest[-1]
        assert await bus.read("run-1") == [*seen, event(1_000)]


async def test_an_owner_that_was_paused_goes_on_when_nobody_took_its_run(redis: RedisServer, server: Server) -> None:
    leases = RedisLeases(server)
    with owning(redis.url) as owner:
        assert owner.stdout is not None
        while int(await asyncio.to_thread(owner.stdout.readline)) < 3:
            pass
        owner.send_signal(signal.SIGSTOP)
        await until_free(leases, "run run-1")
        owner.send_signal(signal.SIGCONT)
        while int(await asyncio.to_thread(owner.stdout.readline)) < 10:
            pass
        assert await leases.claim("run run-1", "other") is None
