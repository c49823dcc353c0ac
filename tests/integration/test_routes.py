"""Every route of the running server, asked by nobody and by each role: the table of docs/reference/routes.md."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.serving import PROJECT, Served, build_page, served

PAGE = PROJECT / "docs/reference/routes.md"
ROLES = {
    "SCALE_PROXY_NETWORKS": "127.0.0.1/32",
    "SCALE_OIDC_ISSUER": "http://127.0.0.1:9",
    "SCALE_OIDC_CLIENT_ID": "scale",
    "SCALE_PUBLIC_URL": "https://scale.example",
    "SCALE_ROLES": "viewer=viewers,operator=operators,admin=admins",
}
KNOWN = ("viewer", "operator", "admin")
WHO: dict[str, dict[str, str]] = {"nobody": {}} | {
    role: {"X-Forwarded-User": f"a {role}", "X-Forwarded-Groups": f"{role}s"} for role in KNOWN
}
PLAN = {"target_url": "simulated", "users": 1, "duration_s": 1}
BODIES: dict[str, object] = {
    "POST /api/v1/runs": PLAN,
    "PATCH /api/v1/runs/{run_id}": {"users": 2},
    "PUT /api/v1/runs/{run_id}/baseline": {"name": "main"},
    "PUT /api/v1/plans/{name}": PLAN,
    "PATCH /api/v1/demo": {"weight": 3},
    "POST /api/load-test/start": {"target_url": "simulated", "users": 1, "spawn_rate": 1, "duration": 1},
    "PATCH /api/load-test/{test_id}": {"users": 2},
    "PATCH /api/demo": {"weight": 3},
    "POST /api/v1/tokens": {"name": "deploy", "role": "viewer", "days": 1},
}
QUERIES = {
    "GET /_event/": "?EIO=4&transport=polling",
    "SOCKET /_event/": "?EIO=4&transport=websocket",
    "GET /api/v1/compare": "?ids=a,b",
    "GET /api/compare": "?ids=a,b",
}
"""What a route must be given to be asked at all. Runs, plans and tokens of these names there are none."""
BESIDE = (("GET", "/"), ("GET", "/runs"), ("GET", "/scale.css"), ("GET", "/favicon.svg"), ("SOCKET", "/_event/"))
"""Behind mounts: the page, its files, and its own socket."""
FOR_ANYBODY = {"/healthz", "/readyz", "/scale.css", "/favicon.svg", "/auth/login", "/auth/callback", "/auth/logout"}
PROBES = {"/healthz", "/readyz"}
NOWHERE = "/api/{rest:path}"
BY_ANY_ROLE = {NOWHERE, "/auth/logout", "/api/v1/tokens", "/api/v1/tokens/{token_id}"}
"""There is nothing, or it is the caller's own: a session, tokens of at most the caller's role."""
NO_FORM_IS_RIGHT = {
    ("GET", "/_event/"),
    ("GET", "/auth/callback"),
    *((method, NOWHERE) for method in ("PUT", "PATCH", "POST", "DELETE")),
}
"""The page's socket takes a WebSocket alone, and nobody is on the way back from a provider that is away."""
NOT_ASKABLE = {400, 405, 415, 422}
HEAD = """# Every route, and who may ask it

<!-- Made by tests/integration/test_routes.py; pytest --update-golden writes it anew. -->

Each route of a running server was asked without a login and as each role. A number is the status of a refusal: 401 for
whoever is not known (403 for a WebSocket), 403 for a role that may not; 404 says that nothing is there for anybody.

| | route | nobody | viewer | operator | admin |
| --- | --- | --- | --- | --- | --- |
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    build_page()
    environment = {**os.environ, **ROLES}
    with served(environment=environment, scratch=tmp_path_factory.mktemp("served")) as running:
        yield running


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    """(method or SOCKET, path), as the application lists them."""
    scratch = tmp_path_factory.mktemp("listed")
    environment = {**os.environ, **ROLES, "SCALE_DATABASE_URL": f"sqlite+aiosqlite:///{scratch}/scale.db"}
    command = [sys.executable, "-m", "tests.integration.route_listing"]
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=True)
    return [pair for kind, path, methods in json.loads(done.stdout) for pair in pairs(kind, path, methods)]


def pairs(kind: str, path: str, methods: list[str]) -> list[tuple[str, str]]:
    if kind == "socket":
        return [("SOCKET", path)]
    return [(method, path) for method in methods if method != "HEAD" or "GET" not in methods]


@pytest.fixture(scope="module")
def table(server: Served, routes: list[tuple[str, str]]) -> dict[tuple[str, str], dict[str, int]]:
    """{(method, path): {who: status}}; 200 for a WebSocket that was opened."""
    run_id = _started(server)
    asked = sorted({*routes, *BESIDE}, key=lambda pair: (pair[1], pair[0]))
    return {pair: {who: _status(server, *pair, headers, run_id) for who, headers in WHO.items()} for pair in asked}


def _started(server: Served) -> str:
    status, body = _ask(server, "POST", "/api/v1/runs", WHO["operator"], PLAN)
    assert status == 201, body
    return str(json.loads(body)["run_id"])


def _status(server: Served, method: str, path: str, headers: Mapping[str, str], run_id: str) -> int:
    if method == "SOCKET":
        return asyncio.run(_opened(server, path.replace("{run_id}", run_id), headers))
    filled = re.sub(r"\{[^}]*\}", "unknown", path) + QUERIES.get(f"{method} {path}", "")
    return _ask(server, method, filled, headers, BODIES.get(f"{method} {path}"))[0]


def _ask(server: Served, method: str, path: str, headers: Mapping[str, str], body: object = None) -> tuple[int, bytes]:
    content = None if body is None else json.dumps(body).encode()
    kind = {"Accept": "application/json"} | ({} if body is None else {"Content-Type": "application/json"})
    request = urllib.request.Request(f"{server.url}{path}", content, {**headers, **kind}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, answer.read()


async def _opened(server: Served, path: str, headers: Mapping[str, str]) -> int:
    asked = headers.get("Host", f"127.0.0.1:{server.port}")
    url = f"ws://{asked}{path}{QUERIES.get(f'SOCKET {path}', '')}"
    more = {name: value for name, value in headers.items() if name != "Host"}
    where = {"host": "127.0.0.1", "port": server.port}
    try:
        async with connect(url, additional_headers=more, proxy=None, close_timeout=1, **where):
            return 200
    except InvalidStatus as refused:
        return refused.response.status_code


def test_every_route_is_in_the_table_with_who_may_ask_it(
    table: dict[tuple[str, str], dict[str, int]], request: pytest.FixtureRequest
) -> None:
    made = HEAD + "".join(_row(method, path, found) for (method, path), found in table.items())
    if request.config.getoption("--update-golden"):
        PAGE.write_text(made)
    assert PAGE.read_text() == made, "routes.md is not what the server does; if it should be: pytest --update-golden"


def _row(method: str, path: str, found: Mapping[str, int]) -> str:
    told = (401, 403, *([404] if path == NOWHERE else []))
    cells = (str(status) if status in told else "yes" for status in found.values())
    return f"| {method} | `{path}` | {' | '.join(cells)} |\n"


def test_nobody_reaches_anything_but_probes_files_and_the_login(table: dict[tuple[str, str], dict[str, int]]) -> None:
    reached = {path for (_, path), found in table.items() if found["nobody"] not in (401, 403)}
    assert reached <= FOR_ANYBODY


def test_no_route_is_answered_by_a_name_that_somebody_pointed_here(
    server: Served, table: dict[tuple[str, str], dict[str, int]]
) -> None:
    rebound = {**WHO["admin"], "Host": "evil.example", "Origin": "http://evil.example"}
    found = {pair: _status(server, *pair, rebound, "unknown") for pair in table if pair[1] not in PROBES}
    assert {pair: status for pair, status in found.items() if status != (403 if pair[0] == "SOCKET" else 421)} == {}
    own = {"Host": f"localhost:{server.port}"}
    assert _status(server, "GET", "/api/v1/runs", {**WHO["admin"], **own}, "") == 200


def test_a_role_may_do_what_the_ones_before_it_may(table: dict[tuple[str, str], dict[str, int]]) -> None:
    for pair, found in table.items():
        refused = [found[role] in (401, 403) for role in ("nobody", *KNOWN)]
        assert refused == sorted(refused, reverse=True), (pair, found)


def test_a_viewer_changes_nothing(table: dict[tuple[str, str], dict[str, int]]) -> None:
    changing = {pair for pair in table if pair[0] in ("POST", "PUT", "PATCH", "DELETE") and pair[1] not in BY_ANY_ROLE}
    assert {pair: table[pair]["viewer"] for pair in changing if table[pair]["viewer"] != 403} == {}


def test_every_route_was_asked_with_what_it_takes(table: dict[tuple[str, str], dict[str, int]]) -> None:
    """What is refused for its form would not tell who may ask."""
    asked = {pair: found["admin"] for pair, found in table.items() if pair not in NO_FORM_IS_RIGHT}
    assert {pair: status for pair, status in asked.items() if status in NOT_ASKABLE} == {}
