"""What the worker says arrives whole, in order and to the end, also when its owner does not read for a while."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from tests.integration.test_worker_processes import children_of
from tests.tiny_server import served

PIPE_BYTES = 65_536
PODS = 600
STANDS_STILL_S = 1.6
LIMIT_S = 30


async def many_pods(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """As many pods behind one connection as make a sample larger than a pipe."""
    for pod in itertools.cycle(range(PODS)):
        await reader.readuntil(b"\r\n\r\n")
        name = f"pod-{pod:0>200}".encode()
        writer.write(b"HTTP/1.1 200 OK\r\nX-Pod-Name: %s\r\nContent-Length: 0\r\n\r\n" % name)


def assignment(port: int, processes: int) -> bytes:
    plan = {
        "users": 4,
        "spawn_rate": 50,
        "duration_s": 60,
        "think_time_s": 0.002,
        "requests_per_connection": None,
        "processes": processes,
    }
    target = {"url": f"http://127.0.0.1:{port}/", "networks": ["127.0.0.0/8"]}
    return json.dumps({"plan": plan, "target": target}).encode() + b"\n"


@dataclass(frozen=True)
class Worker:
    """A worker process: where to write to it, and its pipe, which nobody reads unless the test does."""

    pid: int
    orders: asyncio.StreamWriter
    said: BinaryIO


@contextlib.asynccontextmanager
async def worker(first_line: bytes) -> AsyncIterator[Worker]:
    output, theirs = os.pipe()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "scale_app.worker", str(os.getpid()), stdin=asyncio.subprocess.PIPE, stdout=theirs
    )
    os.close(theirs)
    assert process.stdin is not None
    process.stdin.write(first_line)
    try:
        with os.fdopen(output, "rb") as said:
            yield Worker(process.pid, process.stdin, said)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def lines_until_large(said: BinaryIO) -> list[bytes]:
    lines: list[bytes] = []
    while not lines or len(lines[-1]) < 1.5 * PIPE_BYTES:
        lines.append(await asyncio.wait_for(asyncio.to_thread(said.readline), LIMIT_S))
    return lines


async def said_around_a_stop(processes: int, dying: int = 0) -> list[dict[str, Any]]:
    """Everything that a worker says whose owner reads nothing from before the end until after it.

    dying: so many of its processes are killed meanwhile.
    """
    async with served(many_pods) as port, worker(assignment(port, processes)) as it:
        lines = await lines_until_large(it.said)
        await asyncio.sleep(STANDS_STILL_S)  # so that a sample is half in the pipe
        for pid in children_of(it.pid)[:dying]:
            os.kill(pid, signal.SIGKILL)
        it.orders.write(b'{"stop": true}\n')
        await asyncio.sleep(STANDS_STILL_S)  # and the end comes
        rest = await asyncio.wait_for(asyncio.to_thread(it.said.read), LIMIT_S)
    return [json.loads(line) for line in [*lines, *rest.splitlines()]]


async def test_the_last_sample_is_whole_when_the_owner_stood_still_around_the_end() -> None:
    *_, traffic, ended = await said_around_a_stop(processes=1)
    assert (ended["kind"], ended["error"]) == ("ended", "")
    assert (traffic["kind"], traffic["users"]) == ("traffic", 0)
    assert traffic["requests"] == sum(pod["requests"] for pod in traffic["pods"].values())


async def test_the_last_sample_of_several_processes_is_whole_and_a_notice_cuts_no_line_in_two() -> None:
    *before, traffic, ended = await said_around_a_stop(processes=3, dying=1)
    assert (ended["kind"], ended["error"]) == ("ended", "")
    assert (traffic["kind"], traffic["users"], traffic["generator"]["lost_processes"]) == ("traffic", 0, 1)
    assert [line["kind"] for line in before if line["kind"] != "traffic"] == ["ready", "notice"]
