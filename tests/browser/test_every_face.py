"""One ended run has the same figures wherever it is looked at: page, REST, command line, and every report."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from playwright.sync_api import Browser, Page

from scale_app.cli.commands import scale
from scale_app.domain.errors import RunNotFound
from tests.serving import PROJECT, Served

FIGURES = ("requests", "rate", "cv", "p95", "failures")


@pytest.fixture
def types(server: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Types a command for the running server, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: str) -> Result:
        # Playwright's own event loop runs in this thread.
        with ThreadPoolExecutor(1) as another_thread:
            typed = [*arguments, "--server", server.url]
            result = another_thread.submit(CliRunner().invoke, scale, typed, prog_name="scale").result()
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return invoke


def shown_on(page: Page) -> dict[str, str]:
    """What a page or a report shows of a run, by test id."""
    names = ["score", "grade", "verdict", "sentence", *(f"figure-{name}" for name in FIGURES)]
    return {name: page.get_by_test_id(name).first.inner_text() for name in names}


def test_a_runs_figures_are_the_same_on_every_face(
    new_page: Callable[..., Page],
    chromium: Browser,
    server: Served,
    past_runs: dict[str, str],
    types: Callable[..., Result],
    tmp_path: Path,
) -> None:
    run_id = past_runs["pinned"]
    page = new_page(f"/runs/{run_id}")
    page.get_by_test_id("more-figures").click()
    page.get_by_test_id("figure-requests").get_by_text(re.compile(r"\d")).wait_for()
    on_page = shown_on(page)

    _, body = server.get(f"/api/v1/runs/{run_id}")
    last = json.loads(body)["last"]
    assert on_page["figure-requests"] == f"{last['requests']:,}"
    assert on_page["figure-cv"] == f"{last['balance']['cv']:.3f}"
    # The page parts no figure from its unit at a line's end.
    # The word for the verdict stands above its sentence.
    assert " ".join(on_page["sentence"].lower().split()) in last["verdict"]["sentence"].lower()
    assert last["verdict"]["sentence"].startswith(on_page["verdict"])

    replayed: dict[str, Any] = json.loads(types("replay", run_id, "--json").stdout)
    assert replayed["run"]["last"] == last
    printed = types("replay", run_id).stdout
    for name in ("score", "figure-requests", "figure-cv", "figure-p95"):
        assert on_page[name] in printed

    types("export", run_id, "--format", "html", "-o", "report.html")
    _, downloaded = server.get(f"/api/v1/runs/{run_id}/export?format=html")
    assert (tmp_path / "report.html").read_bytes() == downloaded
    offline = chromium.new_context(offline=True, java_script_enabled=False).new_page()
    offline.goto(f"file://{tmp_path}/report.html")
    assert shown_on(offline) == on_page
    offline.context.close()

    summary = types("export", run_id, "--format", "markdown", "-o", "-").stdout
    assert f"score {on_page['score']}" in summary
    table = types("export", run_id, "--format", "csv", "-o", "-").stdout.splitlines()
    assert sum(int(row.split(",")[3]) for row in table[1:]) == last["requests"] - last["unattributed"]


def test_a_server_is_asked_to_run_by_the_command_line(server: Served, types: Callable[..., Result]) -> None:
    plan = ["--target", "simulated", "--duration", "1", "--users", "5"]
    command = [sys.executable, "-m", "scale_app.cli", "run", *plan, "--server", server.url, "--json"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, timeout=60, check=False)
    said = json.loads(done.stdout)
    run_id = said["run"]["run_id"]
    assert (said["run"]["state"], done.returncode) == ("finished", said["exit_code"])
    assert run_id in types("runs").stdout
    assert json.loads(types("compare", run_id, run_id, "--json").stdout)["comparable"]
    assert json.loads(types("targets", "--json").stdout)["targets"] == []


def test_the_doctor_finds_the_server_well_as_seen_through_its_socket(types: Callable[..., Result]) -> None:
    result = types("doctor", "--json")
    rows = {row["name"]: row["status"] for row in json.loads(result.stdout)}
    assert result.exit_code == 0
    assert rows == {
        "server": "ok", "database": "ok", "WebSocket of the page": "ok", "WebSocket of the API": "ok",
        "sources": "note",
    }  # fmt: skip


def test_the_servers_refusals_keep_their_sentence_and_code(types: Callable[..., Result]) -> None:
    for arguments in (("export", "nobody", "--format", "csv"), ("replay", "nobody"), ("compare", "nobody", "nobody")):
        result = types(*arguments)
        assert (result.exit_code, result.stderr.strip()) == (64, str(RunNotFound("nobody")))
    refused = types("run", "--target", "http://192.0.2.1/")
    assert refused.exit_code == 64
    assert "was refused before a packet was sent" in refused.stderr
