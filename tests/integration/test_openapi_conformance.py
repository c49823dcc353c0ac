"""A stranger reads /openapi.json and sends what it allows and what it does not: no 500, no undocumented answer.

The real API on the real hub; the runs are simulated and last a second.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving import PROJECT, Served, served

LIMIT_S = 300.0
# A plan may fit the schema and still be refused: what is possible depends on its other fields and on this place.
NOT_CHECKED = "positive_data_acceptance"
SENT = (
    *("--seed", "1", "--max-examples", "2", "--phases", "coverage,fuzzing", "--no-shrink", "--no-color"),
    *("--exclude-checks", NOT_CHECKED, "--continue-on-failure"),
)
HOOKS = '''
import schemathesis

STARTS = ("/api/v1/runs", "/api/load-test/start")

@schemathesis.hook
def map_body(context, body):
    """No load to whatever a made-up URL may name, and no worker process for each plan that works."""
    if isinstance(body, dict) and str(body.get("target_url", "demo")).lower().startswith(("http", "demo")):
        return {**body, "target_url": "simulated"} if context.operation.path in STARTS else body
    return body
'''
START = "import sys; from schemathesis.cli import schemathesis; sys.exit(schemathesis())"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    limits = {"SCALE_MAX_DURATION_S": "1", "SCALE_MAX_USERS": "4", "SCALE_MAX_SPAWN_RATE": "4"}
    command = [sys.executable, "-m", "tests.integration.hub_application"]
    with served(command, environment=os.environ | limits | {"PYTHONPATH": str(PROJECT)}, scratch=tmp_path) as server:
        yield server


def test_no_request_gets_a_server_error_or_an_undocumented_answer(server: Served, tmp_path: Path) -> None:
    (tmp_path / "hooks.py").write_text(HOOKS)
    done = subprocess.run(
        [sys.executable, "-c", START, "run", f"{server.url}/openapi.json", *SENT],
        cwd=tmp_path,
        env=os.environ | {"SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{server.printed()}"
    assert "Unexpected error" not in server.printed()
