"""Tokens and the audit log over the API, each as whoever calls may see them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from scale_app.api.routes import api_app
from scale_app.domain.audit import AuditEntry
from scale_app.domain.identity import CALLER, Caller, Principal, Role, SignIn
from tests.unit.service.harness import Harness

TOKENS, AUDIT = "/api/v1/tokens", "/api/v1/audit"


class Calling:
    """An application that is called by `caller`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.become("ada", Role.ADMIN)

    def become(self, name: str, role: Role) -> None:
        self.caller = Caller(Principal(name, role, SignIn.OIDC), "10.0.0.7")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        CALLER.set(self.caller)
        await self._app(scope, receive, send)


@pytest.fixture
def harness() -> Harness:
    return Harness()


@pytest.fixture
def calling(harness: Harness) -> Calling:
    return Calling(api_app(harness.hub))


@pytest.fixture
def client(calling: Calling) -> Iterator[TestClient]:
    with TestClient(calling, raise_server_exceptions=False) as client:
        yield client


def test_a_token_is_told_once_and_listed_without_its_secret(client: TestClient) -> None:
    made = client.post(TOKENS, json={"name": "nightly", "role": "operator", "days": 30})
    assert made.status_code == 201
    text, token = made.json()["text"], made.json()["token"]
    assert text.startswith(f"scale_{token['id']}_")
    assert (token["owner"], token["role"], token["name"]) == ("ada", "operator", "nightly")
    assert made.headers["cache-control"] == "no-store"
    listed = client.get(TOKENS)
    assert listed.json() == {"tokens": [token]}
    assert text.split("_", 2)[2] not in listed.text


def test_a_token_lasts_ninety_days_and_may_look_unless_more_is_asked(client: TestClient) -> None:
    token = client.post(TOKENS, json={"name": "nightly"}).json()["token"]
    assert token["role"] == "viewer"
    assert token["expires_at_epoch_s"] - token["made_at_epoch_s"] == 90 * 86_400


def test_a_revoked_token_is_listed_with_its_end(client: TestClient) -> None:
    token = client.post(TOKENS, json={"name": "nightly"}).json()["token"]
    assert token["revoked_at_epoch_s"] is None
    assert client.delete(f"{TOKENS}/{token['id']}").status_code == 204
    (listed,) = client.get(TOKENS).json()["tokens"]
    assert listed["revoked_at_epoch_s"] is not None
    assert client.delete(f"{TOKENS}/{token['id']}").status_code == 204


def test_anothers_token_is_neither_seen_nor_revoked(client: TestClient, calling: Calling) -> None:
    token = client.post(TOKENS, json={"name": "nightly"}).json()["token"]
    calling.become("bob", Role.OPERATOR)
    assert client.get(TOKENS).json() == {"tokens": []}
    refused = client.delete(f"{TOKENS}/{token['id']}")
    assert (refused.status_code, refused.json()["type"]) == (404, "/api/docs#token-not-found")
    calling.become("ada", Role.ADMIN)
    assert client.get(TOKENS).json()["tokens"][0]["revoked_at_epoch_s"] is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a\r\nb"}, "name"),
        ({"name": "a\x00"}, "name"),
        ({"name": "x" * 60_000}, "name"),
        ({"name": "x", "role": "root"}, "role"),
        ({"name": "x", "days": -1}, "days"),
        ({"name": "x", "days": 1e308}, "days"),
        ({"name": "x", "secret": "mine"}, "secret"),
        ({}, "name"),
    ],
)
def test_a_token_that_cannot_be_is_refused_and_none_is_made(
    client: TestClient, body: dict[str, object], field: str
) -> None:
    refused = client.post(TOKENS, json=body)
    assert (refused.status_code, refused.json()["field"]) == (422, field)
    assert len(refused.text) < 1_000
    assert client.get(TOKENS).json() == {"tokens": []}


def test_the_audit_log_is_read_in_pages(client: TestClient, harness: Harness) -> None:
    entries = [AuditEntry(float(n), "ada", "admin", "starting a run", f"run-{n}", "x", allowed=True) for n in range(3)]
    harness.access_store.entries.extend(entries)
    page = client.get(AUDIT, params={"limit": 2, "offset": 1}).json()
    assert [entry["subject"] for entry in page["entries"]] == ["run-1", "run-0"]
    assert (page["total"], page["limit"], page["offset"]) == (3, 2, 1)
    assert client.get(AUDIT, params={"limit": 501}).status_code == 422
