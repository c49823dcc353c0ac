"""A load in a network namespace with nine ports for connections, and more users than that.

Run it as `unshare --net python -m tests.integration.nine_ports`; prints [requests, connections, errors by cause].
"""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path

from scale_app.adapters.locust_process import LocustProcess
from scale_app.adapters.this_machine import SystemClock
from scale_app.domain.plan import LoadPlan
from scale_app.domain.samples import TrafficSample
from scale_app.domain.snapshot import Source
from scale_app.ports import Admitted
from tests.tiny_server import served

PLAN = LoadPlan(
    users=20,
    spawn_rate=100,
    duration_s=1.5,
    think_time_s=60,  # one request a user: a connection keeps its port
    timeout_s=1,
    requests_per_connection=None,
)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nX-Pod-Name: a\r\nContent-Length: 0\r\n\r\n")


def leave_nine_ports() -> None:
    Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("60000 60008")


async def main() -> None:
    async with served(answer) as port:
        leave_nine_ports()  # only now: the server's own port must not be one of them
        target = Admitted(f"http://127.0.0.1:{port}/", Source.HEADER, ("127.0.0.0/8",))
        load = await LocustProcess(SystemClock()).start(PLAN, target)
        traffic = [sample async for sample in load.samples() if isinstance(sample, TrafficSample)]
    last = traffic[-1]
    print(json.dumps([last.requests, last.connections, dict(last.errors)]))  # noqa: T201


if __name__ == "__main__":
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    asyncio.run(main())
