"""A target that speaks another protocol than the plan is named at once, with what to set."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from scale_app.domain.plan import LoadPlan
from scale_app.domain.snapshot import RunState
from tests.integration.hubs import opened_hub, seen
from tests.proxies import NGINX, nginx_running, tls_running

NAMED_WITHIN_S = 4.0
PLAN = LoadPlan(users=5, spawn_rate=100, duration_s=60)
needs_nginx = pytest.mark.skipif(not NGINX, reason="nginx is needed: see .ci/test-tools")
SETTINGS_FRAME = bytes.fromhex("000006040000000000000500004000")
GOAWAY_FRAME = bytes.fromhex("0000080700000000000000000000000001")


async def named(url: str, folder: Path) -> str:
    """The sentence with which a run fails, soon."""
    async with opened_hub(folder) as hub:
        run_id = await hub.start(replace(PLAN, target_url=url))
        await seen(hub, run_id)
        record = await hub.run(run_id)
    assert record.state is RunState.FAILED
    assert record.last is not None
    assert record.last.elapsed_s < NAMED_WITHIN_S
    return record.message


@needs_nginx
async def test_plain_http_to_a_port_that_speaks_tls(tmp_path: Path) -> None:
    with tls_running(tmp_path) as port:
        said = await named(f"http://127.0.0.1:{port}/", tmp_path)
    assert "x server speaks TLS. Write the target with https://" in said


@needs_nginx
async def test_tls_to_a_port_that_speaks_plain_http(tmp_path: Path) -> None:
    with nginx_running(tmp_path) as (urls, _):
        said = await named(urls["weights"].replace("http:", "https:"), tmp_path)
    assert "x TLS: server speaks plain HTTP. Write the target with http://" in said


async def test_http_1_1_to_a_port_that_takes_http_2_alone(tmp_path: Path) -> None:
    async def as_grpc_does(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(SETTINGS_FRAME + GOAWAY_FRAME)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(as_grpc_does, "127.0.0.1", 0)
    async with server:
        said = await named(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", tmp_path)
    assert "x server speaks HTTP/2. That port takes HTTP/2 alone, as gRPC does" in said
    assert "port that takes HTTP/1.1, or send the load by a locustfile" in said
