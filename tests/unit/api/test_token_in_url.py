"""A token in a URL is refused by one sentence, wherever in it, and nothing else is."""

from __future__ import annotations

import logging

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

TOKEN = "scale_0123456789ab_" + "s" * 43


@pytest.mark.parametrize(
    "url",
    [
        f"/api/v1/runs?token={TOKEN}",
        f"/api/v1/runs?limit=1&x={TOKEN}",
        f"/api/v1/runs?x={TOKEN.replace('_', '%5f')}",
        f"/api/v1/runs/{TOKEN}",
        f"/{TOKEN}",
        "/api/v1/runs?access_token=whatever",
        "/healthz?limit=1&access_token=",
    ],
)
def test_it_is_refused_and_neither_told_nor_logged(
    client: TestClient, caplog: pytest.LogCaptureFixture, url: str
) -> None:
    with caplog.at_level(logging.DEBUG, "scale_app"):
        refused = client.get(url)
    assert refused.status_code == 400
    assert "has a token in its URL" in refused.text
    assert "sss" not in refused.text + "".join(
        record.getMessage() for record in caplog.records if record.name != "httpx2"
    )


def test_a_sockets_url_is_looked_at_too(client: TestClient) -> None:
    with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect(f"/ws/metrics?token={TOKEN}"):
        pass
    assert "has a token in its URL" in refused.value.reason


@pytest.mark.parametrize("url", ["/api/v1/runs", "/api/v1/runs?target=scale_", "/api/v1/runs?target=access_token"])
def test_other_urls_are_not_refused_for_it(client: TestClient, url: str) -> None:
    assert "token in its URL" not in client.get(url).text


def test_what_reflex_calls_a_token_is_none(client: TestClient) -> None:
    assert client.get("/healthz?token=5e0f3b5e-7f2a-4a53-9b9f-000000000000").status_code == 200
