"""Runs as files and against their thresholds, over /api/v1."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from scale_app.api.operation import CheckedRequest
from scale_app.api.v1 import reports
from scale_app.api.v1.reports import ExportQuery, report_operations
from scale_app.codec import to_wire
from scale_app.domain.errors import TooManyExports
from scale_app.domain.recording import WholeRun
from scale_app.reports import FORMATS, export, run_from_json
from tests.unit.api.conftest import RUNS, Site
from tests.unit.api.test_download import SCOPE, Client
from tests.unit.api.v1.test_runs import assert_problem
from tests.unit.service.harness import Harness, settled


@pytest.mark.parametrize("name", list(FORMATS))
def test_a_run_is_given_as_a_file_of_each_kind(site: Site, name: str) -> None:
    run_id = site.finished(70, 30)
    response = site.client.get(f"{RUNS}/{run_id}/export?format={name}")
    made = export(site.call(site.harness.hub.whole, run_id, True), name)  # type: ignore[arg-type]
    assert response.content == made.content
    assert (response.status_code, response.headers["Content-Type"]) == (200, made.media_type)
    assert response.headers["Content-Disposition"] == f'attachment; filename="{made.name}"'
    assert "sandbox" in response.headers["Content-Security-Policy"]


def test_the_json_file_reads_back_as_the_run(site: Site) -> None:
    run_id = site.finished(70, 30)
    whole = run_from_json(site.client.get(f"{RUNS}/{run_id}/export").content)
    assert whole.record == site.call(site.harness.hub.run, run_id)
    assert whole.recording


def test_the_gate_is_the_hubs(site: Site) -> None:
    run_id = site.finished(70, 30, gate={"score": {"fail": 0.9}})
    found = site.client.get(f"{RUNS}/{run_id}/gate").json()
    assert found == to_wire(site.call(site.harness.hub.gate, run_id))
    assert found["outcome"] == "failed"


def test_what_cannot_be_exported_is_refused(site: Site) -> None:
    run_id = site.finished(70, 30)
    assert_problem(site.client.get(f"{RUNS}/{run_id}/export?format=pdf"), 422, "format")
    assert_problem(site.client.get(f"{RUNS}/x/export"), 404)
    assert_problem(site.client.get(f"{RUNS}/x/gate"), 404)


async def test_two_files_are_made_at_once_and_the_next_when_one_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "PATIENCE_S", 0.01)
    harness = Harness()
    run_id = await harness.started()
    harness.load.end(1)
    await settled()
    export_it = report_operations(harness.hub)[0].answer
    asked, client = CheckedRequest({"run_id": run_id}, ExportQuery()), Client()
    first, _ = [await export_it(asked) for _ in range(2)]
    with pytest.raises(TooManyExports):
        await export_it(asked)
    await first(SCOPE, client.receive, client.send)  # type: ignore[operator]
    await export_it(asked)
    await harness.close()


def test_one_file_too_many_is_refused_until_later(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def none_free(_places: reports.Places) -> None:
        raise TooManyExports(2, 10)

    run_id = site.finished(70, 30)
    monkeypatch.setattr(reports.Places, "take", none_free)
    refused = site.client.get(f"{RUNS}/{run_id}/export")
    assert_problem(refused, 503)
    assert refused.headers["Retry-After"] == "10"
    assert "2 run files are being downloaded already" in refused.json()["detail"]
    assert site.client.get(f"{RUNS}/{run_id}").status_code == 200


async def test_the_json_begins_before_the_run_is_read() -> None:
    harness, reading = Harness(), asyncio.Event()
    run_id = await harness.started()
    harness.load.end(1)
    await settled()
    whole, client = harness.hub.whole, Client()

    async def slow(*given: Any, **more: Any) -> WholeRun:
        await reading.wait()
        return await whole(*given, **more)

    harness.hub.whole = slow  # type: ignore[method-assign]
    response = await report_operations(harness.hub)[0].answer(CheckedRequest({"run_id": run_id}, ExportQuery()))
    sending = asyncio.create_task(response(SCOPE, client.receive, client.send))  # type: ignore[operator]
    await settled()
    assert [message.get("body", b"")[:14] for message in client.sent] == [b"", b'{"scale_run":1']
    reading.set()
    await sending
    body = b"".join(message.get("body", b"") for message in client.sent)
    assert run_from_json(body).record == await harness.hub.run(run_id)
    await harness.close()
