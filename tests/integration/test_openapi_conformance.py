"""Strangers read /openapi.json and send what it allows and what it does not: no 500, no undocumented answer, and
nothing done by whoever may not. The real API on the real hub, asked without a login and as each role.

The runs are simulated and last a second.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.serving import PROJECT, Served, fetch, served

LIMIT_S = 400.0
# A plan may fit the schema and still be refused: what is possible depends on its other fields and on this place.
NOT_CHECKED = "positive_data_acceptance"
# Who asks comes first, whatever the method: a stranger is not told by 405 which methods a path has.
NOT_CHECKED_OF_NOBODY = f"{NOT_CHECKED},unsupported_method"
SENT = ("--seed", "1", "--max-examples", "2", "--no-shrink", "--no-color", "--continue-on-failure")
EVERYTHING, LESS = ("--phases", "coverage,fuzzing"), ("--phases", "fuzzing")
HOOKS = '''
import json
import schemathesis

STARTS = ("/api/v1/runs", "/api/load-test/start")

@schemathesis.hook
def map_body(context, body):
    """No load to whatever a made-up URL may name, and no worker process for each plan that works."""
    if isinstance(body, dict) and str(body.get("target_url", "demo")).lower().startswith(("http", "demo")):
        return {**body, "target_url": "simulated"} if context.operation.path in STARTS else body
    return body

@schemathesis.hook
def after_call(context, case, response):
    with open("asked.jsonl", "a") as asked:
        asked.write(json.dumps([case.method, case.operation.path, response.status_code]) + "\\n")
'''
START = "import sys; from schemathesis.cli import schemathesis; sys.exit(schemathesis())"
ROLES = {"SCALE_PROXY_NETWORKS": "127.0.0.1", "SCALE_ROLES": "viewer=viewers,operator=operators,admin=admins"}
OF_ONES_OWN = ("/api/v1/tokens", "/api/v1/tokens/{token_id}")
"""Everybody may make and revoke tokens of at most the own role."""
FOR_ANYBODY = ("/healthz", "/readyz")
ADMINS = {("DELETE", "/api/v1/runs/{run_id}"), ("DELETE", "/api/v1/plans/{name}"), ("GET", "/api/v1/audit")}
READS = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True, slots=True)
class Asked:
    """method, path: of the document. status: of the answer."""

    method: str
    path: str
    status: int

    @property
    def done(self) -> bool:
        return self.status < 400


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    limits = {"SCALE_MAX_DURATION_S": "1", "SCALE_MAX_USERS": "4", "SCALE_MAX_SPAWN_RATE": "4"}
    command = [sys.executable, "-m", "tests.integration.hub_application"]
    environment = os.environ | limits | ROLES | {"PYTHONPATH": str(PROJECT)}
    with served(command, environment=environment, scratch=tmp_path_factory.mktemp("served")) as running:
        yield running


def who(role: str) -> dict[str, str]:
    """The headers by which somebody is known, none for nobody."""
    return {"X-Forwarded-User": f"a {role}", "X-Forwarded-Groups": f"{role}s"} if role else {}


def asked_by(server: Served, role: str, folder: Path, more: tuple[str, ...] = LESS) -> list[Asked]:
    """All that was asked and what came back, after it was found to be as documented."""
    (folder / "hooks.py").write_text(HOOKS)
    _, document = fetch(f"{server.url}/openapi.json", who("viewer"))
    (folder / "openapi.json").write_bytes(document)
    left_out = ("--exclude-checks", NOT_CHECKED if role else NOT_CHECKED_OF_NOBODY)
    known = [part for name, value in who(role).items() for part in ("-H", f"{name}: {value}")]
    done = subprocess.run(
        [sys.executable, "-c", START, "run", "openapi.json", "--url", server.url, *SENT, *left_out, *more, *known],
        cwd=folder,
        env=os.environ | {"SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{server.printed()}"
    assert "Unexpected error" not in server.printed()
    return [Asked(*json.loads(line)) for line in (folder / "asked.jsonl").read_text().splitlines()]


def state(server: Served) -> Mapping[str, object]:
    """What callers could change."""
    paths = ("/api/v1/runs", "/api/v1/plans", "/api/v1/tokens", "/api/v1/demo")
    return {path: json.loads(fetch(f"{server.url}{path}", who("admin"))[1]) for path in paths}


def test_without_a_login_nothing_is_answered_but_that(server: Served, tmp_path: Path) -> None:
    before = state(server)
    found = asked_by(server, "", tmp_path, EVERYTHING)
    assert {each.status for each in found if each.path not in FOR_ANYBODY and each.method in READS} <= {400, 401}
    assert [each for each in found if each.done and each.path not in FOR_ANYBODY] == []
    assert {each.path for each in found if each.status == 401} > {*OF_ONES_OWN, "/metrics", "/api/load-test/start"}
    assert state(server) == before


def test_a_viewer_changes_nothing_but_own_tokens(server: Served, tmp_path: Path) -> None:
    before = state(server)
    found = asked_by(server, "viewer", tmp_path)
    assert [each for each in found if each.done and each.method not in READS and each.path not in OF_ONES_OWN] == []
    assert any(each.done for each in found)
    assert any(each.status == 403 for each in found)
    after = state(server)
    assert {path: kept for path, kept in after.items() if path not in OF_ONES_OWN} == {
        path: kept for path, kept in before.items() if path not in OF_ONES_OWN
    }
    assert "admin" not in {token["role"] for token in after["/api/v1/tokens"]["tokens"]}  # type: ignore[index]


def test_an_operator_does_nothing_of_an_admin_s(server: Served, tmp_path: Path) -> None:
    found = asked_by(server, "operator", tmp_path)
    assert [each for each in found if each.done and (each.method, each.path) in ADMINS] == []
    done = {(each.method, each.path) for each in found if each.done and each.path not in OF_ONES_OWN}
    assert any(method not in READS for method, _ in done), done


def test_an_admin_gets_no_server_error_and_no_undocumented_answer(server: Served, tmp_path: Path) -> None:
    assert any(each.done for each in asked_by(server, "admin", tmp_path, EVERYTHING))
