"""A worker without its owner sends no load: it is gone within a second, whatever happened to the owner."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from scale_app.adapters.locust_process import LocustLoad, LocustProcess, Patience
from scale_app.adapters.this_machine import SystemClock
from scale_app.domain.errors import GeneratorFailed
from scale_app.domain.plan import LoadPlan
from scale_app.domain.samples import LoadEnded, LoadReady, Sample, TrafficSample
from scale_app.domain.snapshot import Source
from scale_app.ports import Admitted
from tests.tiny_server import served

# An owner that starts a worker, tells its pid, and then does nothing until it is killed.
OWNER = """
import asyncio, json, sys
from scale_app.child_process.owner import ChildProcess

async def main():
    child = await ChildProcess.spawn("scale_app.worker")
    await child.send(sys.argv[1].encode())
    async for line in child.lines():
        print(child.pid, flush=True)

asyncio.run(main())
"""


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """A server that answers each request after 50 ms."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(0.05)
            writer.write(b"HTTP/1.1 200 OK\r\nX-Pod-Name: a\r\nContent-Length: 0\r\n\r\n")

    async with served(serve) as port:
        yield port


def assignment(port: int) -> bytes:
    plan = {"users": 5, "spawn_rate": 50, "duration_s": 60}
    target = {"url": f"http://127.0.0.1:{port}/", "networks": ["127.0.0.0/8"]}
    return json.dumps({"plan": plan, "target": target}).encode()


def target(port: int) -> Admitted:
    return Admitted(f"http://127.0.0.1:{port}/", Source.HEADER, ("127.0.0.0/8",))


def alive(pid: int) -> bool:
    """True for a process that runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def seconds_until(true: Callable[[], bool], limit_s: float = 5.0) -> float:
    began_s = time.monotonic()
    async with asyncio.timeout(limit_s):
        while not true():
            await asyncio.sleep(0.01)
    return time.monotonic() - began_s


async def test_a_worker_is_gone_within_a_second_after_its_owner_was_killed(port: int) -> None:
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OWNER, assignment(port).decode(), stdout=asyncio.subprocess.PIPE
    )
    assert owner.stdout is not None
    worker = int(await asyncio.wait_for(owner.stdout.readline(), 20))
    assert alive(worker)
    owner.kill()
    await owner.wait()
    assert await seconds_until(lambda: not alive(worker)) <= 1.0


async def bare_worker(port: int, owner_pid: int | None = None) -> asyncio.subprocess.Process:
    worker = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "scale_app.worker",
        str(owner_pid or os.getpid()),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**24,
    )
    assert worker.stdin is not None
    worker.stdin.write(assignment(port) + b"\n")
    return worker


async def test_a_worker_whose_standard_input_closes_ends_within_a_second(port: int) -> None:
    worker = await bare_worker(port)
    assert worker.stdout is not None
    assert worker.stdin is not None
    assert b'"ready"' in await asyncio.wait_for(worker.stdout.readline(), 20)
    worker.stdin.close()
    assert await seconds_until(lambda: worker.returncode is not None) <= 1.0


async def test_a_worker_whose_owner_is_already_gone_does_not_start(port: int) -> None:
    worker = await bare_worker(port, owner_pid=1)
    output, _ = await asyncio.wait_for(worker.communicate(), 10)
    assert output == b""
    assert worker.returncode == 3


async def last_words(worker: asyncio.subprocess.Process) -> tuple[dict[str, Any], str]:
    """Its last counts, and the error with which it says that it has ended."""
    assert worker.stdout is not None
    output = await asyncio.wait_for(worker.stdout.read(), 10)
    *_, traffic, ended = [json.loads(line) for line in output.splitlines()]
    assert (traffic["kind"], ended["kind"]) == ("traffic", "ended")
    assert await worker.wait() == 0
    return traffic, ended["error"]


async def test_a_worker_that_is_told_to_end_from_outside_says_its_last_sample_and_that_the_run_was_cut(
    port: int,
) -> None:
    worker = await bare_worker(port)
    assert worker.stdout is not None
    assert b'"ready"' in await asyncio.wait_for(worker.stdout.readline(), 20)
    await asyncio.sleep(0.3)
    worker.terminate()
    traffic, error = await last_words(worker)
    assert traffic["users"] == 0
    assert traffic["requests"] > 0
    assert re.search(r"stopped from outside \(SIGTERM\) after \d of 60 s\.", error)


async def test_a_signal_during_an_end_that_was_asked_for_changes_nothing(port: int) -> None:
    worker = await bare_worker(port)
    assert worker.stdout is not None
    assert worker.stdin is not None
    assert b'"ready"' in await asyncio.wait_for(worker.stdout.readline(), 20)
    worker.stdin.write(b'{"stop": true}\n')
    await asyncio.sleep(0.02)  # requests are in flight for 0.05 s
    worker.terminate()
    assert (await last_words(worker))[1] == ""


async def test_a_line_that_cannot_be_obeyed_changes_nothing(port: int) -> None:
    worker = await bare_worker(port)
    assert worker.stdin is not None
    for line in (b"nonsense", b"[]", b'{"users": 0}', b'{"spawn_rate": 0}', b'{"users": "many"}', b'{"stop": true}'):
        worker.stdin.write(line + b"\n")
    assert worker.stdout is not None
    output = await asyncio.wait_for(worker.stdout.read(), 20)
    assert json.loads(output.splitlines()[-1]) | {"at_s": 0} == {"at_s": 0, "error": "", "kind": "ended"}
    await worker.wait()


async def running(port: int) -> LocustLoad:
    load = await LocustProcess(SystemClock()).start(LoadPlan(users=5, duration_s=60), target(port))
    assert isinstance(load, LocustLoad)
    return load


async def test_a_worker_that_crashes_ends_the_load_with_a_sentence(port: int) -> None:
    load = await running(port)
    samples: list[Sample] = []
    async for sample in load.samples():
        samples.append(sample)
        if isinstance(sample, TrafficSample):
            os.kill(load.pid, signal.SIGKILL)
    assert isinstance(samples[0], LoadReady)
    assert isinstance(samples[-1], LoadEnded)
    assert samples[-1].error == "The load generator's process ended early: killed by SIGKILL."
    assert sum(isinstance(sample, LoadEnded) for sample in samples) == 1


async def test_no_process_is_left_when_nobody_listens_any_more(port: int) -> None:
    load = await running(port)

    async def listen() -> None:
        async for _ in load.samples():
            pass

    listener = asyncio.create_task(listen())
    await asyncio.sleep(0.2)
    listener.cancel()
    await asyncio.gather(listener, return_exceptions=True)
    assert not alive(load.pid)


@pytest.mark.parametrize(
    ("module", "patience", "sentence"),
    [
        ("scale_app.no_such_module", Patience(), r"could not start: exit code 1 \(.*No module named"),
        ("scale_app.worker", Patience(ready_s=0.01), "was not ready within 0.01 s"),
    ],
)
async def test_a_worker_that_does_not_become_ready_is_said_so(
    port: int, module: str, patience: Patience, sentence: str
) -> None:
    with pytest.raises(GeneratorFailed, match=sentence):
        await LocustProcess(SystemClock(), patience, module).start(LoadPlan(), target(port))
