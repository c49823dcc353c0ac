"""Every REST route over a fake hub: the specification's shapes, and for each bad input a status and a sentence."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from scale_app.domain.errors import (
    GeneratorFailed,
    RunStillActive,
    ScaleError,
    StoreUnavailable,
    TargetRefused,
    TargetUnavailable,
    TooManyRuns,
)
from scale_app.domain.events import SnapshotTaken
from scale_app.domain.plan import LoadPlan, PlanEdit
from tests.fakes import a_snapshot
from tests.fakes_hub import FakeHub
from tests.unit.api.asking import GOOD, TESTS, start


def test_start_takes_the_specifications_four_fields_and_gives_its_two(client: TestClient, hub: FakeHub) -> None:
    response = client.post(f"{TESTS}/start", json=GOOD)
    assert (response.status_code, response.json()) == (200, {"test_id": "run-1", "status": "started"})
    assert hub.started == [LoadPlan("http://example.com", users=100, spawn_rate=10, duration_s=60)]


def test_start_takes_the_plans_other_fields_too(client: TestClient, hub: FakeHub) -> None:
    further: dict[str, Any] = {
        "requests_per_connection": None,
        "warm_up_s": 5,
        "think_time_s": 0,
        "timeout_s": 2.5,
        "pod_header": "X-Served-By",
        "alert_rule": "score",
    }
    start(client, target_url="demo", **further)
    assert hub.started == [LoadPlan("demo", 100, 10, 60, **further)]


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("target_url", "ftp://example.com", "must begin with http:// or https://"),
        ("target_url", "example.com", "must begin with http:// or https://"),
        ("target_url", "http://", "must name a host"),
        ("target_url", "http://exa mple.com/", "no spaces"),
        ("target_url", "http://a:99999/", "not a URL"),
        ("target_url", "", "demo"),
        ("target_url", 5, "text is needed"),
        ("target_url", "http://[::1", "not a URL"),
        ("users", 0, "at least 1"),
        ("users", -3, "at least 1"),
        ("users", 5_001, "at most 5,000"),
        ("users", 2.5, "a whole number is needed"),
        ("users", "100", "a whole number is needed"),
        ("users", True, "a whole number is needed"),
        ("users", None, "a whole number is needed"),
        ("users", [100], "one number"),
        ("users", {"a": 1}, "one number"),
        ("spawn_rate", 0, "at least 0.1"),
        ("spawn_rate", "fast", "number"),
        ("spawn_rate", 1e9, "at most 5,000"),
        ("duration", 0, "at least 1"),
        ("duration", "60", "number"),
        ("duration", 86_400, "at most 3,600"),
        ("think_time_s", -1, "at least 0"),
        ("timeout_s", 0, "at least 0.1"),
        ("requests_per_connection", 0, "at least 1"),
        ("pod_header", "X Pod\r\n", "header's name"),
        ("alert_rule", "never", "score"),
        ("duration_s", 60, "it is called duration"),
        ("user", 3, "no such field"),
        ("\ud800", 3, ""),
    ],
)
def test_a_field_that_cannot_be_used_is_named(
    client: TestClient, hub: FakeHub, field: str, value: object, says: str
) -> None:
    response = client.post(f"{TESTS}/start", content=as_json(GOOD | {field: value}), headers=JSON)
    assert response.status_code == 422
    body = response.json()
    assert says in body["error"]
    assert field == "\ud800" or (body["field"] == field and field in body["error"])
    assert hub.started == []


@pytest.mark.parametrize("field", list(GOOD))
def test_a_missing_field_is_named(client: TestClient, field: str) -> None:
    response = client.post(f"{TESTS}/start", json={name: value for name, value in GOOD.items() if name != field})
    assert (response.status_code, response.json()["field"]) == (422, field)
    assert "is not given" in response.json()["error"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize("field", ["users", "spawn_rate", "duration"])
def test_a_number_that_is_none_is_refused(client: TestClient, field: str, number: str) -> None:
    content = as_json(GOOD | {field: "HERE"}).replace('"HERE"', number)
    response = client.post(f"{TESTS}/start", content=content, headers=JSON)
    assert (response.status_code, response.json()["field"]) == (422, field)


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe", b'{"users": ' + b"9" * 5_000 + b"}", b"[" * 20_000, b"target_url=demo"],
    ids=["empty", "half", "no UTF-8", "endless number", "deep", "a form"],
)
def test_a_body_that_is_not_json_is_a_bad_request(client: TestClient, body: bytes) -> None:
    response = client.post(f"{TESTS}/start", content=body, headers=JSON)
    assert response.status_code == 400
    assert "not JSON" in response.json()["error"]


@pytest.mark.parametrize("body", ["[]", "3", '"demo"', "null", "true"])
def test_json_that_is_no_object_is_refused(client: TestClient, body: str) -> None:
    response = client.post(f"{TESTS}/start", content=body, headers=JSON)
    assert (response.status_code, "a JSON object is needed" in response.json()["error"]) == (422, True)


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonx"])
def test_another_content_type_is_refused(client: TestClient, kind: str | None) -> None:
    headers = {} if kind is None else {"Content-Type": kind}
    response = client.post(f"{TESTS}/start", content=as_json(GOOD), headers=headers)
    assert response.status_code == 415
    assert "Content-Type: application/json" in response.json()["error"]


def test_a_content_type_may_name_its_charset(client: TestClient) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert client.post(f"{TESTS}/start", content=as_json(GOOD), headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (TargetRefused("no"), 403),
        (TooManyRuns("no"), 429),
        (StoreUnavailable("no"), 503),
        (GeneratorFailed("no"), 503),
        (TargetUnavailable("no"), 503),
        (RunStillActive("no"), 409),
    ],
)
def test_every_error_has_its_status_and_its_sentence(
    client: TestClient, hub: FakeHub, error: ScaleError, status: int
) -> None:
    hub.broken = error
    response = client.post(f"{TESTS}/start", json=GOOD)
    assert (response.status_code, response.json()) == (status, {"error": "no"})


def test_the_list_is_newest_first_and_by_page(client: TestClient) -> None:
    for users in (1, 2, 3):
        start(client, users=users)
    listed = client.get(f"{TESTS}?limit=2&offset=1").json()
    assert [test["test_id"] for test in listed["tests"]] == ["run-2", "run-1"]
    assert (listed["limit"], listed["offset"]) == (2, 1)


def test_a_listed_test_says_what_was_asked_in_the_words_of_start(client: TestClient) -> None:
    start(client)
    test = client.get(TESTS).json()["tests"][0]
    assert {name: test["plan"][name] for name in GOOD} == GOOD
    assert client.post(f"{TESTS}/start", json=test["plan"]).status_code == 200
    assert (test["status"], test["source"], test["ended_at"], test["balance_score"]) == ("running", "demo", None, None)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=501", "limit=x", "limit=-1", "offset=-1", "offset=1.5", "limit=", "limit=²"]
)
def test_a_page_that_cannot_be_is_refused(client: TestClient, query: str) -> None:
    response = client.get(f"{TESTS}?{query}")
    assert (response.status_code, response.json()["field"]) == (422, query.partition("=")[0])


def test_a_test_is_shown_with_its_last_snapshot_whole(client: TestClient, hub: FakeHub) -> None:
    test_id = start(client)
    hub.publish(test_id, SnapshotTaken(1.0, a_snapshot(test_id)))
    test = client.get(f"{TESTS}/{test_id}").json()
    assert (test["total_requests"], test["balance_score"]) == (100, 0.97)
    assert [pod["requests"] for pod in test["last"]["pods"]] == [60, 40]
    assert test["last"]["source"] == "demo"


def test_stop_says_stopping_once_and_conflict_after(client: TestClient) -> None:
    test_id = start(client)
    first, second = (client.post(f"{TESTS}/{test_id}/stop") for _ in range(2))
    assert (first.status_code, first.json()) == (200, {"test_id": test_id, "status": "stopping"})
    assert (second.status_code, "has ended" in second.json()["error"]) == (409, True)


def test_an_edit_changes_users_and_rate(client: TestClient, hub: FakeHub) -> None:
    test_id = start(client)
    response = client.patch(f"{TESTS}/{test_id}", json={"users": 7, "spawn_rate": 1.5})
    plan = client.get(f"{TESTS}/{test_id}").json()["plan"]
    assert (plan["users"], plan["spawn_rate"]) == (7, 1.5)
    assert (response.status_code, response.json()) == (200, {"test_id": test_id, "status": "edited", "plan": plan})
    assert hub.edits == [(test_id, PlanEdit(7, 1.5))]


@pytest.mark.parametrize(
    "change", [{"users": 0}, {"users": 9_999}, {"spawn_rate": "x"}, {"duration": 5}, {"users": [1]}]
)
def test_an_edit_that_cannot_be_is_refused(client: TestClient, hub: FakeHub, change: dict[str, Any]) -> None:
    response = client.patch(f"{TESTS}/{start(client)}", json=change)
    assert (response.status_code, response.json()["field"]) == (422, next(iter(change)))
    assert hub.edits == []


def test_an_ended_test_cannot_be_edited(client: TestClient) -> None:
    test_id = start(client)
    client.post(f"{TESTS}/{test_id}/stop")
    assert client.patch(f"{TESTS}/{test_id}", json={"users": 3}).status_code == 409


@pytest.mark.parametrize("test_id", ["no-such", "%00", "..%2f..", "a" * 2_000, "%ED%A0%80", "%F0%9F%90%8D"])
def test_an_unknown_test_is_not_found_by_any_route(client: TestClient, test_id: str) -> None:
    start(client)
    path = f"{TESTS}/{test_id}"
    for response in (client.get(path), client.post(f"{path}/stop"), client.patch(path, json={"users": 1})):
        assert response.status_code == 404
        assert response.json()["error"]


def test_health_is_of_the_process_and_readiness_of_the_store(client: TestClient, hub: FakeHub) -> None:
    assert client.get("/readyz").json() == {"status": "ready"}
    hub.broken = StoreUnavailable("The database is gone.")
    assert client.get("/healthz?probe=1").json() == {"status": "ok"}
    response = client.get("/readyz")
    problem = {
        "type": "/api/docs#store-unavailable",
        "title": "Temporarily unavailable",
        "status": 503,
        "detail": "The database is gone.",
        "field": "",
    }
    assert (response.status_code, response.json()) == (503, problem)


@pytest.mark.parametrize("path", ["/api/", "/api/nothing", "/api/load-test/a/b/c"])
def test_a_path_that_is_not_there_is_not_found_in_json(client: TestClient, path: str) -> None:
    response = client.get(path)
    assert (response.status_code, path in response.json()["error"]) == (404, True)


def test_a_wrong_method_says_which_are_right(client: TestClient) -> None:
    for method, path, allowed in (
        ("DELETE", "/api/demo", "GET, HEAD, PATCH"),
        ("GET", f"{TESTS}/x/stop", "POST"),
        ("PUT", f"{TESTS}/x", "GET, HEAD, PATCH"),
        ("OPTIONS", f"{TESTS}/start", "POST"),
        ("POST", "/healthz", "GET, HEAD"),
    ):
        response = client.request(method, path)
        assert (response.status_code, set(response.headers["Allow"].split(", "))) == (405, set(allowed.split(", ")))
        assert f"{method} is not allowed at {path}; use " in response.text


def test_the_unexpected_is_logged_under_an_id_and_shows_no_traceback(
    client: TestClient, hub: FakeHub, caplog: pytest.LogCaptureFixture
) -> None:
    hub.broken = ZeroDivisionError("inner secret")  # type: ignore[assignment]
    response = client.get(TESTS)
    assert response.status_code == 500
    sentence = response.json()["error"]
    assert "secret" not in response.text
    error_id = sentence.rstrip(".").rpartition(" ")[2]
    assert [record.exc_info is not None for record in caplog.records if error_id in record.getMessage()] == [True]


def test_answers_are_not_kept_by_browsers_or_proxies(client: TestClient) -> None:
    assert client.get(TESTS).headers["Cache-Control"] == "no-store"


def as_json(document: dict[str, Any]) -> str:
    return json.dumps(document)


@pytest.mark.parametrize("path", ["/api", "/docs"])
def test_who_looks_for_the_api_is_led_to_its_page(client: TestClient, path: str) -> None:
    answer = client.get(path, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, "/api/docs")


def test_another_path_of_the_api_leads_nowhere(client: TestClient) -> None:
    assert client.get("/api/nowhere", follow_redirects=False).status_code == 404
