"""The command line's way to a running server, over real sockets: the same run, recording and figures as the hub has."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server.embed import Server

from scale_app.adapters.this_machine import announce, single_instance
from scale_app.api.guard import Guard
from scale_app.api.routes import api_app
from scale_app.cli.client import opened, whole_id
from scale_app.cli.commands import Exit, ServerRefused, code_of
from scale_app.cli.doctor_checks import answer_row, socket_row
from scale_app.cli.history_commands import _runs
from scale_app.cli.remote_client import RemoteClient, ServerAway
from scale_app.domain.errors import RunNotFound, ScaleError
from scale_app.domain.gate import Gate, Levels
from scale_app.domain.plan import LoadPlan
from scale_app.domain.recording import replayed
from scale_app.domain.snapshot import RunState
from scale_app.service.hub import Hub
from scale_app.settings import Settings
from tests.integration.hubs import opened_hub
from tests.serving import PROJECT, fetch, free_port, served

PLAN = LoadPlan(users=20, spawn_rate=40, duration_s=2, think_time_s=0.02, gate=Gate(score=Levels(0.99, 0.1)))


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[tuple[Hub, str]]:
    """A hub with its API on a port of its own."""
    async with opened_hub(folder) as hub:
        port, settings = free_port(), Settings()
        app = Guard(api_app(hub), settings)
        server = Server(app, "127.0.0.1", port, interface=Interfaces.ASGINL, log_level=LogLevels.error)
        up = asyncio.Event()
        server.on_startup(up.set)
        task = asyncio.create_task(server.serve())
        await asyncio.wait_for(up.wait(), 30)
        try:
            yield hub, f"http://127.0.0.1:{port}"
        finally:
            server.stop()
            await task


async def test_a_run_over_the_api_is_the_hubs_own(tmp_path: Path) -> None:
    async with serving(tmp_path) as (hub, url), aclosing(RemoteClient(url)) as remote:
        run_id = await remote.start(PLAN)
        seen = [each async for each in remote.watch(run_id)]
        ended = seen[-1][0]
        assert ended.state is RunState.FINISHED
        whole = await hub.whole(run_id, recording=True)
        assert ended.last == whole.record.last
        assert tuple(event for _, events in seen for event in events) == whole.happened
        for told, recording in (
            (await remote.whole(run_id, recording=True), whole.recording),
            (await remote.whole(run_id), ()),
        ):
            assert (told.record.last, told.points, told.happened) == (whole.record.last, whole.points, whole.happened)
            assert told.recording == recording
        assert replayed(whole).record.last == whole.record.last
        assert (await remote.compare(run_id, run_id)).comparable
        await remote.mark_baseline(run_id, "main")
        assert [(run.run_id, run.baseline) for run in await remote.runs(5)] == [(run_id, "main")]
        assert (await remote.targets()).targets == ()


async def test_refusals_keep_their_sentence_and_say_the_code(tmp_path: Path) -> None:
    async with serving(tmp_path) as (_, url), aclosing(RemoteClient(url)) as remote:
        with pytest.raises(RunNotFound) as lost:
            await remote.run("nobody ?")
        assert str(lost.value) == str(RunNotFound("nobody ?"))
        for plan in (LoadPlan("http://192.0.2.1/"), LoadPlan(users=100_000)):
            with pytest.raises(ServerRefused) as refused:
                await remote.start(plan)
            assert code_of(refused.value) is Exit.WRONG_USE
        assert await remote.runs(5) == []


async def test_what_is_not_scale_says_so() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as other:
        url = f"http://127.0.0.1:{other.sockets[0].getsockname()[1]}"
        async with aclosing(RemoteClient(url)) as remote:
            with pytest.raises(ServerAway, match="in a form that this version of Scale does not know"):
                await remote.run("a")
        assert (await answer_row(url, "/healthz", "server")).status == "problem"
        assert (await socket_row(url, "/ws/metrics", "WebSocket", speaks_first=False)).status == "problem"


async def test_a_server_that_is_away_is_one_sentence() -> None:
    async with aclosing(RemoteClient(f"http://127.0.0.1:{free_port()}/")) as remote:
        with pytest.raises(ScaleError, match="does not answer") as away:
            await remote.runs(1)
    assert code_of(away.value) is Exit.FAILED


async def test_the_doctor_sees_a_server_and_its_socket(tmp_path: Path) -> None:
    async with serving(tmp_path) as (_, url):
        rows = [
            await answer_row(url, "/healthz", "server"),
            await answer_row(url, "/readyz", "database"),
            await socket_row(url, "/ws/metrics", "WebSocket", speaks_first=False),
        ]
    assert [row.status for row in rows] == ["ok", "ok", "ok"]


async def test_a_command_beside_a_server_asks_it_without_being_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    database = f"sqlite+aiosqlite:///{tmp_path}/one.db"
    monkeypatch.setenv("SCALE_DATABASE_URL", database)
    async with serving(tmp_path) as (hub, url):
        with single_instance(database):
            announce(database, url)
            run_id = await hub.start(PLAN)
            async with opened(None) as client:
                assert (await client.run(run_id)).run_id == run_id
                assert await whole_id(client, run_id[:8]) == run_id
            assert await _runs(None, 5) == await _runs(url, 5)
            assert url in capsys.readouterr().err
            await hub.stop(run_id)


def test_a_server_is_found_by_a_command_with_its_database_for_as_long_as_it_serves(tmp_path: Path) -> None:
    own = {name: value for name, value in os.environ.items() if not name.startswith("SCALE_")}

    def listed(database_url: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "scale_app.cli", "runs"]
        environment = own | {"SCALE_DATABASE_URL": database_url}
        return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=PROJECT, check=False)

    with served(scratch=tmp_path, environment=own) as running:
        beside = listed(running.database_url)
        assert (beside.returncode, f"The server at {running.url} has the database" in beside.stderr) == (0, True)
        assert "has the database" not in listed(f"sqlite+aiosqlite:///{tmp_path}/another.db").stderr
        running.stop()
        alone = listed(running.database_url)
        assert (alone.returncode, alone.stderr, alone.stdout) == (0, "", "No runs yet.\n")


def test_the_doctor_beside_its_own_server_has_no_objection_checks_the_target_and_interrupts_nothing(
    tmp_path: Path,
) -> None:
    own = {name: value for name, value in os.environ.items() if not name.startswith("SCALE_")}
    with served(scratch=tmp_path, environment=own) as running:
        plan = json.dumps({"target_url": "simulated", "users": 4, "spawn_rate": 4, "duration_s": 300}).encode()
        run_id = json.loads(fetch(f"{running.url}/api/v1/runs", {"Content-Type": "application/json"}, plan)[1])[
            "run_id"
        ]
        command = [sys.executable, "-m", "scale_app.cli", "doctor", "--json"]
        environment = own | {"SCALE_DATABASE_URL": running.database_url, "SCALE_PORT": str(running.port)}
        examined = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
        rows = {row["name"]: (row["status"], row["found"]) for row in json.loads(examined.stdout)}
        assert (examined.returncode, examined.stderr) == (0, "")
        assert rows["port"] == ("ok", f"Scale listens on {running.url}.")
        assert rows["database"] == ("ok", f"The server at {running.url} has it, and can read and write it.")
        assert rows["history"][1].startswith("1 run takes")
        assert rows["target"][0] == "ok"
        assert json.loads(running.get(f"/api/v1/runs/{run_id}")[1])["state"] == "running"
