"""Nobody gets past without being known, but to probes and files of the page; open WebSockets are looked at again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketDisconnect

from scale_app.api.identity import CHECK_EVERY_S, KnownCallers
from scale_app.domain.errors import StoreUnavailable
from scale_app.domain.identity import CALLER, Principal, Role, SignIn
from scale_app.identity_settings import IdentitySettings, OidcSettings, ProxySettings
from scale_app.service.proxy_headers import ProxyHeaders
from scale_app.service.ways_in import WaysIn
from tests.unit.service.harness import Naps, settled

TOKEN = {"Authorization": "Bearer scale_1_x"}
BROWSER = {"Accept": "text/html,application/xhtml+xml"}
PROXY = ProxySettings(("10.1.0.0/16",))
ROLES = {"sre": Role.OPERATOR}


class Doors:
    """An application behind the layer. tokens: whose they are. broken: what looking up a token raises."""

    def __init__(self) -> None:
        self.tokens = {"scale_1_x": Principal("deploy", Role.VIEWER, SignIn.TOKEN)}
        self.broken: StoreUnavailable | None = None
        self.naps = Naps()

    def client(self, settings: IdentitySettings, open_to_all: bool = False, address: str = "192.0.2.9") -> TestClient:
        ways = WaysIn(ProxyHeaders(settings.proxy), settings, self._token, self._session, open_to_all)
        inside = Starlette(
            routes=[
                WebSocketRoute("/{path:path}", echo),
                Route("/verdict", self._verdict),
                Route("/export", self._export),
                Route("/{path:path}", who, methods=["GET", "HEAD", "POST", "DELETE"]),
            ]
        )
        return TestClient(KnownCallers(inside, ways, self.naps), client=(address, 4711), follow_redirects=False)

    async def _verdict(self, request: Request) -> Response:
        """Waits until the client goes, while its caller is looked for once more."""
        await self._revoked()
        assert (await request.receive())["type"] == "http.disconnect"
        return JSONResponse({"sentence": "The work is even."})

    async def _export(self, _: Request) -> Response:
        """Two pieces of a file; between them its caller is looked for once more."""

        async def pieces() -> AsyncIterator[bytes]:
            yield b"one"
            await self._revoked()
            yield b"two"

        return StreamingResponse(pieces())

    async def _revoked(self) -> None:
        self.tokens.clear()
        await settled()
        await self.naps.end()

    async def _token(self, text: str, _address: str) -> Principal | None:
        if self.broken:
            raise self.broken
        return self.tokens.get(text)

    async def _session(self, _cookies: str) -> None:
        return None


async def who(request: Request) -> Response:
    caller = CALLER.get()
    return JSONResponse({"who": caller and caller.principal.name, "headers": sorted(request.headers)})


async def echo(socket: WebSocket) -> None:
    await socket.accept()
    caller = CALLER.get()
    with suppress(WebSocketDisconnect):
        while True:
            await socket.send_text(f"{caller and caller.principal.name}: {await socket.receive_text()}")


@pytest.fixture
def doors() -> Doors:
    return Doors()


@pytest.fixture
def client(doors: Doors) -> Iterator[TestClient]:
    with doors.client(IdentitySettings(proxy=PROXY, roles=ROLES)) as made:
        yield made


@pytest.fixture
def proxied(doors: Doors) -> Iterator[TestClient]:
    with doors.client(IdentitySettings(proxy=PROXY, roles=ROLES), address="10.1.0.7") as made:
        yield made


DATA = [
    "/api/v1/runs", "/api/load-test", "/api/docs", "/openapi.json", "/metrics", "/_upload", "/_all_routes", "/ping",
    "/_health", "/_event/", "/", "/runs", "/runs/1", "/assets/", "/assets/../api/v1/runs", "/assets/state.js",
    "/healthz/", "//healthz", "/healthz/../metrics", "/auth/", "/auth/login/x", "/fonts/../index.html",
    "/fonts/..", "/fonts/.", "/assets/../x-12345678.js", "/auth/tokens",
]  # fmt: skip


@pytest.mark.parametrize("path", DATA)
def test_nobody_gets_data(client: TestClient, path: str) -> None:
    for method in ("GET", "HEAD", "POST", "DELETE"):
        answer = client.request(method, path)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer"), method
        assert "who" not in answer.text


@pytest.mark.parametrize(
    "path",
    ["/healthz", "/readyz", "/favicon.svg", "/scale.css", "/readout.js", "/assets/index-DkX0_a1B.js", "/fonts/a.woff2"],
)
def test_probes_and_files_of_the_page_need_nobody(client: TestClient, path: str) -> None:
    assert client.get(path).json()["who"] is None
    assert client.post(path).status_code == 401


def test_the_way_to_the_login_needs_nobody(client: TestClient) -> None:
    assert client.get("/auth/callback").status_code == client.post("/auth/logout").status_code == 200


def test_the_refusal_is_a_problem_for_programs(client: TestClient) -> None:
    body = client.get("/api/v1/runs", headers=BROWSER).json()
    assert (body["status"], body["title"], body["type"]) == (401, "Not signed in", "/api/docs#status-401")
    assert body["detail"].startswith("This server answers only to those it knows")
    assert client.get("/api/load-test").json()["error"] == body["detail"]


def test_a_browser_gets_a_page_where_there_is_no_login(client: TestClient) -> None:
    answer = client.get("/runs", headers=BROWSER)
    assert (answer.status_code, answer.headers["content-type"]) == (401, "text/html; charset=utf-8")
    assert "This server answers only to those it knows" in answer.text


@pytest.mark.parametrize(
    ("headers", "status", "title", "sentence"),
    [
        (
            {"X-Forwarded-User": "<eve>", "X-Forwarded-Groups": "visitors"},
            403,
            "No role here",
            "&lt;eve&gt; is signed in",
        ),
        ({"X-Forwarded-User": "a, b"}, 400, "Not signed in", "cannot be told from the headers"),
        ({"Authorization": "Bearer scale_1_x"}, 503, "Nobody can sign in now", "the database is away"),
    ],
)
def test_people_are_refused_by_a_page_and_programs_by_a_problem(
    doors: Doors, proxied: TestClient, headers: dict[str, str], status: int, title: str, sentence: str
) -> None:
    doors.broken = StoreUnavailable("the database is away")
    shown = proxied.get("/runs", headers=BROWSER | headers)
    assert (shown.status_code, shown.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert (f"<h1>{title}</h1>" in shown.text, sentence in shown.text, "<eve>" in shown.text) == (True, True, False)
    told = proxied.get("/api/v1/runs", headers=headers)
    assert (told.status_code, told.headers["content-type"]) == (status, "application/problem+json")


def test_a_browser_is_sent_to_the_login_where_there_is_one(doors: Doors) -> None:
    settings = IdentitySettings(roles=ROLES, oidc=OidcSettings("https://issuer.example", "scale"))
    with doors.client(settings) as client:
        answer = client.get("/runs?state=ended&next=//evil.example", headers=BROWSER)
        assert answer.status_code == 303
        assert answer.headers["location"] == "/auth/login?next=/runs%3Fstate%3Dended%26next%3D//evil.example"
        assert client.get("/api/docs", headers=BROWSER).status_code == 303
        assert client.get("/api/v1/runs", headers=BROWSER).status_code == 401
        assert client.post("/runs", headers=BROWSER).status_code == 401


def test_a_token_is_known_inside(client: TestClient) -> None:
    assert client.get("/api/v1/runs", headers=TOKEN).json()["who"] == "deploy"
    assert CALLER.get() is None


def test_forged_headers_of_a_proxy_help_nobody_and_never_get_inside(client: TestClient) -> None:
    forged = {"X-Forwarded-User": "root", "X_Forwarded_Groups": "sre", "X-AUTH-REQUEST-EMAIL": "root"}
    assert client.get("/api/v1/runs", headers=forged).status_code == 401
    inside = client.get("/api/v1/runs", headers=forged | TOKEN).json()
    assert [name for name in inside["headers"] if "forwarded" in name or "auth-request" in name] == []
    assert inside["who"] == "deploy"
    assert "x-forwarded-user" not in client.get("/healthz", headers=forged).json()["headers"]


def test_the_proxy_s_own_are_believed_and_taken_away(proxied: TestClient) -> None:
    inside = proxied.get("/", headers={"X-Forwarded-User": "ada", "X-Forwarded-Groups": "sre"}).json()
    assert inside["who"] == "ada"
    assert "x-forwarded-user" not in inside["headers"]


@pytest.mark.parametrize(
    "headers",
    [
        [("X-Forwarded-User", "ada"), ("x-forwarded-user", "root"), ("X-Forwarded-Groups", "sre")],
        [("X-Forwarded-User", "ada"), ("X-Forwarded-Groups", "sre"), ("X_Forwarded_Groups", "sre")],
        [("X-Forwarded-User", "a" * 1_000_000), ("X-Forwarded-Groups", "sre")],
        [("Authorization", "Bearer scale_1_x"), ("Authorization", "Bearer scale_1_x")],
    ],
)
def test_headers_of_which_nobody_can_tell_who_wrote_them_are_one_sentence(
    proxied: TestClient, headers: list[tuple[str, str]]
) -> None:
    answer = proxied.get("/api/v1/runs", headers=headers)
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("Who asks cannot be told from the headers")


def test_somebody_without_a_role_is_told_so(proxied: TestClient) -> None:
    answer = proxied.get("/api/v1/runs", headers={"X-Forwarded-User": "eve"})
    assert (answer.status_code, answer.json()["detail"][:17]) == (403, "eve is signed in,")


def test_a_database_that_is_away_lets_nobody_in_and_says_so(client: TestClient, doors: Doors) -> None:
    doors.broken = StoreUnavailable("The database is away.")
    answer = client.get("/api/v1/runs", headers=TOKEN)
    assert (answer.status_code, answer.json()["detail"]) == (503, "The database is away.")


@pytest.mark.parametrize(
    "path", ["/_event/?EIO=4&transport=websocket", "/ws/metrics", "/api/v1/runs/1/stream", "/healthz"]
)
def test_nobody_opens_a_websocket(client: TestClient, path: str) -> None:
    with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect(path):
        pass
    assert refused.value.code == 1008


@pytest.fixture
def wait(client: TestClient, doors: Doors) -> Callable[[], None]:
    """Lets the time until the next look at open WebSockets pass."""

    def wait() -> None:
        assert client.portal is not None
        client.portal.call(doors.naps.end)

    return wait


def said(socket: Any, text: str) -> str:
    socket.send_text(text)
    return str(socket.receive_text())


def test_a_websocket_stays_open_while_its_caller_is_known(
    client: TestClient, doors: Doors, wait: Callable[[], None]
) -> None:
    with client.websocket_connect("/ws/metrics", headers=TOKEN) as socket:
        assert said(socket, "one") == "deploy: one"
        wait()
        doors.broken = StoreUnavailable("The database is away.")
        wait()
        assert said(socket, "two") == "deploy: two"
    assert set(doors.naps.asked_s) == {CHECK_EVERY_S}


def test_a_revoked_caller_s_websocket_is_closed_at_the_next_look(
    client: TestClient, doors: Doors, wait: Callable[[], None]
) -> None:
    with client.websocket_connect("/_event/", headers=TOKEN) as socket:
        assert said(socket, "one") == "deploy: one"
        doors.tokens.clear()
        wait()
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
        assert (closed.value.code, closed.value.reason[:30]) == (1008, "Whoever opened this connection")


def test_a_websocket_whose_caller_a_proxy_told_ends_after_an_hour_so_that_the_proxy_is_asked_again(
    proxied: TestClient, doors: Doors
) -> None:
    assert proxied.portal is not None
    headers = {"X-Forwarded-User": "ada", "X-Forwarded-Groups": "sre"}
    with proxied.websocket_connect("/_event/", headers=headers) as socket:
        for _ in range(round(3_600 / CHECK_EVERY_S) - 1):
            proxied.portal.call(doors.naps.end)
        assert said(socket, "one") == "ada: one"
        proxied.portal.call(doors.naps.end)
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
        assert (closed.value.code, closed.value.reason[:13]) == (1013, "Connect again")


def test_an_answer_that_is_waited_for_is_refused_to_a_revoked_caller(client: TestClient) -> None:
    answer = client.get("/verdict", headers=TOKEN)
    assert (answer.status_code, answer.json()["error"][:30]) == (401, "Whoever opened this connection")


async def test_a_file_on_its_way_to_a_revoked_caller_is_cut(doors: Doors) -> None:
    told: list[Message] = []

    async def receive() -> Message:
        return await asyncio.Future[Message]()

    async def send(message: Message) -> None:
        told.append(message)

    scope = {
        **{"type": "http", "asgi": {"spec_version": "2.3"}, "method": "GET", "path": "/export", "query_string": b""},
        **{"headers": [(b"authorization", b"Bearer scale_1_x")], "client": ("192.0.2.9", 4711)},
    }
    await doors.client(IdentitySettings()).app(scope, receive, send)
    assert [message.get("body", b"") for message in told] == [b"", b"one"]


def test_the_look_comes_early_enough_for_ten_seconds() -> None:
    cached_s = 5.0
    assert CHECK_EVERY_S + cached_s < 10.0


def test_where_nobody_signs_in_nothing_is_asked_and_no_socket_is_looked_at(doors: Doors) -> None:
    with doors.client(IdentitySettings(), open_to_all=True) as client:
        assert client.get("/api/v1/runs").json()["who"] == "local user"
        assert client.get("/api/v1/runs", headers={"X-Forwarded-User": "eve"}).json()["who"] == "local user"
        with client.websocket_connect("/ws/metrics") as socket:
            assert said(socket, "one") == "local user: one"
    assert doors.naps.asked_s == []
