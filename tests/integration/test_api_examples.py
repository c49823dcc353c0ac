"""The examples of the API's reference, each run as it stands there, against a real server."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving import PROJECT, Served, fetch, served

REFERENCE = (PROJECT / "docs/reference/api.md").read_text()
LIMIT_S = 90


def example(title: str, language: str) -> str:
    """The program below this heading."""
    found = re.search(rf"### {re.escape(title)}\n\n```{language}\n(.*?)```", REFERENCE, re.DOTALL)
    assert found
    return found[1]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("SCALE_")}
    with served(scratch=tmp_path_factory.mktemp("examples"), environment=own) as running:
        yield running


def ran(command: list[str], program: str, server: Served, folder: Path) -> str:
    """What it prints."""
    file = folder / "example"
    file.write_text(program.replace("localhost:8000", server.url.removeprefix("http://")))
    done = subprocess.run(
        [*command, str(file)], capture_output=True, text=True, timeout=LIMIT_S, cwd=folder, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_curl_starts_a_run(server: Served, tmp_path: Path) -> None:
    made = json.loads(ran(["bash"], example("Start a run with curl", "bash"), server, tmp_path))
    assert made["plan"]["users"] == 20
    assert fetch(f"{server.url}/api/v1/runs/{made['run_id']}")[0] == 200


def test_python_starts_a_run_and_prints_its_verdict(server: Served, tmp_path: Path) -> None:
    program = example("Start a run in Python, and wait for its verdict", "python")
    assert re.match(r"(Undecided|Even|Uneven|More even)", ran([sys.executable], program, server, tmp_path))


def test_a_websocket_follows_the_newest_run_to_its_end(server: Served, tmp_path: Path) -> None:
    body = json.dumps({"target_url": "simulated", "users": 5, "duration_s": 3}).encode()
    fetch(f"{server.url}/api/v1/runs", {"Content-Type": "application/json"}, body)
    said = ran([sys.executable], example("Follow the newest run by WebSocket", "python"), server, tmp_path)
    kinds = [line.split()[1] for line in said.splitlines()]
    assert (kinds[0], kinds[-1]) == ("run", "end")
    assert "event" in kinds
