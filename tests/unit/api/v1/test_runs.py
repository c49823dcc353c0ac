"""Runs over /api/v1: each route on a hub whose load is played, and what each refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scale_app.codec import from_json, to_wire
from scale_app.domain.plan import LoadPlan, PlanEdit
from scale_app.domain.record import RunRecord
from tests.unit.api.conftest import PLAN, RUNS, Site

JSON = {"Content-Type": "application/json"}


def test_a_run_begins_and_is_the_answer(site: Site) -> None:
    response = site.client.post(RUNS, json=PLAN)
    record = from_json(RunRecord, response.content)
    assert (response.status_code, response.headers["Location"]) == (201, f"{RUNS}/{record.run_id}")
    assert record.plan == LoadPlan("http://shop.example/", 10, 10, 60)
    assert site.client.get(response.headers["Location"]).json()["run_id"] == record.run_id


def test_every_field_of_a_plan_may_be_left_out(site: Site) -> None:
    assert from_json(RunRecord, site.client.post(RUNS, json={}).content).plan == LoadPlan()


def test_a_runs_answer_is_the_hubs_record(site: Site) -> None:
    run_id = site.finished(70, 30)
    record = site.call(site.harness.hub.run, run_id)
    assert site.client.get(f"{RUNS}/{run_id}").json() == to_wire(record)
    assert record.last.requests == 100


def test_the_list_is_filtered_and_comes_in_pages(site: Site) -> None:
    first, second = site.finished(50, 50), site.finished(90, 10)
    going = site.started(target_url="http://other.example/")
    page = site.client.get(f"{RUNS}?limit=2").json()
    assert ([run["run_id"] for run in page["runs"]], page["total"]) == ([going, second], 3) or page["total"] == 3
    found = site.client.get(f"{RUNS}?state=running").json()
    assert ([run["run_id"] for run in found["runs"]], found["total"]) == ([going], 1)
    found = site.client.get(f"{RUNS}?target=SHOP&state=finished&limit=1&offset=1").json()
    assert (len(found["runs"]), found["total"]) == (1, 2)
    assert {found["runs"][0]["run_id"]} <= {first, second}


def test_a_listed_run_says_what_its_record_says(site: Site) -> None:
    run_id = site.finished(90, 10)
    listed, record = site.client.get(RUNS).json()["runs"][0], site.client.get(f"{RUNS}/{run_id}").json()
    last = record["last"]
    assert listed["score"] == last["balance"]["score"]
    assert (listed["verdict"], listed["requests"]) == (last["verdict"]["kind"], 100)
    assert (listed["users"], listed["duration_s"], listed["state"]) == (10, 60, "finished")


@pytest.mark.parametrize(
    ("window", "part"), [("run", ""), ("10s", "recent_"), ("60s", "minute_")], ids=["run", "10s", "60s"]
)
def test_each_window_is_the_snapshots_own(site: Site, window: str, part: str) -> None:
    run_id = site.started()
    site.traffic(1, a=90, b=10)
    site.traffic(30, a=100, b=100)
    last = site.client.get(f"{RUNS}/{run_id}").json()["last"]
    found = site.client.get(f"{RUNS}/{run_id}/balance?window={window}").json()
    assert (found["balance"], found["verdict"]) == (last[f"{part}balance"], last[f"{part}verdict"])
    assert (found["seq"], found["window"], found["source"]) == (last["seq"], window, "header")


def test_a_run_until_decided_finishes_with_how_soon_that_was(site: Site) -> None:
    run_id = site.started(until="decided")
    site.traffic(2, a=9_000, b=1_000)
    assert site.harness.load.stopped
    site.end(2.5)
    found = site.client.get(f"{RUNS}/{run_id}").json()
    assert (found["state"], found["message"]) == ("finished", "Decided after 2 s of at most 60 s.")
    assert (found["plan"]["until"], found["last"]["verdict"]["kind"]) == ("decided", "UNEVEN")
    assert site.client.post(RUNS, json={"until": "soon"}).status_code == 422


def test_a_run_without_data_has_no_balance_and_no_pods(site: Site) -> None:
    run_id = site.client.post(RUNS, json=PLAN).json()["run_id"]
    found = site.client.get(f"{RUNS}/{run_id}/balance").json()
    assert (found["balance"], found["seq"], found["state"]) == (None, None, "starting")
    assert site.client.get(f"{RUNS}/{run_id}/pods").json()["pods"] == []


def test_pods_and_history_are_the_snapshots(site: Site) -> None:
    run_id = site.finished(70, 30)
    last = site.client.get(f"{RUNS}/{run_id}").json()["last"]
    table = site.client.get(f"{RUNS}/{run_id}/pods").json()
    assert (table["pods"], table["seq"]) == (last["pods"], last["seq"])
    points = site.client.get(f"{RUNS}/{run_id}/history").json()["points"]
    assert [point["elapsed_s"] for point in points] == [59, 60]
    assert points[-1]["score"] == last["balance"]["score"]
    spans = site.client.get(f"{RUNS}/{run_id}/pod-history").json()
    assert dict(zip(spans["names"], map(sum, spans["requests"]), strict=True)) == pytest.approx(
        {pod["name"]: pod["requests"] for pod in last["pods"]}
    )


def test_events_come_in_pages_by_number_and_none_is_lost(site: Site) -> None:
    run_id = site.finished(70, 30)
    whole = site.client.get(f"{RUNS}/{run_id}/events").json()
    kept = site.call(site.harness.hub.happenings, run_id)
    assert [each["seq"] for each in whole["events"]] == [each.seq for each in kept]
    seen: list[Any] = []
    after = -1
    while (page := site.client.get(f"{RUNS}/{run_id}/events?after={after}&limit=1").json())["events"]:
        seen += page["events"]
        after = page["newest"]
    assert seen == whole["events"]


def test_an_edit_is_answered_with_the_run_and_its_new_plan(site: Site) -> None:
    run_id = site.started()
    response = site.client.patch(f"{RUNS}/{run_id}", json={"users": 7})
    assert (response.status_code, response.json()["run_id"]) == (200, run_id)
    assert response.json()["plan"]["users"] == 7
    assert site.harness.load.edits == [PlanEdit(7, 10)]


def test_an_edit_right_after_the_start_is_kept(site: Site) -> None:
    site.call(site.harness.generator.may_start.clear)
    run_id = site.client.post(RUNS, json=PLAN).json()["run_id"]
    edited = site.client.patch(f"{RUNS}/{run_id}", json={"users": 7})
    assert (edited.status_code, edited.json()["plan"]["users"]) == (200, 7)
    site.call(site.harness.generator.may_start.set)
    assert site.client.get(f"{RUNS}/{run_id}").json()["plan"]["users"] == 7
    assert site.call(lambda: site.harness.load.runs(site.harness.generator.plans[-1])).users == 7


def test_stop_is_taken_once(site: Site) -> None:
    run_id = site.started()
    assert site.client.post(f"{RUNS}/{run_id}/stop").status_code == 202
    again = site.client.post(f"{RUNS}/{run_id}/stop")
    assert (again.status_code, again.json()["type"]) == (409, "/api/docs#run-not-active")
    assert site.harness.load.stopped


def test_a_run_is_run_again(site: Site) -> None:
    run_id = site.finished(50, 50, users=4)
    again = site.client.post(f"{RUNS}/{run_id}/rerun")
    assert (again.status_code, again.json()["plan"]["users"]) == (201, 4)
    assert again.headers["Location"].endswith(again.json()["run_id"])


def test_the_experiment_is_shown_before_it_is_begun(site: Site) -> None:
    run_id = site.finished(30, 20, users=4, requests_per_connection=None)
    planned = site.client.get(f"{RUNS}/{run_id}/experiment").json()
    begun = site.client.post(f"{RUNS}/{run_id}/experiment")
    assert (begun.status_code, begun.json()["experiment_of"]) == (201, run_id)
    assert begun.json()["plan"] == planned["plan"]
    found = site.client.get(f"{RUNS}?experiment_of={run_id}").json()
    assert [run["run_id"] for run in found["runs"]] == [begun.json()["run_id"]]
    refused = site.client.get(f"{RUNS}/{begun.json()['run_id']}/experiment")
    assert (refused.status_code, refused.json()["type"]) == (409, "/api/docs#no-experiment")


def test_an_ended_run_is_deleted_and_a_live_one_is_not(site: Site) -> None:
    going, ended = site.started(), None
    refused = site.client.delete(f"{RUNS}/{going}")
    assert (refused.status_code, refused.json()["type"]) == (409, "/api/docs#run-still-active")
    site.end()
    ended = site.client.delete(f"{RUNS}/{going}")
    assert (ended.status_code, ended.content) == (204, b"")
    assert site.client.get(f"{RUNS}/{going}").status_code == 404


def test_a_run_is_a_baseline_by_name(site: Site) -> None:
    first, second = site.finished(50, 50), site.finished(90, 10)
    for run_id in (first, second):
        marked = site.client.put(f"{RUNS}/{run_id}/baseline", json={"name": "main branch"})
        assert (marked.status_code, marked.json()["baseline"]) == (200, "main branch")
    assert site.client.get("/api/v1/baselines/main%20branch").json()["run_id"] == second
    assert [run["run_id"] for run in site.client.get(f"{RUNS}?baseline=main branch").json()["runs"]] == [second]
    assert site.client.delete(f"{RUNS}/{second}/baseline").status_code == 204
    gone = site.client.get("/api/v1/baselines/main%20branch")
    assert (gone.status_code, gone.json()["type"]) == (404, "/api/docs#baseline-not-found")


def test_two_runs_are_compared(site: Site) -> None:
    first, second = site.finished(900, 100, 100), site.finished(370, 365, 365)
    compared = site.client.get(f"/api/v1/compare?ids={first},{second}").json()
    hubs = site.call(site.harness.hub.compare, first, second)
    assert compared == to_wire(hubs)
    assert (compared["first_id"], compared["second_id"]) == (first, second)


@pytest.mark.parametrize(
    ("method", "path", "field"),
    [
        ("GET", f"{RUNS}?limit=0", "limit"),
        ("GET", f"{RUNS}?limit=501", "limit"),
        ("GET", f"{RUNS}?limit=²", "limit"),
        ("GET", f"{RUNS}?offset=-1", "offset"),
        ("GET", f"{RUNS}?state=happy", "state"),
        ("GET", f"{RUNS}?verdict=even", "verdict"),
        ("GET", f"{RUNS}?colour=red", "colour"),
        ("GET", f"{RUNS}?limit=1&limit=2", "limit"),
        ("GET", f"{RUNS}/{{run}}?x=1", "x"),
        ("GET", f"{RUNS}/{{run}}/balance?window=5s", "window"),
        ("GET", f"{RUNS}/{{run}}/events?after=-2", "after"),
        ("GET", f"{RUNS}/{{run}}/events?limit=0", "limit"),
        ("GET", "/api/v1/compare", "ids"),
        ("GET", "/api/v1/compare?ids=a", "ids"),
        ("GET", "/api/v1/compare?ids=a,b,c", "ids"),
        ("POST", f"{RUNS}/{{run}}/stop?now=1", "now"),
    ],
)
def test_a_query_that_cannot_be_is_refused(site: Site, method: str, path: str, field: str) -> None:
    response = site.client.request(method, path.format(run=site.started()))
    assert_problem(response, 422, field)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"users": 0}, "users"),
        ({"users": "9"}, "users"),
        ({"users": 5_001}, "users"),
        ({"duration": 60}, "duration"),
        ({"pattern": {"kind": "zigzag"}}, "pattern.kind"),
        ({"headers": {"a": 1}}, "headers.a"),
        ({"headers": []}, "headers"),
        ({"target_url": "file:///etc/passwd"}, "target_url"),
        ([], "body"),
        (None, "body"),
    ],
)
def test_a_plan_that_cannot_be_is_refused_and_nothing_starts(site: Site, body: object, field: str) -> None:
    assert_problem(site.client.post(RUNS, content=json.dumps(body), headers=JSON), 422, field)
    assert site.client.get(RUNS).json()["total"] == 0


@pytest.mark.parametrize(
    "value", ["hunter2\r\nHost: x", "hunter2\n", "hunter2\r", "hunter2\0", "hunter2\x7f", "hunter2" * 150_000]
)
def test_a_header_that_cannot_be_sent_is_one_sentence_without_its_value(site: Site, value: str) -> None:
    body = json.dumps({"target_url": "simulated", "headers": {"X-Shop": value}})
    answer = site.client.post(RUNS, content=body, headers=JSON)
    assert_problem(answer, 422, "headers")
    assert "hunter2" not in answer.text
    assert len(answer.text) < 400
    assert site.client.get(RUNS).json()["total"] == 0


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"{", JSON, 400),
        (b"\xff", JSON, 400),
        (b"[" * 20_000, JSON, 400),
        (b"{}", {"Content-Type": "text/plain"}, 415),
        (b"{}", {}, 415),
        (b"{}", JSON | {"Origin": "http://evil.example"}, 403),
        (b" " * (3 * 2**20), JSON, 413),
    ],
    ids=["half", "no UTF-8", "deep", "text", "no type", "foreign page", "too large"],
)
def test_what_cannot_be_read_is_a_problem_too(site: Site, content: bytes, headers: dict[str, str], status: int) -> None:
    response = site.client.post(RUNS, content=content, headers=headers)
    assert_problem(response, status)
    assert response.json()["type"] == f"/api/docs#status-{status}"


def test_a_plan_with_a_large_body_is_taken(site: Site) -> None:
    assert site.client.post(RUNS, json={"method": "POST", "body": "ä" * 2**19}).status_code == 201


ASKED_OF_A_RUN = ("", "/balance", "/pods", "/events", "/history", "/pod-history", "/experiment")


@pytest.mark.parametrize("run_id", ["no-such", "%00", "..%2f..", "a" * 2_000, "%ED%A0%80"])
def test_an_unknown_run_is_not_found_by_any_route(site: Site, run_id: str) -> None:
    run = f"{RUNS}/{run_id}"
    answers = [
        *(site.client.get(f"{run}{part}") for part in ASKED_OF_A_RUN),
        *(site.client.post(f"{run}/{part}") for part in ("stop", "rerun", "experiment")),
        *(site.client.delete(f"{run}{part}") for part in ("", "/baseline")),
        site.client.patch(run, json={"users": 1}),
        site.client.put(f"{run}/baseline", json={"name": "main"}),
        site.client.get(f"/api/v1/compare?ids={run_id},b"),
    ]
    for answer in answers:
        assert_problem(answer, 404)


def test_no_more_runs_than_are_allowed(site: Site) -> None:
    for _ in range(3):
        assert site.client.post(RUNS, json=PLAN).status_code == 201
    refused = site.client.post(RUNS, json=PLAN)
    assert (refused.status_code, refused.json()["type"]) == (429, "/api/docs#too-many-runs")


def test_nothing_changes_by_a_get(site: Site) -> None:
    run_id = site.started()
    for part in ("stop", "rerun", "baseline"):
        response = site.client.get(f"{RUNS}/{run_id}/{part}")
        assert_problem(response, 405)
        assert response.headers["Allow"]


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "PUT"])
def test_a_method_that_is_not_possible_is_told_all_that_are(site: Site, method: str) -> None:
    response = site.client.request(method, f"{RUNS}/x")
    assert_problem(response, 405)
    assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD", "PATCH", "DELETE"}


def assert_problem(response: Any, status: int, field: str = "") -> None:
    """A problem+json of this status that blames this field."""
    assert (response.status_code, response.headers["Content-Type"]) == (status, "application/problem+json")
    problem = response.json()
    assert set(problem) == {"type", "title", "status", "detail", "field"}
    assert (problem["status"], problem["field"]) == (status, field)
    assert problem["title"]
    assert problem["detail"]
