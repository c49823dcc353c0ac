"""How the legacy routes are asked for a test, as the specification has it."""

from __future__ import annotations

from starlette.testclient import TestClient

GOOD = {"target_url": "http://example.com", "users": 100, "spawn_rate": 10, "duration": 60}
TESTS = "/api/load-test"


def start(client: TestClient, **fields: object) -> str:
    return str(client.post(f"{TESTS}/start", json=GOOD | fields).json()["test_id"])
