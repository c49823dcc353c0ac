"""What viewers cost the server: WebSocket clients that speak the page's own protocol, and the CPU of the process."""

from __future__ import annotations

import asyncio
import json
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

from websockets.asyncio.client import ClientConnection, connect

from tests.serving import Served, fetch

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
LONGEST_RUN_S = 120
END_LIMIT_S = 10.0
SETTLE_S = 2.0
SENT_EVENT = "42/_event"
PING, PONG = "2", "3"


@contextmanager
def simulated_run(server: Served, pods: int) -> Iterator[str]:
    """A run with so many invented pods that goes on while the block does; its id."""
    plan = {"target_url": f"simulated?pods={pods}", "users": 100, "spawn_rate": 100, "duration": LONGEST_RUN_S}
    body = json.dumps(plan).encode()
    status, answer = fetch(f"{server.url}/api/load-test/start", {"Content-Type": "application/json"}, body)
    assert status == 200, answer
    run_id = str(json.loads(answer)["test_id"])
    try:
        yield run_id
    finally:
        _end(server, run_id)


def _end(server: Served, run_id: str) -> None:
    fetch(f"{server.url}/api/load-test/{run_id}/stop", body=b"")
    deadline = time.monotonic() + END_LIMIT_S
    while time.monotonic() < deadline:
        runs = json.loads(server.get("/api/load-test")[1])["tests"]
        if all(run["status"] not in ("starting", "running", "stopping") for run in runs):
            return
        time.sleep(0.1)
    raise AssertionError(f"run {run_id} does not end")


def server_core_percent(server: Served, opening: str, viewers: int, seconds: float) -> dict[str, float]:
    """Percent of a core that the server takes without and with so many viewers, and the updates that each one gets.

    opening: the first message that the page sends.
    """
    return asyncio.run(_percent(server, opening, viewers, seconds))


async def _percent(server: Served, opening: str, viewers: int, seconds: float) -> dict[str, float]:
    await asyncio.sleep(SETTLE_S)
    alone = await _share(server, seconds)
    got = [0] * viewers
    async with AsyncExitStack() as stack:
        for number in range(viewers):
            viewer = await stack.enter_async_context(connect(_address(server), origin=server.url, max_size=None))
            stack.push_async_callback(_ended, asyncio.create_task(_watch(viewer, opening, got, number)))
        await asyncio.sleep(SETTLE_S)
        before = list(got)
        watched = await _share(server, seconds)
        updates = [now - then for now, then in zip(got, before, strict=True)]
    return {"0": alone, str(viewers): watched, "fewest_updates_per_s": round(min(updates) / seconds, 2)}


def _address(server: Served) -> str:
    token = uuid.uuid4()
    return f"ws://127.0.0.1:{server.port}/_event/?token={token}&EIO=4&transport=websocket"


async def _watch(viewer: ClientConnection, opening: str, got: list[int], number: int) -> None:
    """Count the updates; answer the server's pings as the page's library does. Ends with the connection."""
    await viewer.recv()
    await viewer.send(opening)
    async for message in viewer:
        if message == PING:
            await viewer.send(PONG)
        elif isinstance(message, str) and message.startswith(SENT_EVENT) and "follower" in message:
            got[number] += 1


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _share(server: Served, seconds: float) -> float:
    began, before_s = time.monotonic(), cpu_s(server.process.pid)
    await asyncio.sleep(seconds)
    used_s = cpu_s(server.process.pid) - before_s
    return round(100 * used_s / (time.monotonic() - began), 2)


def cpu_s(pid: int) -> float:
    """CPU seconds of a process so far, user and system; the simulated source starts no process of its own."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S
