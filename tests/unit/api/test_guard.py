"""The guard around any application: foreign pages, the unexpected, and what may be kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from scale_app.api.guard import Guard
from scale_app.settings import Settings

Client = Callable[..., TestClient]


async def echo(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


async def page(_request: Request) -> Response:
    return HTMLResponse("<p>page</p>")


async def asset(_request: Request) -> Response:
    return PlainTextResponse("asset")


async def breaks(_request: Request) -> Response:
    raise ZeroDivisionError("inner secret")


async def socket_echo(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text(await socket.receive_text())
    await socket.close()


async def socket_breaks(socket: WebSocket) -> None:
    await socket.accept()
    raise ZeroDivisionError("inner secret")


@pytest.fixture
def client() -> Iterator[TestClient]:
    inside = Starlette(
        routes=[
            Route("/api/echo", echo, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
            Route("/breaks", breaks),
            Route("/assets/{rest:path}", asset),
            Route("/logo.svg", asset),
            Route("/", page),
            WebSocketRoute("/_event", socket_echo),
            WebSocketRoute("/breaks", socket_breaks),
        ]
    )
    app = Guard(
        inside, Settings(allowed_origins=("https://other.example",), allowed_hosts=("scale.example", "testserver"))
    )
    with TestClient(app, base_url="http://scale.example:8000", raise_server_exceptions=False) as client:
        yield client


OWN = ["http://scale.example:8000", "HTTP://Scale.Example:8000", "https://scale.example:8000", "https://other.example"]
FOREIGN = [
    "http://evil.example",
    "http://scale.example",
    "http://scale.example:8001",
    "http://scale.example:8000.evil.example",
    "http://evil.example/scale.example:8000",
    "http://user@scale.example:8000",
    "http://other.example",
    "null",
    "",
    "file://",
    "http://scale.example:port",
    "scale.example:8000",
]


@pytest.mark.parametrize("origin", OWN)
def test_an_own_or_listed_page_may_write(client: TestClient, origin: str) -> None:
    assert client.post("/api/echo", headers={"Origin": origin}).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("origin", FOREIGN)
def test_a_foreign_page_may_not_write(client: TestClient, method: str, origin: str) -> None:
    response = client.request(method, "/api/echo", headers={"Origin": origin})
    assert response.status_code == 403
    assert "SCALE_ALLOWED_ORIGINS" in response.json()["error"]


def test_a_foreign_page_may_read_what_anybody_may(client: TestClient) -> None:
    assert client.get("/", headers={"Origin": "http://evil.example"}).status_code == 200


def test_a_program_that_is_no_browser_may_write(client: TestClient) -> None:
    assert client.post("/api/echo").status_code == 200


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("scale.example", "https://scale.example", 200),
        ("scale.example", "https://scale.example:443", 200),
        ("scale.example:443", "https://scale.example", 200),
        ("scale.example", "http://scale.example:8080", 403),
        ("[::1]:8000", "http://[::1]:8000", 200),
        ("127.0.0.1:8000", "http://localhost:8000", 403),
        ("scale.example:x", "http://scale.example", 421),
    ],
)
def test_origin_and_host_agree_up_to_default_ports(client: TestClient, host: str, origin: str, status: int) -> None:
    response = client.post("/api/echo", headers={"Host": host, "Origin": origin})
    assert response.status_code == status


def test_a_forwarded_host_is_not_believed(client: TestClient) -> None:
    headers = {"Origin": "http://evil.example", "X-Forwarded-Host": "evil.example"}
    assert client.post("/api/echo", headers=headers).status_code == 403


def test_two_origins_are_none(client: TestClient) -> None:
    headers = [("Origin", "http://scale.example:8000"), ("Origin", "http://evil.example")]
    assert client.post("/api/echo", headers=headers).status_code == 403


@pytest.mark.parametrize("origin", OWN)
def test_an_own_pages_socket_is_opened(client: TestClient, origin: str) -> None:
    with client.websocket_connect("ws://scale.example:8000/_event", headers={"Origin": origin}) as socket:
        socket.send_text("4hello")
        assert socket.receive_text() == "4hello"


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_foreign_pages_socket_is_refused_at_the_handshake(client: TestClient, origin: str) -> None:
    with (
        pytest.raises(WebSocketDisconnect) as closed,
        client.websocket_connect("ws://scale.example:8000/_event", headers={"Origin": origin}),
    ):
        pass
    assert closed.value.code == 1008


def test_a_socket_of_a_program_is_opened(client: TestClient) -> None:
    with client.websocket_connect("ws://scale.example:8000/_event") as socket:
        socket.send_text("4hello")
        assert socket.receive_text() == "4hello"


def test_the_unexpected_shows_no_traceback(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    response = client.get("/breaks")
    assert response.status_code == 500
    assert "secret" not in response.text
    assert any("Unexpected error" in record.getMessage() for record in caplog.records)


def test_the_unexpected_closes_a_socket_with_a_sentence(client: TestClient) -> None:
    with client.websocket_connect("/breaks") as socket, pytest.raises(WebSocketDisconnect) as closed:
        socket.receive_text()
    assert closed.value.code == 1011
    assert "secret" not in closed.value.reason
    assert len(closed.value.reason.encode()) <= 123


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/assets/root-B8q_x-9Z.js", "public, max-age=31536000, immutable"),
        ("/assets/fonts/inter-a1b2c3d4.woff2", "public, max-age=31536000, immutable"),
        ("/assets/plain.js", "no-cache"),
        ("/logo.svg", "no-cache"),
        ("/", "no-cache"),
    ],
)
def test_hashed_assets_are_kept_for_ever_and_all_else_is_asked_for_again(
    client: TestClient, path: str, kept: str
) -> None:
    assert client.get(path).headers.get("Cache-Control") == kept


def test_a_missing_asset_is_not_kept(client: TestClient) -> None:
    assert client.get("/assetsx/root-B8q_x-9Z.js").headers["Cache-Control"] == "no-cache"


def test_a_page_may_not_be_framed_by_another(client: TestClient) -> None:
    assert client.get("/").headers["X-Frame-Options"] == "SAMEORIGIN"
