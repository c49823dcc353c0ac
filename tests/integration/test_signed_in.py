"""A real server and an identity provider: who is signed in is served, and signing out ends what is open."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.browser_without_screen import Browser
from tests.mock_issuer import CLIENT_SECRET, MockIssuer, mock_issuer, signing_in
from tests.postgres import postgres_here
from tests.serving import Served, fetch, free_port

SIMULATED = {"target_url": "simulated", "users": 1, "duration_s": 30}
ENDED_WITHIN_S = 15.0


@pytest.fixture(scope="module")
def issuer() -> Iterator[MockIssuer]:
    with mock_issuer() as running:
        yield running


@pytest.fixture(scope="module")
def server(issuer: MockIssuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with signing_in(issuer, tmp_path_factory.mktemp("served")) as running:
        yield running


def signed_in(server: Served, issuer: MockIssuer, *groups: str, path: str = "/") -> Browser:
    issuer.claims = {"email": "ada@example.org", "groups": list(groups)}
    browser = Browser()
    status, body, where = browser.ask(f"{server.url}{path}")
    assert (status, where) == (200, f"{server.url}{path}"), body
    return browser


def test_a_browser_that_asks_for_a_page_signs_in_and_gets_it(server: Served, issuer: MockIssuer) -> None:
    browser = signed_in(server, issuer, "sre", path="/runs/?state=even")
    assert browser.ask(f"{server.url}/api/v1/runs")[0] == 200


def test_the_role_is_that_of_the_groups(server: Served, issuer: MockIssuer) -> None:
    operator, viewer = signed_in(server, issuer, "sre"), signed_in(server, issuer, "staff")
    assert viewer.post(f"{server.url}/api/v1/runs", SIMULATED)[0] == 403
    status, body = operator.post(f"{server.url}/api/v1/runs", SIMULATED)
    assert status == 201
    run = f"{server.url}/api/v1/runs/{json.loads(body)['run_id']}"
    assert viewer.ask(run)[0] == 200
    assert viewer.post(f"{run}/stop", {})[0] == 403
    assert operator.post(f"{run}/stop", {})[0] == 202


def test_who_has_no_role_is_not_let_in(server: Served, issuer: MockIssuer) -> None:
    issuer.claims = {"email": "eve@example.org", "groups": ["visitors"]}
    browser = Browser()
    status, body, _ = browser.ask(f"{server.url}/")
    assert status == 403
    assert b"eve@example.org is signed in, but none" in body
    assert browser.ask(f"{server.url}/api/v1/runs", headers={"Accept": "application/json"})[0] == 401


@pytest.mark.parametrize("cookie", ["scale=" + "x" * 43, "scale=", "scale=" + "x" * 7_000, "__Host-scale=" + "x" * 43])
def test_a_cookie_that_nobody_got_opens_nothing(server: Served, cookie: str) -> None:
    status, body = fetch(f"{server.url}/api/v1/runs", {"Cookie": cookie})
    assert status == 401
    assert b"Sign in" in body


async def code_at_the_end(socket: ClientConnection) -> int | None:
    with contextlib.suppress(ConnectionClosed):
        async for _ in socket:
            pass
    return socket.close_code


async def test_signing_out_ends_what_is_open(server: Served, issuer: MockIssuer) -> None:
    browser = signed_in(server, issuer, "sre")
    run_id = json.loads(browser.post(f"{server.url}/api/v1/runs", SIMULATED)[1])["run_id"]
    async with browser.socket(f"{server.url}/ws/metrics") as socket, browser.socket(_event(server)) as page:
        assert await page.recv()
        verdict = asyncio.create_task(asyncio.to_thread(browser.ask, f"{server.url}/api/v1/runs/{run_id}/verdict"))
        status, body, _ = await asyncio.to_thread(browser.ask, f"{server.url}/auth/logout", b"", None, "POST")
        assert (status, b"You are signed out" in body) == (200, True)
        async with asyncio.timeout(ENDED_WITHIN_S):
            assert [await code_at_the_end(one) for one in (socket, page)] == [1008, 1008]
            assert (await verdict)[0] == 401
    assert browser.ask(f"{server.url}/api/v1/runs", headers={"Accept": "application/json"})[0] == 401


async def test_without_a_session_no_socket_opens(server: Served) -> None:
    for url in (f"{server.url}/ws/metrics", _event(server)):
        with pytest.raises(InvalidStatus):
            async with Browser().socket(url):
                pass


def test_while_the_provider_is_away_sessions_go_on_and_new_ones_are_told(server: Served, issuer: MockIssuer) -> None:
    browser = signed_in(server, issuer, "sre")
    issuer.away = True
    try:
        assert browser.ask(f"{server.url}/api/v1/runs")[0] == 200
        assert Browser().ask(f"{server.url}/auth/callback?state=x&code=y")[0] == 400
        assert Browser().ask(f"{server.url}/")[0] == 503  # the provider's own answer: it was known before
    finally:
        issuer.away = False


def test_a_login_leads_to_no_other_place(server: Served, issuer: MockIssuer) -> None:
    issuer.claims = {"email": "ada@example.org", "groups": ["sre"]}
    _, _, where = Browser().ask(f"{server.url}/auth/login?next=//evil.example/")
    assert where == f"{server.url}/"


def test_sign_ins_are_in_the_log_without_secrets(server: Served, issuer: MockIssuer) -> None:
    browser = signed_in(server, issuer, "sre")
    printed = server.printed()
    assert '"signing in"' in printed
    assert "ada@example.org" in printed
    assert CLIENT_SECRET not in printed
    assert not any(cookie.value and cookie.value in printed for cookie in browser.jar)


def _event(server: Served) -> str:
    return f"{server.url}/_event/?EIO=4&transport=websocket"


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path}/scale.db"
        return
    with postgres_here() as database:
        yield asyncio.run(database.create_database("sessions"))


def test_a_session_outlives_the_server_and_no_signing_out(
    issuer: MockIssuer, database_url: str, tmp_path: Path
) -> None:
    port = free_port()
    with signing_in(issuer, tmp_path, port, database_url) as first:
        ada, eve = signed_in(first, issuer, "sre"), signed_in(first, issuer, "staff")
        eve.post(f"{first.url}/auth/logout", {})
        assert eve.ask(f"{first.url}/api/v1/runs")[0] == 401
    with signing_in(issuer, tmp_path, port, database_url) as second:
        issuer.asked.clear()
        assert json.loads(ada.ask(f"{second.url}/api/v1/me")[1])["principal"]["role"] == "operator"
        assert eve.ask(f"{second.url}/api/v1/runs")[0] == 401
        ada.post(f"{second.url}/auth/logout", {})
        assert ada.ask(f"{second.url}/api/v1/me")[0] == 401
        assert issuer.asked == []
