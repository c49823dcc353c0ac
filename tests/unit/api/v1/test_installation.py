"""Saved plans, the demo and the installation over /api/v1."""

from __future__ import annotations

import pytest

from scale_app import version
from scale_app.codec import to_wire
from scale_app.domain.errors import StoreUnavailable, TargetUnavailable
from scale_app.domain.record import Storing
from tests.unit.api.conftest import PLAN, RUNS, Site
from tests.unit.api.v1.test_runs import assert_problem

PLANS = "/api/v1/plans"


def test_a_plan_is_saved_read_replaced_and_forgotten(site: Site) -> None:
    saved = site.client.put(f"{PLANS}/nightly ä", json=PLAN)
    assert (saved.status_code, saved.json()["name"], saved.json()["plan"]["users"]) == (200, "nightly ä", 10)
    site.client.put(f"{PLANS}/nightly ä", json=PLAN | {"users": 3})
    assert site.client.get(f"{PLANS}/nightly ä").json()["plan"]["users"] == 3
    assert [each["name"] for each in site.client.get(PLANS).json()["plans"]] == ["nightly ä"]
    assert site.client.delete(f"{PLANS}/nightly ä").status_code == 204
    for answer in (site.client.get(f"{PLANS}/nightly ä"), site.client.delete(f"{PLANS}/nightly ä")):
        assert_problem(answer, 404)


def test_a_saved_plan_begins_a_run_as_it_is(site: Site) -> None:
    site.client.put(f"{PLANS}/nightly", json=PLAN)
    plan = site.client.get(f"{PLANS}/nightly").json()["plan"]
    begun = site.client.post(RUNS, json=plan)
    assert (begun.status_code, begun.json()["plan"]) == (201, plan)


@pytest.mark.parametrize("name", ["%20a", "a%0d", "x" * 81, "%00"])
def test_a_name_that_cannot_be_is_refused(site: Site, name: str) -> None:
    assert_problem(site.client.put(f"{PLANS}/{name}", json=PLAN), 422, "name")
    assert_problem(site.client.put(f"{RUNS}/x/baseline", json={"name": " a"}), 422, "name")
    assert_problem(site.client.put(f"{RUNS}/x/baseline", json={"name": ""}), 422, "name")


def test_the_demo_is_shown_and_changed(site: Site) -> None:
    assert site.client.get("/api/v1/demo").json()["policy"] == "random"
    changed = site.client.patch("/api/v1/demo", json={"policy": "round_robin", "pods": 5})
    assert (changed.status_code, changed.json()["policy"], len(changed.json()["pods"])) == (200, "round_robin", 5)
    assert_problem(site.client.patch("/api/v1/demo", json={"policy": "magic"}), 422, "policy")
    assert_problem(site.client.patch("/api/v1/demo", json={"weigth": 3}), 422, "weigth")


def test_a_demo_that_does_not_answer_is_unavailable(site: Site) -> None:
    site.harness.hub.demo.broken = TargetUnavailable("The demo does not answer.")  # type: ignore[attr-defined]
    assert_problem(site.client.get("/api/v1/demo"), 503)


def test_the_installation_says_its_limits_and_what_runs(site: Site) -> None:
    run_id = site.started()
    assert site.client.get("/api/v1/installation").json() == {
        "limits": to_wire(site.harness.hub.limits),
        "max_runs": 3,
        "active_runs": [run_id],
        "notify_problem": "",
        "storing": to_wire(Storing()),
        "version": version(),
    }


def test_what_is_not_stored_yet_is_said_of_the_run_the_installation_and_the_server(site: Site) -> None:
    site.harness.store.broken = StoreUnavailable("The disk is full.")
    run_id = site.started()
    storing = site.client.get("/api/v1/installation").json()["storing"]
    assert storing["problem"] == "Not stored yet; runs continue. The disk is full."
    assert (storing["waiting_runs"], storing["waiting_lines"] > 0) == (1, True)
    assert site.client.get(f"{RUNS}/{run_id}").json()["not_stored"] == storing["problem"]
    response = site.client.get("/readyz")
    assert_problem(response, 503)
    assert response.json()["detail"] == storing["problem"]


def test_without_a_cluster_targets_and_sources_are_empty_and_say_what_to_set(site: Site) -> None:
    for path, part in (("targets", "targets"), ("sources", "rows"), ("sources?service=shop/cart", "rows")):
        found = site.client.get(f"/api/v1/{path}").json()
        assert (found[part], "SCALE_KUBE_CONFIG" in found["problem"]) == ([], True)
    assert_problem(site.client.get("/api/v1/targets?service=a"), 422, "service")


def test_a_database_that_is_gone_is_a_problem_of_every_route_that_asks_it(site: Site) -> None:
    site.harness.store.broken = StoreUnavailable("The database is gone.")
    for path in (RUNS, f"{RUNS}/x", PLANS, "/api/v1/baselines/x"):
        response = site.client.get(path)
        assert_problem(response, 503)
        assert response.json()["detail"] == "The database is gone."


@pytest.mark.parametrize("path", ["/api/v1", "/api/v1/", "/api/v1/nothing", f"{RUNS}/", f"{RUNS}/a/b/c"])
def test_a_path_that_is_not_there_is_a_problem(site: Site, path: str) -> None:
    assert_problem(site.client.get(path), 404)


def test_the_unexpected_is_a_problem_without_a_traceback(site: Site) -> None:
    site.harness.store.broken = ZeroDivisionError("inner secret")  # type: ignore[assignment]
    response = site.client.get(RUNS)
    assert_problem(response, 500)
    assert "secret" not in response.text
