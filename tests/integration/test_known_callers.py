"""The real server behind a proxy that says who asks: every door on real sockets, the page's own socket included."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from scale_app.cli.doctor_checks import socket_row
from scale_app.cli.server_token import TOKEN_FROM
from scale_app.ui.live.demo import DemoControl
from scale_app.ui.plan.state import PlanForm
from scale_app.ui.runs.actions import RunAgain
from scale_app.ui.runs.run_page import OneRunPage
from tests.serving import Served, build_page, fetch, served

ROLES = "viewer=staff,operator=sre,admin=platform"
GROUPS = {"viewer": "staff", "operator": "sre", "admin": "platform"}
WAIT_S = 30.0


def headers_of(role: str) -> dict[str, str]:
    return {"X-Forwarded-User": f"{role}@example.org", "X-Forwarded-Groups": GROUPS[role]}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    build_page()
    said = {"SCALE_PROXY_NETWORKS": "127.0.0.1", "SCALE_ROLES": ROLES}
    with served(environment=os.environ | said, scratch=tmp_path_factory.mktemp("known")) as made:
        yield made


def asked(server: Served, path: str, headers: Mapping[str, str] | None = None, body: object = None) -> tuple[int, Any]:
    """Status and JSON. body: sent with POST when there is one."""
    given = {"Content-Type": "application/json", **(headers or {})}
    status, content = fetch(f"{server.url}{path}", given, None if body is None else json.dumps(body).encode())
    return status, json.loads(content)


def raw(server: Served, request: bytes) -> bytes:
    """What comes back for exactly these bytes, until the server closes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(request)
        answer = b""
        while piece := connection.recv(65_536):
            answer += piece
        return answer


@pytest.mark.parametrize("path", ["/", "/runs", "/api/v1/runs", "/api/docs", "/openapi.json", "/metrics", "/ping"])
def test_without_a_name_no_door_opens(server: Served, path: str) -> None:
    assert fetch(f"{server.url}{path}")[0] == 401
    assert fetch(f"{server.url}{path}", headers_of("viewer"))[0] == 200


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        ("GET /api/v1/runs/x%0ay HTTP/1.1", b"400"),
        ("GET /runs/x%0ay HTTP/1.1", b"400"),
        ("OPTIONS * HTTP/1.1", b"401"),
        ("CONNECT localhost:80 HTTP/1.1", b"401"),
        ("OPTIONS /api/v1/runs HTTP/1.1\r\nOrigin: http://evil.example\r\nAccess-Control-Request-Method: PUT", b"401"),
    ],
)
def test_no_other_way_of_asking_is_answered_outside_of_the_guard(
    server: Served, request_line: str, status: bytes
) -> None:
    head = f"{request_line}\r\nHost: {{}}\r\nConnection: close\r\n\r\n"
    answer = raw(server, head.format("localhost").encode()).lower()
    assert answer[9:12] == status
    assert b"x-content-type-options: nosniff" in answer
    assert b"access-control-" not in answer
    assert raw(server, head.format("evil.example").encode())[9:12] == b"421"


@pytest.mark.parametrize("path", ["/api/v1/runs", "/api/v1/plans/nightly", "/auth/logout", "/"])
def test_a_stranger_s_body_is_not_waited_for(server: Served, path: str) -> None:
    """With a large one on each connection strangers took all of the server's memory."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {{}}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=WAIT_S) as stranger:
        stranger.sendall(head.format(1_000_000).encode() + b"{" * 1_000)
        assert stranger.recv(12)[9:12] in (b"401", b"404", b"413")


def test_probes_need_no_name(server: Served) -> None:
    assert [fetch(f"{server.url}{path}")[0] for path in ("/healthz", "/readyz")] == [200, 200]


@pytest.mark.parametrize(
    "lines",
    [
        b"X-Forwarded-User: ada\r\nx-forwarded-USER: root\r\nX-Forwarded-Groups: platform\r\n",
        b"X-Forwarded-User: ada\r\nX-Forwarded-Groups: staff\r\nX-Forwarded-Groups: platform\r\n",
        b"X-Forwarded-User: ada\r\nX-Forwarded-Groups: staff\r\nX_Forwarded_Groups: platform\r\n",
        b"X_Forwarded_User: root\r\nX_Forwarded_Groups: platform\r\n",
        b"X-Forwarded-User: ada\r\n\tx\r\nX-Forwarded-Groups: platform\r\n",
        b"X-Forwarded-User: ada\x00\r\nX-Forwarded-Groups: platform\r\n",
        b"X-Forwarded-User: ada, root\r\nX-Forwarded-Groups: platform\r\n",
        b"X-Forwarded-User: " + b"a" * 1_000_000 + b"\r\nX-Forwarded-Groups: platform\r\n",
    ],
)
def test_headers_that_are_not_the_proxy_s_own_open_nothing(server: Served, lines: bytes) -> None:
    try:
        answer = raw(server, b"GET /api/v1/runs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + lines + b"\r\n")
    except OSError:  # cut while the megabyte was being sent
        answer = b""
    assert answer[9:12] in (b"400", b"401", b"431", b"")
    assert b"ada" not in answer
    assert asked(server, "/healthz")[0] == 200


async def test_no_websocket_opens_without_a_name(server: Served) -> None:
    for path in ("/_event/?EIO=4&transport=websocket", "/ws/metrics", "/api/v1/runs/1/stream"):
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"ws://127.0.0.1:{server.port}{path}")
        assert refused.value.response.status_code in (401, 403)


async def test_the_doctor_opens_websockets_with_its_token_and_asks_for_one_without(
    server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, made = asked(server, "/api/v1/tokens", headers_of("admin"), {"name": "doctor"})
    monkeypatch.setenv("SCALE_TOKEN", made["text"])
    assert (await socket_row(server.url, "/ws/metrics", "API", speaks_first=False)).status == "ok"
    monkeypatch.setenv("SCALE_TOKEN", "scale_none_none")
    assert (await socket_row(server.url, "/ws/metrics", "API", speaks_first=False)).remedy == TOKEN_FROM


PLACE = {"pathname": "/", "asPath": "/", "query": {}}
PLAN = {"target_url": "simulated", "users": 4, "spawn_rate": 4, "duration_s": 60}


def test_each_role_does_what_it_may(server: Served) -> None:
    viewer, operator, admin = (headers_of(role) for role in GROUPS)
    status, problem = asked(server, "/api/v1/runs", viewer, PLAN)
    assert (status, problem["type"]) == (403, "/api/docs#not-permitted")
    assert problem["detail"].startswith("viewer@example.org is viewer here, and starting a run needs the role operator")
    status, run = asked(server, "/api/v1/runs", operator, PLAN)
    assert status == 201
    assert asked(server, f"/api/v1/runs/{run['run_id']}/stop", viewer, {})[0] == 403
    assert asked(server, f"/api/v1/runs/{run['run_id']}/stop", operator, {})[0] == 202
    assert asked(server, f"/api/v1/runs/{run['run_id']}", admin)[0] == 200
    told = [(entry["who"], entry["action"], entry["allowed"]) for entry in server.audited()]
    assert ("viewer@example.org", "starting a run", False) in told
    assert ("operator@example.org", "starting a run", True) in told


async def test_what_is_refused_to_strangers_is_in_the_audit_log_with_the_address_that_the_proxy_tells(
    server: Served,
) -> None:
    client = {"X-Forwarded-For": "198.51.100.7"}
    assert fetch(f"{server.url}/api/v1/runs", client)[0] == 401
    assert (
        asked(server, "/api/v1/runs", {**client, **headers_of("operator"), "Origin": "http://evil.example"}, {})[0]
        == 403
    )
    assert fetch(f"{server.url}/api/v1/runs", {**client, "Host": "evil.example"})[0] == 421
    assert fetch(f"{server.url}/api/v1/runs?access_token=hunter2hunter2", client)[0] == 400
    assert fetch(f"{server.url}/api/v1/runs", {**client, "X-Forwarded-User": "ada, root"})[0] == 400
    stranger = {"X-Forwarded-User": "guest@example.org", "X-Forwarded-Groups": "guests"}
    assert fetch(f"{server.url}/api/v1/runs", {**client, **stranger})[0] == 403
    with pytest.raises(InvalidStatus):
        await connect(f"ws://127.0.0.1:{server.port}/ws/metrics", additional_headers=client, origin="http://x.example")  # type: ignore[arg-type]
    told = {
        (entry["who"], entry["action"], entry["subject"])
        for entry in server.audited()
        if entry["address"] == "198.51.100.7" and not entry["allowed"]
    }
    assert told == {
        ("", "asking without a sign-in", ""),
        ("", "writing from another page", "http://evil.example"),
        ("", "asking by another name", "evil.example"),
        ("", "sending a token in a URL", ""),
        ("", "signing in", ""),
        ("guest@example.org", "signing in", ""),
    }
    assert "hunter2" not in server.printed()


class Tab:
    """A browser's tab as the server sees it: events over the page's socket, as Reflex writes them."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def send(self, state: type, handler: str, **payload: Any) -> None:
        name = f"{state.get_full_name()}.{handler}"  # type: ignore[attr-defined]
        await self._send({"name": name, "payload": payload, "router_data": PLACE})

    async def send_with(self, router_data: dict[str, Any], state: type, handler: str, **payload: Any) -> None:
        """router_data: what a client says of itself beside the event."""
        name = f"{state.get_full_name()}.{handler}"  # type: ignore[attr-defined]
        await self._send({"name": name, "payload": payload, "router_data": router_data})

    async def _send(self, event: dict[str, Any]) -> None:
        await self._connection.send("42/_event," + json.dumps(["event", event]))

    async def heard(self, text: str) -> str:
        """The next message that holds this; the heartbeat is answered meanwhile."""
        async with asyncio.timeout(WAIT_S):
            while True:
                message = str(await self._connection.recv())
                if message == "2":
                    await self._connection.send("3")
                if text in message:
                    return message


@asynccontextmanager
async def tab(server: Served, role: str) -> AsyncIterator[Tab]:
    url = f"ws://127.0.0.1:{server.port}/_event/?EIO=4&transport=websocket&token={uuid.uuid4()}"
    async with connect(url, additional_headers=headers_of(role)) as connection:
        assert str(await connection.recv()).startswith("0")
        await connection.send("40/_event,")
        assert str(await connection.recv()).startswith("40/_event")
        yield Tab(connection)


def active(server: Served) -> list[str]:
    return list(asked(server, "/api/v1/installation", headers_of("viewer"))[1]["active_runs"])


async def until(server: Served, wanted: Callable[[list[str]], bool]) -> list[str]:
    async with asyncio.timeout(WAIT_S):
        while not wanted(found := active(server)):
            await asyncio.sleep(0.1)
        return found


async def test_a_viewer_s_events_change_nothing_and_those_of_others_what_they_may(server: Served) -> None:
    _, run = asked(server, "/api/v1/runs", headers_of("operator"), PLAN)
    run_id = run["run_id"]
    async with tab(server, "viewer") as viewer:
        for state, event, payload, refused in (
            (PlanForm, "start", {}, "starting a run needs the role operator"),
            (PlanForm, "stop", {"run_id": run_id}, "stopping a run needs the role operator"),
            (RunAgain, "rerun", {"run_id": run_id}, "starting a run needs the role operator"),
            (OneRunPage, "delete", {"run_id": run_id}, "deleting a run needs the role admin"),
            (OneRunPage, "unmark", {"run_id": run_id}, "setting a baseline needs the role operator"),
            (DemoControl, "choose_policy", {"policy": "weighted"}, "changing the demo needs the role operator"),
        ):
            await viewer.send(state, event, **payload)
            assert "viewer@example.org is viewer here" in await viewer.heard(refused)
    assert active(server) == [run_id]
    async with tab(server, "operator") as operator:
        await operator.send(PlanForm, "stop", run_id=run_id)
        await until(server, lambda found: found == [])
        await operator.send(OneRunPage, "delete", run_id=run_id)
        await operator.heard("operator@example.org is operator here, and deleting a run needs the role admin")
        await operator.send(RunAgain, "rerun", run_id=run_id)
        (second,) = await until(server, lambda found: len(found) == 1)
        await operator.send(PlanForm, "stop", run_id=second)
        await until(server, lambda found: found == [])
    async with tab(server, "admin") as admin:
        await admin.send(OneRunPage, "delete", run_id=run_id)
        await admin.heard("The run was deleted.")


async def test_events_that_the_client_words_itself_are_still_its_caller_s(server: Served) -> None:
    async with tab(server, "viewer") as viewer:
        forged = {
            "sid": "somebody",
            "session_id": "somebody",
            "headers": headers_of("admin"),
            "ip": "127.0.0.1",
            "pathname": "/",
        }
        await viewer.send_with(forged, RunAgain, "rerun", run_id="nowhere")
        await viewer.heard("viewer@example.org is viewer here, and starting a run needs the role operator")
