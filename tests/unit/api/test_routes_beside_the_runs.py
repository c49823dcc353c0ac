"""The legacy routes for the demo, experiments and comparisons, over a fake hub."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from scale_app.domain.demo import Policy
from scale_app.domain.errors import TargetUnavailable
from tests.examples import an_ended_run
from tests.fakes_hub import FakeHub
from tests.unit.api.asking import TESTS, start


def test_the_demo_is_shown(client: TestClient) -> None:
    demo = client.get("/api/demo").json()
    assert (demo["policy"], len(demo["pods"]), demo["answered"]) == ("random", 3, {"pod-0": 7})


def test_the_demo_is_changed(client: TestClient, hub: FakeHub) -> None:
    response = client.patch("/api/demo", json={"policy": "round_robin", "pods": 5})
    assert (response.status_code, response.json()["policy"], len(response.json()["pods"])) == (200, "round_robin", 5)
    assert hub.demo.now.policy is Policy.ROUND_ROBIN


@pytest.mark.parametrize(
    "change",
    [
        {"pods": 0},
        {"pods": 51},
        {"policy": "magic"},
        {"fault": 3},
        {"weight": 0},
        {"weight": "NaN"},
        {"kill_pod": "x"},
        {"colour": 1},
    ],
)
def test_a_change_of_the_demo_that_cannot_be_is_refused(client: TestClient, change: dict[str, Any]) -> None:
    response = client.patch("/api/demo", json=change)
    assert (response.status_code, response.json()["field"]) == (422, next(iter(change)))


def test_a_demo_that_does_not_answer_is_unavailable(client: TestClient, hub: FakeHub) -> None:
    hub.demo.broken = TargetUnavailable("The demo does not answer.")
    assert client.get("/api/demo").status_code == 503
    assert client.patch("/api/demo", json={}).json() == {"error": "The demo does not answer."}


def test_an_experiment_starts_the_decisive_run_and_says_why(client: TestClient, hub: FakeHub) -> None:
    hub.add(an_ended_run([3_000, 2_000, 1_000], connections=20))
    response = client.post(f"{TESTS}/first/experiment")
    body = response.json()
    assert (response.status_code, set(body), body["status"]) == (200, {"test_id", "status", "reason"}, "started")
    assert body["reason"].startswith("Undecided with keep-alive")
    assert hub.started[-1].requests_per_connection == 1
    assert client.get(f"{TESTS}/{body['test_id']}").json()["experiment_of"] == "first"
    assert client.get(f"{TESTS}/first").json()["experiment_of"] is None


def test_a_run_that_leaves_nothing_open_has_no_experiment(client: TestClient, hub: FakeHub) -> None:
    test_id = start(client)
    response = client.post(f"{TESTS}/{test_id}/experiment")
    assert (response.status_code, "still running" in response.json()["error"]) == (409, True)
    assert client.post(f"{TESTS}/no-such/experiment").status_code == 404
    assert len(hub.started) == 1


def test_two_tests_are_compared(client: TestClient, hub: FakeHub) -> None:
    hub.add(an_ended_run([6_000, 1_000, 1_000], connections=None))
    hub.add(replace(an_ended_run([2_700, 2_650, 2_650], connections=None), run_id="second"))
    response = client.get("/api/compare?ids=first,second")
    body = response.json()
    assert (response.status_code, body["comparable"], body["changed"]) == (200, True, "better")
    assert body["difference_low"] < body["difference"] < body["difference_high"] < 0
    assert [pod["first_share"] for pod in body["pods"]] == [0.75, 0.125, 0.125]
    assert [pair["percentile"] for pair in body["latency"]] == ["p50", "p95", "p99"]


def test_what_is_not_comparable_is_an_answer_with_the_reasons(client: TestClient) -> None:
    response = client.get(f"/api/compare?ids={start(client)},{start(client)}")
    body = response.json()
    assert (response.status_code, body["comparable"], body["changed"]) == (200, False, None)
    assert body["reasons"] == ["run run-1 is still running", "run run-2 is still running"]


@pytest.mark.parametrize("query", ["", "?ids=", "?ids=a", "?ids=a,", "?ids=a,b,c"])
def test_a_comparison_takes_two_ids(client: TestClient, query: str) -> None:
    response = client.get(f"/api/compare{query}")
    assert (response.status_code, response.json()["field"]) == (422, "ids")
    assert client.get("/api/compare?ids=a,b").status_code == 404
