"""The API over a real hub whose load is played by hand (`site`), and over a fake one (`client`, `hub`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from starlette.testclient import TestClient

from scale_app.api.guard import Guard
from scale_app.api.routes import api_app
from scale_app.settings import Settings
from tests.fakes_hub import FakeHub
from tests.unit.service.harness import Harness, settled

PLAN = {"target_url": "http://shop.example/", "users": 10, "spawn_rate": 10, "duration_s": 60}
RUNS = "/api/v1/runs"


@dataclass
class Site:
    """client: asks the API. harness: its hub, among fakes."""

    client: TestClient
    harness: Harness

    def call(self, function: Callable[..., Any], *arguments: object) -> Any:
        """Call it in the API's own event loop, and let what follows happen."""
        assert self.client.portal is not None
        given = self.client.portal.call(function, *arguments)
        self.client.portal.call(settled)
        return given

    def started(self, **fields: object) -> str:
        """A run whose generator is ready."""
        run_id = str(self.client.post(RUNS, json=PLAN | fields).json()["run_id"])
        self.call(settled)
        self.call(self.harness.load.ready)
        return run_id

    def traffic(self, at_s: float, **requests: int) -> None:
        self.call(lambda: self.harness.load.traffic(at_s, **requests))

    def end(self, at_s: float = 60.0) -> None:
        self.call(self.harness.load.end, at_s)

    def finished(self, *counts: int, **fields: object) -> str:
        """An ended run in which pods a, b, ... answered so many requests."""
        run_id = self.started(**fields)
        self.traffic(59, **dict(zip("abcdef", counts, strict=False)))
        self.end()
        return run_id


@pytest.fixture
def hub() -> FakeHub:
    return FakeHub()


@pytest.fixture
def client(hub: FakeHub) -> Iterator[TestClient]:
    settings = Settings(allowed_hosts=("testserver",))
    with TestClient(Guard(api_app(hub), settings), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def site() -> Iterator[Site]:
    settings, harness = Settings(allowed_hosts=("testserver",)), Harness(max_runs=3)
    with TestClient(Guard(api_app(harness.hub), settings), raise_server_exceptions=False) as client:
        yield Site(client, harness)
        client.portal.call(harness.close)  # type: ignore[union-attr]
