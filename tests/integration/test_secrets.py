"""Attacks on secrets through a real server: by a target that says them back, and by its own API as a target."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scale_app.reports import FORMATS
from tests.integration.test_api_v1 import ask, everything, socket
from tests.integration.test_worker_secrets import SHOP, VALUE, Mirror, telling
from tests.serving import PROJECT, Served, fetch
from tests.serving import served as serving
from tests.tiny_server import served

RUNS = "/api/v1/runs"
OWN = "127.0.0.1,localhost,*.localhost,::1,0.0.0.0/0,::/0"
ALL = "0.0.0.0/0,::/0"
"""What a secret may be bound to and this machine is in."""


@contextlib.contextmanager
def server_of(module: str, scratch: Path, **environment: str) -> Iterator[Served]:
    command = [sys.executable, "-m", f"tests.integration.{module}"]
    with serving(
        command, environment=os.environ | {"PYTHONPATH": str(PROJECT)} | environment, scratch=scratch
    ) as server:
        yield server


@contextlib.contextmanager
def mirror_of(mirror: Mirror) -> Iterator[int]:
    """The target, in a thread of its own; its port."""
    begun, port, loop = threading.Event(), 0, asyncio.new_event_loop()
    over = asyncio.Event()

    async def run() -> None:
        nonlocal port
        async with served(mirror) as port:
            begun.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    assert begun.wait(10)
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


def plan_for(url: str, **fields: object) -> dict[str, Any]:
    plan = {"users": 4, "spawn_rate": 100, "duration_s": 2, "requests_per_connection": None, "method": "POST"}
    return {"target_url": url, "headers": {"Authorization": f"Bearer {SHOP}"}, "body": f"key={SHOP}", **plan, **fields}


def stored(scratch: Path) -> str:
    """Every byte of the database's files, the write-ahead log too, as text."""
    files = list(scratch.glob("scale.db*"))
    assert files
    return b"".join(file.read_bytes() for file in files).decode("latin-1")


def test_a_secret_that_a_target_says_back_is_nowhere(tmp_path: Path) -> None:
    mirror, said = Mirror(), dict[str, str]()
    bound = {"SCALE_SECRET_SHOP": VALUE, "SCALE_SECRET_SHOP_FOR": "api.shop.svc", "SCALE_ALLOWED_TARGETS": "127.0.0.1"}
    with (
        mirror_of(mirror) as port,
        server_of("secrets_application", tmp_path, **bound) as server,
    ):
        ask(server, "PUT", "/api/v1/plans/shop", plan_for(f"http://127.0.0.1:{port}/"))
        run_id = ask(server, "POST", RUNS, plan_for(f"http://127.0.0.1:{port}/"), 201)["run_id"]
        with (
            socket(server, f"{RUNS}/{run_id}/stream") as stream,
            socket(server, f"/ws/metrics?test_id={run_id}") as feed,
        ):
            said["stream"] = json.dumps(everything(stream))
            said["feed"] = json.dumps(everything(feed))
        assert "[secret]" in said["feed"]
        run = ask(server, "GET", f"{RUNS}/{run_id}")
        assert run["last"]["requests"] > 50
        names = {pod["name"] for pod in run["last"]["pods"]}
        for path in ("", "/balance", "/pods", "/events", "/history", "/pod-history", "/recording", "/gate"):
            said[path] = fetch(f"{server.url}{RUNS}/{run_id}{path}")[1].decode()
        for name in FORMATS:
            status, content = fetch(f"{server.url}{RUNS}/{run_id}/export?format={name}")
            assert status == 200
            said[name] = content.decode()
        for path in (RUNS, "/api/v1/plans", "/api/v1/installation", "/metrics", f"/api/load-test/{run_id}"):
            said[path] = fetch(f"{server.url}{path}")[1].decode()
        said["database, open"] = stored(tmp_path)
    said["database, closed"], said["log"] = stored(tmp_path), server.printed()
    assert any(f"Authorization: Bearer {VALUE}\r\n" in head for head, _ in mirror.got)
    assert names
    assert all("[secret]" in name for name in names)
    assert {where: found for where, text in said.items() if (found := telling(text))} == {}
    assert SHOP in said["json"]


@pytest.fixture(scope="module")
def open_to_itself(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server whose operator allows it to load itself, and binds the secret to all that there is."""
    scratch = tmp_path_factory.mktemp("open")
    settings = {"SCALE_SECRET_SHOP": VALUE, "SCALE_SECRET_SHOP_FOR": ALL, "SCALE_ALLOWED_TARGETS": OWN}
    with server_of("hub_application", scratch, **settings) as server:
        yield server


def refused(server: Served, plan: dict[str, Any], name: str) -> str:
    """The answer to a plan that names this secret instead; with the name of the one that there is."""
    content = json.dumps(plan).replace("SCALE_SECRET_SHOP", name).encode()
    status, answer = fetch(f"{server.url}{RUNS}", {"Content-Type": "application/json"}, content)
    assert 400 <= status < 500
    return answer.decode().replace(name, "SCALE_SECRET_SHOP")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.1", "2130706433", "[::ffff:127.0.0.1]", "[::1]", "demo"]
)
def test_no_secret_is_ever_sent_to_this_machine(open_to_itself: Served, host: str) -> None:
    server = open_to_itself
    url = host if host == "demo" else f"http://{host}:{server.port}/api/v1/plans/stolen"
    own = {"headers": {"X-Any": SHOP, "Content-Type": "application/json"}, "body": json.dumps({"body": SHOP})}
    for plan in (plan_for(url, **own, method="PUT"), plan_for(url), plan_for(url, headers={})):
        known, unknown = refused(server, plan, "SCALE_SECRET_SHOP"), refused(server, plan, "SCALE_SECRET_NONE")
        assert known == unknown
    assert ask(server, "GET", "/api/v1/plans")["plans"] == []
    assert ask(server, "GET", RUNS)["runs"] == []
    assert not telling(stored(server.log.parent) + server.printed() + known)


def test_nor_to_another_program_of_this_machine_that_may_be_loaded(open_to_itself: Served) -> None:
    mirror = Mirror()
    with mirror_of(mirror) as port:
        plan = plan_for(f"http://127.0.0.1:{port}/")
        known, unknown = (refused(open_to_itself, plan, f"SCALE_SECRET_{name}") for name in ("SHOP", "NONE"))
        ask(open_to_itself, "POST", RUNS, plan_for(f"http://127.0.0.1:{port}/", headers={}, body="", duration_s=1), 201)
    assert "no secret of this name is bound to this target" in known
    assert known == unknown
    assert not any(VALUE in head + body for head, body in mirror.got)
