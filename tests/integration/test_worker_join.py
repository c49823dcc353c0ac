"""Remote workers: let in when they know the secret and run the same code, and only then."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace

import pytest

from scale_app.domain.plan import LoadPlan
from tests.integration.test_worker_counts import CountingServer, check_equal, until
from tests.integration.test_worker_processes import Following, following
from tests.serving import free_port

SECRET = "a secret that only the two of them know"
OTHER_SECRET = "a secret that nobody else has ever heard"
PLAN = LoadPlan(
    target_url="http://127.0.0.1/",
    users=12,
    spawn_rate=200,
    think_time_s=0.01,
    requests_per_connection=4,
    timeout_s=5,
    remote_workers=2,
)

# Says hello to a master with these keys, in this version, and tells what it heard within two seconds.
STRANGER = """
import locust, gevent, sys
from locust.rpc import Message
from scale_app.worker.listener import Keys, EncryptedClient, fresh_keys, keys_of
port, kind, secret = int(sys.argv[1]), sys.argv[2], sys.argv[3]
real, own = keys_of(secret), fresh_keys()
keys = {
    "old": real,
    "guess": keys_of("x" * 40),
    "knows only the master's key": Keys(real.coordinator, own.coordinator_secret, own.workers, own.workers_secret),
}[kind]
client = EncryptedClient(keys, "127.0.0.1", port, "stranger")
client.send(Message("hello", {"version": "Locust 1, code 0", "processes": 1}, "stranger"))
if kind != "old":
    client.send(Message("client_ready", locust.__version__, "stranger"))
heard = None
with gevent.Timeout(2, False):
    heard = client.recv()
print(heard.type if heard else "nothing")
"""


@dataclass
class Worker:
    """A `scale worker`, and what it has said so far."""

    process: asyncio.subprocess.Process
    said: str = ""

    async def listen(self) -> None:
        assert self.process.stderr is not None
        while line := await self.process.stderr.readline():
            self.said += line.decode()


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> int:
    found = free_port()
    monkeypatch.setenv("SCALE_WORKER_LISTEN", f"127.0.0.1:{found}")
    monkeypatch.setenv("SCALE_WORKER_SECRET", SECRET)
    return found


@contextlib.asynccontextmanager
async def worker(port: int, secret: str = SECRET, processes: int = 2) -> AsyncIterator[Worker]:
    command = ["-m", "scale_app.cli", "worker", "--master", f"127.0.0.1:{port}", "--processes", str(processes)]
    environment = {name: value for name, value in os.environ.items() if name != "SCALE_WORKER_LISTEN"}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        env=environment | {"SCALE_WORKER_SECRET": secret},
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    found = Worker(process)
    listening = asyncio.create_task(found.listen())
    try:
        yield found
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await listening


async def heard_by_stranger(port: int, kind: str) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", STRANGER, str(port), kind, SECRET, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    return output.decode().strip()


def counted(run: Following) -> Callable[[], bool]:
    return lambda: run.users() == PLAN.users and run.traffic[-1].requests > 100


async def test_a_worker_joins_serves_and_leaves_in_order(port: int) -> None:
    async with CountingServer(delay_s=0.005).running() as server, worker(port) as helper:
        await until(lambda: "nothing listens" in helper.said, 30)
        run = await following(PLAN, server.port)
        await until(counted(run), 30)
        assert run.traffic[-1].generator.processes == 3
        helper.process.send_signal(signal.SIGTERM)
        await until(lambda: len(run.notices) == 2 and run.users() == PLAN.users, 10)
        assert await asyncio.wait_for(helper.process.wait(), 10) == 0
        await run.load.stop()
        assert (await run.ended()).error == ""
        check_equal(run.traffic[-1], server)  # it had reported everything before it went
        assert "was asked to end. Its users were moved" in run.notices[0][1]


async def test_a_worker_that_slept_is_replaced_and_joins_anew_when_it_wakes(port: int) -> None:
    async with CountingServer(delay_s=0.005).running() as server, worker(port) as helper:
        run = await following(PLAN, server.port)
        await until(counted(run), 30)
        os.killpg(helper.process.pid, signal.SIGSTOP)
        await until(lambda: run.users() == PLAN.users and run.traffic[-1].generator.processes == 1, 20)
        assert "stopped answering. Its users were moved" in run.notices[0][1]
        os.killpg(helper.process.pid, signal.SIGCONT)
        await until(lambda: run.users() == PLAN.users and run.traffic[-1].generator.processes == 3, 30)
        assert "Done: exit code 4" in helper.said
        await run.load.stop()
        assert (await run.ended()).error == ""


async def test_strangers_get_nothing_and_an_old_worker_is_told_why(port: int) -> None:
    kinds = {"guess": "nothing", "knows only the master's key": "nothing", "old": "refused"}
    async with CountingServer(delay_s=0.005).running() as server, worker(port, OTHER_SECRET) as outsider:
        starting = asyncio.create_task(following(replace(PLAN, remote_workers=1), server.port))
        assert await asyncio.gather(*(heard_by_stranger(port, kind) for kind in kinds)) == list(kinds.values())
        async with worker(port, processes=1) as helper:
            run = await starting
            await until(counted(run), 30)
            # Neither does a worker work for a master that does not know its secret.
            await until(lambda: "does not accept this worker" in outsider.said, 10)
            assert "Sending load" not in outsider.said
            os.kill(run.load.pid, signal.SIGKILL)
            await until(lambda: "Done: exit code 4" in helper.said, 5)
            await run.ended()
            await until(lambda: server.open == 0, 2)  # nobody sends load for a master that is gone
            await until(lambda: "nothing listens" in helper.said.partition("Done")[2], 10)
            assert "secret" not in helper.said


async def test_a_coordinator_that_ends_is_not_taken_for_one_with_another_secret(port: int) -> None:
    """At its end a coordinator is reached, but says nothing; then it cuts the connection and is gone."""
    cuts = asyncio.Event()

    async def say_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await cuts.wait()
        writer.transport.abort()

    ending = await asyncio.start_server(say_nothing, "127.0.0.1", port)
    async with worker(port) as helper:
        await until(lambda: "is reached, but does not answer now" in helper.said, 30)
        ending.close()
        cuts.set()
        await until(lambda: "nothing listens" in helper.said, 15)
        assert "secret" not in helper.said
