"""The first token of a server: made by `scale tokens` on the server's own database while the server runs."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres import postgres_here
from tests.serving import PROJECT, Served, build_page, fetch, served

KNOWN_WITHIN_S = 30.0
"""Tokens are read again every five seconds; a busy machine takes its time."""


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    build_page()
    own = {**os.environ, "SCALE_AUTH": "required"}
    scratch = tmp_path_factory.mktemp("first")
    if request.param == "sqlite":
        with served(environment=own, scratch=scratch) as made:
            yield made
        return
    with postgres_here() as database:
        url = asyncio.run(database.create_database("first"))
        with served(environment={**own, "SCALE_DATABASE_URL": url}, scratch=scratch) as made:
            yield made


def asked(database_url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scale_app.cli", *arguments],
        cwd=PROJECT,
        env={**os.environ, "SCALE_DATABASE_URL": database_url},
        capture_output=True,
        text=True,
        timeout=60,
    )


def told(database_url: str, *arguments: str) -> str:
    """What the command printed for programs. Fails the test when it did not succeed."""
    done = asked(database_url, *arguments)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def status_of(server: Served, path: str, token: str, body: bytes | None = None) -> tuple[int, bytes]:
    return fetch(f"{server.url}{path}", {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}, body)


def until(server: Served, token: str, wanted: int) -> None:
    """Return once the server answers the token so."""
    deadline = time.monotonic() + KNOWN_WITHIN_S
    while (status := status_of(server, "/api/v1/audit", token)[0]) != wanted:
        assert time.monotonic() < deadline, f"still {status}, not {wanted}"
        time.sleep(0.5)


def test_a_token_made_beside_the_running_server_opens_it_and_its_end_closes_it(server: Served) -> None:
    assert status_of(server, "/api/v1/audit", "scale_none_none")[0] == 401
    made = json.loads(told(server.database_url, "tokens", "make", "first", "--role", "admin", "--json"))
    until(server, made["text"], 200)

    plan = b'{"target_url": "simulated", "users": 1, "duration_s": 600}'
    status, answer = status_of(server, "/api/v1/runs", made["text"], plan)
    assert status == 201
    run = f"/api/v1/runs/{json.loads(answer)['run_id']}"
    listed = json.loads(told(server.database_url, "tokens", "--json"))
    assert [(each["name"], each["owner"], each["role"]) for each in listed] == [("first", "local user", "admin")]
    told(server.database_url, "tokens", "make", "second", "--json")
    # A command that took the database over would have marked the run as interrupted.
    assert json.loads(status_of(server, run, made["text"])[1])["state"] in ("starting", "running")
    assert status_of(server, f"{run}/stop", made["text"], b"{}")[0] == 202

    noted = json.loads(told(server.database_url, "audit", "--json"))
    own = [(each["action"], each["subject"]) for each in noted if each["address"] == "command line"]
    assert own == [("making a token", "second"), ("making a token", "first")]

    told(server.database_url, "tokens", "revoke", made["token"]["id"])
    until(server, made["text"], 401)


@pytest.mark.parametrize("arguments", [["tokens"], ["audit"], ["tokens", "revoke", "0f0f0f0f0f0f"]], ids=" ".join)
def test_a_command_that_makes_nothing_makes_no_database(tmp_path: Path, arguments: list[str]) -> None:
    done = asked(f"sqlite+aiosqlite:///{tmp_path}/scale.db", *arguments)
    assert (done.returncode, done.stdout, "Traceback" in done.stderr) == (3, "", False)
    assert list(tmp_path.iterdir()) == []


def test_without_tables_and_without_a_server_the_first_token_makes_them(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/scale.db"
    made = json.loads(told(url, "tokens", "make", "first", "--role", "admin", "--json"))
    assert [each["id"] for each in json.loads(told(url, "tokens", "--json"))] == [made["token"]["id"]]


def test_an_audit_log_that_ends_earlier_is_not_called_empty(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/scale.db"
    told(url, "tokens", "make", "first", "--json")
    assert told(url, "audit", "--offset", "7") == "The audit log has no more than 7 entries.\n"
    assert "making a token" in told(url, "audit")
