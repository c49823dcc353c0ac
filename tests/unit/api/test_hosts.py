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

from scale_app.api.guard import Guard, host_objection
from scale_app.api.page_policy import page_policy
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


def asking(*allowed: str, host: str = "localhost") -> TestClient:
    paths = ("/api/v1/x", "/healthz", "/readyz", "/metrics")
    routes = [Route("/", page, methods=["GET", "POST"]), Route("/own", own_policy), *(Route(at, data) for at in paths)]
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
    [
        *("evil.example", "corp.example", "scale.example.evil.example", "10.0.0.7", "localhost.evil", "", "a:b:c", "["),
        *("localhost/x", "localhost?x", "localhost#x", "evil@localhost", "local\thost", "127.0.0.1%x", "[::1%x]"),
    ],
)
def test_any_other_name_is_not(host: str) -> None:
    client = asking("scale.example", "*.corp.example")
    response = client.get("/api/v1/x", headers={"Host": host})
    assert (response.status_code, response.headers["Content-Type"]) == (421, "application/problem+json")
    assert "SCALE_ALLOWED_HOSTS" in response.json()["detail"]
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/ws", headers={"Host": host}):
        pass


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST.:8000", "scale.localhost:1", "127.0.0.1:9", "127.9.9.9", "[::1]:8000"]
)
def test_without_a_list_this_machines_own_names_are_answered(host: str) -> None:
    assert asking().get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "10.0.0.7", "localhost.evil.example", "0.0.0.0"])
def test_without_a_list_no_other_name_is_answered(host: str) -> None:
    response = asking().get("/api/v1/x", headers={"Host": host})
    assert response.status_code == 421
    assert "SCALE_ALLOWED_HOSTS" in response.json()["detail"]


def test_a_page_whose_name_was_pointed_here_may_not_write() -> None:
    rebound = {"Host": "evil.example", "Origin": "http://evil.example"}
    assert asking().post("/", headers=rebound).status_code == 421
    assert asking("scale.example").post("/", headers=rebound).status_code == 421
    own = {"Host": "localhost:8000", "Origin": "http://localhost:8000"}
    assert asking().post("/", headers=own).status_code == 200
    with pytest.raises(WebSocketDisconnect), asking().websocket_connect("/ws", headers=rebound):
        pass


def test_two_names_at_once_are_not_answered() -> None:
    assert host_objection("/", ["localhost", "evil.example"], ())


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
@pytest.mark.parametrize("allowed", [(), ("scale.example",)])
def test_probes_are_answered_under_any_name(path: str, allowed: tuple[str, ...]) -> None:
    assert asking(*allowed, host="10.0.0.7:8000").get(path).status_code == 200


@pytest.mark.parametrize(("host", "status"), [("10.0.0.7:8000", 200), ("[fd00::7]:8000", 200), ("evil.example", 421)])
def test_metrics_are_answered_at_any_address_but_under_listed_names_only(host: str, status: int) -> None:
    assert asking("scale.example").get("/metrics", headers={"Host": host}).status_code == status


@pytest.mark.parametrize(
    ("path", "policy"),
    [
        ("/", page_policy()),
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
    [("http://evil.example", False), ("null", False), ("https://listed.example", True), ("http://localhost", True)],
)
def test_only_our_own_and_listed_pages_may_read_what_a_get_gives(origin: str, readable: bool) -> None:
    open_to_all = Middleware(CORSMiddleware, allow_origins=["*"], allow_credentials=True, allow_methods=["*"])
    inside = Starlette(routes=[Route("/api/v1/x", data)], middleware=[open_to_all])
    client = TestClient(
        Guard(inside, Settings(allowed_origins=("https://listed.example",))), base_url="http://localhost"
    )
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


def test_a_load_test_that_comes_back_here_is_refused_by_any_name_and_another_request_is_not() -> None:
    client = asking("scale.example")
    for path in ("/", "/api/v1/x", "/healthz", "/metrics"):
        answer = client.get(path, headers={"Host": "scale.example", "X-Scale-Load": "1"})
        assert (answer.status_code, "is Scale itself" in answer.text) == (508, True)
    assert client.post("/", headers={"X-Scale-Load": ""}).status_code == 508
    assert client.post("/").status_code == 200
