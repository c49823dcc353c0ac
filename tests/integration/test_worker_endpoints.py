"""The worker names its connections' own ports only where the connection map is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from scale_app.adapters.locust_process import LocustProcess
from scale_app.adapters.this_machine import SystemClock
from scale_app.domain.plan import LoadPlan
from scale_app.domain.samples import TrafficSample
from scale_app.domain.snapshot import Source
from scale_app.ports import Admitted

LIMIT_S = 30.0
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"pod": "c1"}'


@asynccontextmanager
async def _pod() -> AsyncIterator[tuple[int, set[str]]]:
    """A server that answers everything; its port, and the clients that it has seen."""
    clients: set[str] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address, port = writer.get_extra_info("peername")
        clients.add(f"{address}:{port}")
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1], clients


@pytest.mark.parametrize("plan", [{"counting": "connection_map", "enter_pods": "exec"}, {"json_field": "pod"}])
async def test_ports_are_named_where_they_are_asked_for_and_pods_by_the_answers_json(plan: dict[str, Any]) -> None:
    async with asyncio.timeout(LIMIT_S), _pod() as (port, clients):
        url = f"http://127.0.0.1:{port}/"
        keep = LoadPlan(target_url=url, users=4, duration_s=1.0, requests_per_connection=None, **plan)
        load = await LocustProcess(SystemClock()).start(keep, Admitted(url, Source.HEADER, ("127.0.0.0/8",)))
        samples = [sample async for sample in load.samples() if isinstance(sample, TrafficSample)]
        named = {endpoint for sample in samples if sample.loads for endpoint in sample.loads.endpoints.values()}
        if "counting" in plan:
            assert named == clients
            assert len(named) == 4
        else:
            assert not named
            assert samples[-1].pods["c1"].requests == samples[-1].requests > 0
