"""Runs as files and against their thresholds, over /api/v1."""

from __future__ import annotations

import pytest

from scale_app.codec import to_wire
from scale_app.reports import FORMATS, export, run_from_json
from tests.unit.api.conftest import RUNS, Site
from tests.unit.api.v1.test_runs import assert_problem


@pytest.mark.parametrize("name", list(FORMATS))
def test_a_run_is_given_as_a_file_of_each_kind(site: Site, name: str) -> None:
    run_id = site.finished(70, 30)
    response = site.client.get(f"{RUNS}/{run_id}/export?format={name}")
    made = export(site.call(site.house.hub.whole, run_id, True), name)  # type: ignore[arg-type]
    assert response.content == made.content
    assert (response.status_code, response.headers["Content-Type"]) == (200, made.media_type)
    assert response.headers["Content-Disposition"] == f'attachment; filename="{made.name}"'
    assert "sandbox" in response.headers["Content-Security-Policy"]


def test_the_json_file_reads_back_as_the_run(site: Site) -> None:
    run_id = site.finished(70, 30)
    whole = run_from_json(site.client.get(f"{RUNS}/{run_id}/export").content)
    assert whole.record == site.call(site.house.hub.run, run_id)
    assert whole.recording


def test_the_gate_is_the_hubs(site: Site) -> None:
    run_id = site.finished(70, 30, gate={"score": {"fail": 0.9}})
    found = site.client.get(f"{RUNS}/{run_id}/gate").json()
    assert found == to_wire(site.call(site.house.hub.gate, run_id))
    assert found["outcome"] == "failed"


def test_what_cannot_be_exported_is_refused(site: Site) -> None:
    run_id = site.finished(70, 30)
    assert_problem(site.client.get(f"{RUNS}/{run_id}/export?format=pdf"), 422, "format")
    assert_problem(site.client.get(f"{RUNS}/x/export"), 404)
    assert_problem(site.client.get(f"{RUNS}/x/gate"), 404)
