"""Under which names the server answers."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from scale_app.api.guard import Guard
from scale_app.settings import Settings


async def page(_request: Request) -> Response:
    return HTMLResponse("<p>page</p>")


async def data(_request: Request) -> Response:
    return JSONResponse({})


async def own_policy(_request: Request) -> Response:
    return HTMLResponse("", headers={"Content-Security-Policy": "default-src 'self'"})


async def socket(socket: WebSocket) -> None:
    await socket.accept()
    await socket.close()


def asking(*allowed: str, host: str = "testserver") -> TestClient:
    routes = [Route("/", page), Route("/api/v1/x", data), Route("/healthz", data), Route("/own", own_policy)]
    inside = Starlette(routes=[*routes, WebSocketRoute("/ws", socket)])
    return TestClient(Guard(inside, Settings(allowed_hosts=allowed)), base_url=f"http://{host}")


@pytest.mark.parametrize(
    "host",
    ["scale.example", "SCALE.example:8000", "scale.example.", "a.corp.example", "127.0.0.1:8000", "[::1]", "localhost"],
)
def test_a_listed_name_and_this_machine_are_answered(host: str) -> None:
    client = asking("scale.example", "*.corp.example")
    assert client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "corp.example", "scale.example.evil.example", "10.0.0.7", "localhost.evil", "", "a:b:c", "["],
)
def test_any_other_name_is_not(host: str) -> None:
    client = asking("scale.example", "*.corp.example")
    response = client.get("/api/v1/x", headers={"Host": host})
    assert (response.status_code, response.headers["Content-Type"]) == (421, "application/problem+json")
    assert "SCALE_ALLOWED_HOSTS" in response.json()["detail"]
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/ws", headers={"Host": host}):
        pass


def test_without_a_list_every_name_is_answered() -> None:
    assert asking(host="evil.example").get("/").status_code == 200


def test_probes_are_answered_under_any_name() -> None:
    assert asking("scale.example", host="10.0.0.7").get("/healthz").status_code == 200


@pytest.mark.parametrize(
    ("path", "policy"),
    [
        ("/", "frame-ancestors 'self'; base-uri 'self'; form-action 'self'; object-src 'none'"),
        ("/api/v1/x", "default-src 'none'; frame-ancestors 'none'"),
        ("/own", "default-src 'self'"),
    ],
)
def test_every_answer_says_what_browsers_may_do_with_it(path: str, policy: str) -> None:
    headers = asking().get(path).headers
    assert headers.get_list("Content-Security-Policy") == [policy]
    assert (headers["X-Content-Type-Options"], headers["Referrer-Policy"]) == ("nosniff", "same-origin")
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


@pytest.mark.parametrize(
    ("origin", "readable"),
    [("http://evil.example", False), ("null", False), ("https://listed.example", True), ("http://testserver", True)],
)
def test_only_our_own_and_listed_pages_may_read_what_a_get_gives(origin: str, readable: bool) -> None:
    open_to_all = Middleware(CORSMiddleware, allow_origins=["*"], allow_credentials=True, allow_methods=["*"])
    inside = Starlette(routes=[Route("/api/v1/x", data)], middleware=[open_to_all])
    client = TestClient(Guard(inside, Settings(allowed_origins=("https://listed.example",))))
    preflight = {"Origin": origin, "Access-Control-Request-Method": "PATCH"}
    for answer in (
        client.get("/api/v1/x", headers={"Origin": origin}),
        client.options("/api/v1/x", headers=preflight),
    ):
        assert answer.status_code == 200
        assert ("Access-Control-Allow-Origin" in answer.headers) is readable


def test_reflex_gives_no_foreign_page_permission_to_read() -> None:
    config = runpy.run_path(str(Path(__file__).parents[3] / "rxconfig.py"))["config"]
    assert list(config.cors_allowed_origins) == []
