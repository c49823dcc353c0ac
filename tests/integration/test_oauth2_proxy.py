"""The real oauth2-proxy in front of a real server, with a mock issuer: page, API and sockets work through it, and who
goes around it is nobody."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.browser_without_screen import Browser
from tests.mock_issuer import MockIssuer, mock_issuer
from tests.oauth2_proxy import PROGRAM, oauth2_proxy
from tests.serving import Served, build_page, free_port, served

pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="oauth2-proxy is not built: `make test-cluster` builds it")

SIMULATED = {"target_url": "simulated", "users": 1, "duration_s": 30}
PROXYS, ELSEWHERE = "127.0.0.1", "127.0.0.2"
FORGED = {"X-Forwarded-User": "root", "X-Forwarded-Email": "root@example.org", "X-Forwarded-Groups": "platform"}


@pytest.fixture(scope="module")
def issuer() -> Iterator[MockIssuer]:
    with mock_issuer() as running:
        yield running


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def server(scratch: Path) -> Iterator[Served]:
    build_page()
    own = {"SCALE_PROXY_NETWORKS": f"{PROXYS}/32", "SCALE_ROLES": "viewer=staff,operator=sre,admin=platform"}
    with served(environment={**os.environ, **own}, scratch=scratch) as running:
        yield running


@pytest.fixture(scope="module")
def proxy(server: Served, issuer: MockIssuer, scratch: Path) -> Iterator[str]:
    with oauth2_proxy(issuer, free_port(), server.url, scratch) as url:
        yield url


def signed_in(proxy: str, issuer: MockIssuer, *groups: str) -> Browser:
    issuer.claims = {"email": f"{groups[0]}@example.org", "groups": list(groups)}
    browser = Browser()
    assert browser.ask(f"{proxy}/")[0] == 200
    return browser


def test_the_page_comes_through_the_proxy(proxy: str, issuer: MockIssuer) -> None:
    status, body, _ = signed_in(proxy, issuer, "staff").ask(f"{proxy}/")
    assert status == 200
    assert b"Scale" in body


def test_the_groups_are_the_roles(proxy: str, issuer: MockIssuer, server: Served) -> None:
    viewer, operator, admin = (signed_in(proxy, issuer, group) for group in ("staff", "sre", "platform"))
    assert viewer.post(f"{proxy}/api/v1/runs", SIMULATED)[0] == 403
    status, body = operator.post(f"{proxy}/api/v1/runs", SIMULATED)
    assert status == 201, body
    run = f"{proxy}/api/v1/runs/{json.loads(body)['run_id']}"
    assert viewer.ask(run)[0] == 200
    assert operator.post(f"{run}/stop", {})[0] == 202
    assert operator.ask(run, method="DELETE")[0] == 403
    assert admin.ask(run, method="DELETE")[0] in (204, 409)
    assert "sre@example.org" in server.printed()


async def test_the_live_feed_and_the_pages_socket_come_through_the_proxy(
    proxy: str, issuer: MockIssuer, server: Served
) -> None:
    operator = signed_in(proxy, issuer, "sre")
    async with operator.socket(f"{proxy}/ws/metrics") as feed:
        assert (await asyncio.to_thread(operator.post, f"{proxy}/api/v1/runs", SIMULATED))[0] == 201
        async with asyncio.timeout(20):
            assert json.loads(await feed.recv())["type"] in ("metrics_update", "imbalance_alert")
    async with operator.socket(f"{proxy}/_event/?EIO=4&transport=websocket") as page:
        assert str(await page.recv()).startswith("0{")


def test_headers_that_a_client_sends_through_the_proxy_are_the_proxys_in_the_end(
    proxy: str, issuer: MockIssuer
) -> None:
    viewer = signed_in(proxy, issuer, "staff")
    for forged in (FORGED, {name.lower(): value for name, value in FORGED.items()}):
        content = json.dumps(SIMULATED).encode()
        headers = {**forged, "Content-Type": "application/json"}
        assert viewer.ask(f"{proxy}/api/v1/runs", content, headers)[0] == 403


def test_without_a_login_the_proxy_lets_nobody_through(proxy: str) -> None:
    status, _, where = Browser().ask(f"{proxy}/oauth2/auth")
    assert (status, where) == (401, f"{proxy}/oauth2/auth")


def around(server: Served, path: str, headers: Mapping[str, str], address: str = ELSEWHERE) -> tuple[int, bytes]:
    """Status and body for who does not use the proxy."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20, source_address=(address, 0))
    try:
        connection.request("GET", path, headers=dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


AROUND = {
    "none": {},
    "the proxy's": FORGED,
    "the proxy's in lower case": {name.lower(): value for name, value in FORGED.items()},
    "the proxy's with underscores": {name.replace("-", "_"): value for name, value in FORGED.items()},
    "the other names": {name.replace("X-Forwarded", "X-Auth-Request"): value for name, value in FORGED.items()},
    "the proxy's and its address": {**FORGED, "X-Forwarded-For": PROXYS, "X-Real-IP": PROXYS, "Forwarded": PROXYS},
}


@pytest.mark.parametrize("headers", AROUND)
@pytest.mark.parametrize("path", ["/", "/api/v1/runs", "/metrics", "/openapi.json"])
def test_who_goes_around_the_proxy_is_nobody_whatever_the_headers_say(server: Served, headers: str, path: str) -> None:
    status, body = around(server, path, AROUND[headers])
    assert status == 401
    assert b"root" not in body


def test_the_same_headers_from_the_proxys_own_address_are_believed(server: Served) -> None:
    """So it is the address that the tests above are refused for."""
    assert around(server, "/api/v1/runs", FORGED, PROXYS)[0] == 200


@pytest.mark.parametrize("path", ["/ws/metrics", "/_event/?EIO=4&transport=websocket"])
async def test_who_goes_around_the_proxy_opens_no_socket(server: Served, path: str) -> None:
    url = f"{server.url.replace('http', 'ws', 1)}{path}"
    with pytest.raises(InvalidStatus):
        async with connect(url, additional_headers=FORGED, proxy=None, local_addr=(ELSEWHERE, 0)):
            pass
