"""One server with its own database, one Chromium, a fresh browser context for each test; what it saw is kept."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from scale_app.adapters.store import SqlRunStore
from scale_app.adapters.this_machine import SystemClock
from scale_app.domain.plan import LoadPlan
from scale_app.domain.record import RunRecord
from scale_app.domain.snapshot import RunState, Source
from tests.serving import PROJECT, Served, build_page, fetch, free_port, served

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SCREENS = PROJECT / "build" / "screens"
LIMIT_MS = 20_000
"""For what is not timed: the server tries a full disk again each five seconds, and a busy machine takes its time."""
expect.set_options(timeout=LIMIT_MS)
END_LIMIT_S = 15.0
PAST_LIMIT_S = 40.0


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    build_page()
    own = {name: value for name, value in os.environ.items() if not name.startswith("SCALE_")}
    own["SCALE_ALLOWED_TARGETS"] = "127.0.0.1"
    with served(scratch=tmp_path_factory.mktemp("browser"), environment=own) as running:
        yield running


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@pytest.fixture
def new_page(request: pytest.FixtureRequest, server: Served, chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Opens another browser of its own: `new_page("/runs", width=390, color_scheme="dark")`.

    server_url: another server than the shared one. prepare: called with the page before it goes anywhere.
    """
    opened: list[Page] = []
    errors: list[str] = []

    def open_page(
        path: str = "/",
        width: int = 1_400,
        height: int = 980,
        server_url: str = server.url,
        prepare: Callable[[Page], None] = lambda _: None,
        **context: object,
    ) -> Page:
        page = chromium.new_context(viewport={"width": width, "height": height}, **context).new_page()
        page.set_default_timeout(LIMIT_MS)
        page.on("pageerror", lambda error: errors.append(str(error)))
        opened.append(page)
        prepare(page)
        page.goto(server_url + path)
        # Only once the server has spoken does a control do anything.
        page.get_by_test_id("connected").wait_for(state="attached")
        return page

    yield open_page
    for number, page in enumerate(opened):
        _keep(page, f"{request.node.name}-{number}")
        page.context.close()
    _end_runs(server)
    assert errors == []


@pytest.fixture(scope="session")
def past_runs(server: Served) -> dict[str, str]:
    """Ids of ended runs, by what is special about each: "even", "pinned", "simulated", "failed"."""
    plans: dict[str, dict[str, object]] = {
        "even": {"target_url": "demo", "users": 60, "requests_per_connection": 1},
        "pinned": {"target_url": "demo", "users": 10, "requests_per_connection": None},
        "simulated": {"target_url": "simulated?pods=40", "users": 50},
        "failed": {"target_url": f"http://127.0.0.1:{free_port()}/gone", "users": 5},
    }
    ids = {name: start_run(server, spawn_rate=100, duration=4, **plan) for name, plan in plans.items()}
    deadline = time.monotonic() + PAST_LIMIT_S
    while set(active_runs(server)) & set(ids.values()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return ids


@pytest.fixture(scope="session")
def many_runs(server: Served) -> int:
    """How many runs of long ago, with "archive" in their target, are in the server's history."""
    plan = LoadPlan(target_url="http://archive.test/")
    records = [RunRecord(f"old-{n}", plan, Source.HEADER, RunState.FINISHED, 1_000_000.0 + n) for n in range(30)]

    async def keep() -> None:
        store = SqlRunStore(server.database_url, SystemClock())
        for record in records:
            await store.create(record)
        await store.close()

    # Playwright's own event loop runs in this thread.
    with ThreadPoolExecutor(1) as another_thread:
        another_thread.submit(asyncio.run, keep()).result()
    return len(records)


def start_run(server: Served, **plan: object) -> str:
    """Begin a run by the API; its id."""
    body = json.dumps(plan).encode()
    headers = {"Content-Type": "application/json"}
    status, answer = fetch(f"{server.url}/api/load-test/start", headers, body)
    assert status == 200, answer
    return str(json.loads(answer)["test_id"])


@pytest.fixture
def page(new_page: Callable[..., Page]) -> Page:
    """The live page."""
    return new_page()


def _keep(page: Page, name: str) -> None:
    SCREENS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENS / f"{re.sub(r'[^a-zA-Z0-9]+', '-', name)}.png", full_page=True)


def _end_runs(server: Served) -> None:
    """Leave no run to the next test."""
    deadline = time.monotonic() + END_LIMIT_S
    while active := active_runs(server):
        assert time.monotonic() < deadline, active
        for run_id in active:
            fetch(f"{server.url}/api/load-test/{run_id}/stop", body=b"")
        time.sleep(0.2)


def active_runs(server: Served) -> list[str]:
    """Ids of the runs that send load."""
    _, body = server.get("/api/load-test")
    return [run["test_id"] for run in json.loads(body)["tests"] if run["status"] in ("starting", "running", "stopping")]
