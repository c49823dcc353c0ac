"""What people meet on a bad day has a state of its own: it says what is wrong, and it goes when that is over."""

from __future__ import annotations

import asyncio
import os
import re
import resource
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from scale_app.ui import BUILD_ID
from tests.browser.black_hole import black_hole
from tests.browser.conftest import active_runs, start_run
from tests.browser.test_live_page import open_plan, see_score, start
from tests.browser.test_reading import THEMES, draw_all, take_theme, violations
from tests.browser.test_screens import fits_every_screen
from tests.fake_api_server import FakeApiServer
from tests.kubernetes_objects import endpoint, endpoint_slice, service, shop
from tests.serving import Served, build_page, free_port, served

HOLE_S = 12.0
SHORT_LIMIT_S = 10.0
STORED_LIMIT_S = 30.0
PRESS_START_AT = (
    """at => void setTimeout(() => document.querySelector('[data-testid="start"]').click(), at - Date.now())"""
)
BACK_LIMIT_MS = 40_000
EARLIER = "an-earlier-build"


class OwnServer:
    """A server that a test may kill and start again, at the same address and with the same history."""

    def __init__(self, folder: pytest.TempPathFactory, environment: dict[str, str]) -> None:
        self._scratch = folder.mktemp("own")
        self._environment = environment
        self._port = free_port()
        self._stack = ExitStack()
        self.url = f"http://127.0.0.1:{self._port}"

    def start(self) -> Served:
        serving = served(scratch=self._scratch, environment=self._environment, port=self._port)
        self._running = self._stack.enter_context(serving)
        return self._running

    def wait_until_stored(self, seconds: int) -> int:
        """Seconds with a score that the database holds of the run that goes on, once they are at least so many.

        What is shown is stored a moment later: who kills the server takes what was not stored yet with it.
        """
        active = "SELECT id FROM runs WHERE state = 'running' AND score IS NOT NULL"
        scored = f"run_id IN ({active}) AND json_extract(point_json, '$.score') IS NOT NULL"
        count = f"SELECT count(*) FROM run_events WHERE {scored}"
        deadline = time.monotonic() + STORED_LIMIT_S
        with closing(sqlite3.connect(f"file:{self._scratch}/scale.db?mode=ro", uri=True)) as database:
            while (stored := int(database.execute(count).fetchone()[0])) < seconds:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        return stored

    def kill(self) -> None:
        self._running.process.kill()
        self.end()

    def end(self) -> None:
        self._stack.close()


@pytest.fixture(scope="module")
def cluster() -> Iterator[FakeApiServer]:
    """A cluster with two Services, which this account may list but neither read the logs of nor enter."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    api = FakeApiServer(denied={"get pods/log", "get pods/exec", "create pods/exec"})
    asyncio.run_coroutine_threadsafe(api.start(), loop).result()
    shop(api)
    api.put("services", service("checkout", sessionAffinity="ClientIP"))
    api.put("endpointslices", endpoint_slice(endpoint("checkout-1", ready=False), service="checkout"))
    yield api
    asyncio.run_coroutine_threadsafe(api.stop(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture(scope="module")
def own_server(cluster: FakeApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnServer]:
    build_page()
    own = {name: value for name, value in os.environ.items() if not name.startswith("SCALE_")}
    config = cluster.kubeconfig(tmp_path_factory.mktemp("kube"))
    server = OwnServer(tmp_path_factory, own | {"SCALE_KUBE_CONFIG": config})
    server.start()
    yield server
    server.end()


def test_a_missing_right_is_named_and_the_rest_is_shown(new_page: Callable[..., Page], own_server: OwnServer) -> None:
    page = new_page("/targets", server_url=own_server.url, reduced_motion="reduce")
    cart = page.get_by_test_id("target-row").filter(has_text="shop/cart")
    expect(cart.get_by_test_id("ready-pods")).to_have_text("3 of 3 pods ready")
    checkout = page.get_by_test_id("target-row").filter(has_text="shop/checkout")
    expect(checkout).to_contain_text("sessionAffinity: ClientIP")
    expect(checkout.get_by_test_id("ready-pods")).to_have_text("0 of 1 pods ready")
    logs = page.get_by_test_id("right").filter(has_text="access log")
    expect(logs).to_contain_text("✕ No")
    expect(logs).to_contain_text("get pods/log")
    expect(page.get_by_test_id("right").filter(has_text="targets").first).to_contain_text("✓ Yes")
    fits_every_screen(page, "targets-of-a-cluster")
    cart.get_by_test_id("use").click()
    expect(page.get_by_test_id("target")).to_have_value(re.compile(r"^http://.*:8080/"))
    expect(page.get_by_test_id("choose-service")).to_have_value(re.compile(r"^http://.*:8080/ .*shop/cart$"))
    # The plan that would be started counts at the pods of that Service.
    page.get_by_test_id("saved-plans").click()
    page.get_by_test_id("show-plan-text").click()
    expect(page.get_by_test_id("plan-text")).to_have_value(re.compile(r"^service: .*shop/cart$", re.MULTILINE))


def test_a_cluster_that_refuses_to_list_says_so(
    new_page: Callable[..., Page], own_server: OwnServer, cluster: FakeApiServer
) -> None:
    page = new_page("/targets", server_url=own_server.url)
    expect(page.get_by_test_id("target-row")).to_have_count(2)
    cluster.denied.add("list services")
    try:
        page.get_by_test_id("ask-again").click()
        expect(page.get_by_test_id("cluster-problem")).to_contain_text("services")
        expect(page.get_by_test_id("right").filter(has_text="targets").first).to_contain_text("list services")
    finally:
        cluster.denied.discard("list services")
    page.get_by_test_id("ask-again").click()
    expect(page.get_by_test_id("cluster-problem")).to_have_count(0)


def test_a_server_that_was_killed_comes_back_with_every_second_and_the_run_as_interrupted(
    new_page: Callable[..., Page], own_server: OwnServer
) -> None:
    page = new_page(server_url=own_server.url)
    start(page)
    see_score(page)
    stored = own_server.wait_until_stored(seconds=3)
    own_server.kill()
    expect(page.get_by_test_id("lost")).to_be_visible()
    assert violations(page) == []
    own_server.start()
    expect(page.get_by_test_id("lost")).to_be_hidden(timeout=BACK_LIMIT_MS)
    expect(page.get_by_test_id("run-state")).to_have_text("Interrupted", timeout=BACK_LIMIT_MS)
    see_score(page)
    # A path of so many points: the first is moved to, a line leads to each of the others.
    line = page.get_by_role("img", name="Balance score over time").locator("path.line")
    expect(line).to_have_attribute("d", re.compile(rf"^M[^M]*(L[^ML]*){{{stored - 1},}}$"))
    expect(page.get_by_test_id("run-message")).to_contain_text("The server stopped while this run was sending load")
    expect(page.get_by_test_id("start")).to_be_enabled()


def test_a_socket_that_swallows_everything_is_noticed_and_nothing_is_missing_afterwards(
    new_page: Callable[..., Page], server: Served
) -> None:
    with black_hole(server.port) as proxy:
        page = new_page(server_url=proxy.url)
        start(page)
        see_score(page)
        began = time.monotonic()
        proxy.swallow()
        expect(page.get_by_test_id("silent")).to_be_visible(timeout=10_000)
        page.wait_for_timeout(1_000 * max(0.0, HOLE_S - (time.monotonic() - began)))
        proxy.give_back()
        expect(page.get_by_test_id("silent")).to_be_hidden()
        expect(page.get_by_test_id("run-state")).to_have_text("Running")
        fresh = new_page()
        see_score(fresh)
        # One line without a gap: the path begins anew where seconds are missing.
        expect(page.get_by_role("img", name="Balance score over time").locator("path.line")).to_have_attribute(
            "d", re.compile(r"^M[^M]*(L[^ML]*){12,}$")
        )


def test_two_people_who_press_start_at_once_each_see_their_own_run_and_the_other_one(
    new_page: Callable[..., Page], server: Served
) -> None:
    pages = [new_page(), new_page()]
    for page in pages:
        expect(page.get_by_test_id("start")).to_be_enabled()
    # One moment for both: a page that hears of the other's run first has no Start any more.
    at_ms = 1_000 * (time.time() + 1)
    for page in pages:
        page.evaluate(PRESS_START_AT, at_ms)
    for page in pages:
        expect(page.get_by_test_id("run-state")).to_have_text("Running", timeout=BACK_LIMIT_MS)
        expect(page.get_by_text("Another run is sending load")).to_be_visible()
    # Whose run is heard of first is shown first; each page then turns to its own.
    others = [page.locator('.notice a[href^="/runs/"]') for page in pages]
    started = {f"/runs/{run_id}" for run_id in active_runs(server)}
    deadline = time.monotonic() + SHORT_LIMIT_S
    while {other.get_attribute("href") for other in others} != started and time.monotonic() < deadline:
        pages[0].wait_for_timeout(200)
    assert {other.get_attribute("href") for other in others} == started


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Served]:
    """A server with one ended run, whose database SQLite opens for reading only: root could write to any file."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("SCALE_")}
    with served(scratch=tmp_path, environment=own) as writing:
        start_run(writing, target_url="simulated", users=5, spawn_rate=50, duration=1)
        deadline = time.monotonic() + SHORT_LIMIT_S
        while active_runs(writing):
            assert time.monotonic() < deadline
            time.sleep(0.1)
    for_reading = f"sqlite+aiosqlite:///file:{tmp_path}/scale.db?mode=ro&uri=true"
    with served(scratch=tmp_path, environment=own | {"SCALE_DATABASE_URL": for_reading}) as reading:
        yield reading


def test_a_database_that_may_only_be_read_shows_its_history_and_tells_what_cannot_be_kept(
    new_page: Callable[..., Page], read_only: Served
) -> None:
    page = new_page(server_url=read_only.url, reduced_motion="reduce")
    draw_all(page)
    see_score(page)
    start(page)
    expect(page.get_by_test_id("not-stored")).to_contain_text("readonly database")
    expect(page.get_by_test_id("not-stored")).to_contain_text("Let Scale write to the database's file")
    page.get_by_test_id("stop").click()
    expect(page.get_by_test_id("start")).to_be_enabled()
    open_plan(page)
    page.get_by_test_id("saved-plans").click()
    page.get_by_test_id("plan-name").fill("kept")
    page.get_by_test_id("save-plan").click()
    expect(page.get_by_test_id("plan-problem")).to_contain_text("readonly database")
    for theme in THEMES:  # before anything that takes time: a toast goes by itself
        take_theme(page, theme)
        expect(page.locator("[data-sonner-toaster]")).to_have_attribute("data-sonner-theme", theme)
    for theme in THEMES:
        take_theme(page, theme)
        assert violations(page) == []

    page.get_by_test_id("nav-runs").click()
    expect(page.get_by_test_id("run")).to_have_count(2)
    page.get_by_test_id("mark").first.click()
    page.get_by_test_id("baseline-name").fill("kept")
    page.get_by_test_id("confirm-mark").click()
    expect(page.get_by_test_id("baseline-problem")).to_contain_text("still being stored")
    page.keyboard.press("Escape")
    page.get_by_test_id("mark").last.click()
    page.get_by_test_id("baseline-name").fill("kept")
    page.get_by_test_id("confirm-mark").click()
    expect(page.get_by_test_id("baseline-problem")).to_contain_text("readonly database")
    page.keyboard.press("Escape")
    for row in (page.get_by_test_id("run").first, page.get_by_test_id("run").last):
        row.get_by_test_id("delete").click()
        page.get_by_test_id("confirm-delete").click()
        expect(page.get_by_text("Deleting run").last).to_be_visible()
    expect(page.get_by_test_id("run")).to_have_count(2)
    assert active_runs(read_only) == []


def test_a_disk_that_takes_no_more_is_told_and_costs_no_run_and_is_used_again_when_it_has_room(
    page: Page, server: Served
) -> None:
    """The kernel itself refuses every further byte of the server's files, as a full disk or a quota would."""
    usual = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (0, usual[1]))
    try:
        start(page)
        see_score(page)
        expect(page.get_by_test_id("not-stored")).to_contain_text("its free space")
        status, body = server.get("/readyz")
        assert (status, b"its free space" in body) == (503, True)
        page.get_by_test_id("stop").click()
        expect(page.get_by_test_id("run-state")).to_have_text("Stopped")
        assert active_runs(server) == []
    finally:
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, usual)
    expect(page.get_by_test_id("not-stored")).to_have_count(0)
    assert server.get("/readyz")[0] == 200


def test_a_page_of_another_version_asks_to_be_reloaded(new_page: Callable[..., Page]) -> None:
    aged = [True]

    # Every request goes through here to the end, which keeps the browser's memory out: it would give the aged script
    # again under the name that, in truth, each version has for itself.
    def age(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=answer.text().replace(BUILD_ID, EARLIER if aged else BUILD_ID))

    # No transitions, so that axe-core does not meet a colour half way.
    page = new_page(prepare=lambda page: page.route(re.compile(r"\.js(\?|$)"), age), reduced_motion="reduce")
    expect(page.get_by_test_id("upgraded")).to_contain_text("This page is from an older version")
    for theme in THEMES:
        take_theme(page, theme)
        assert violations(page) == []
    aged.clear()
    page.get_by_test_id("reload").click()
    expect(page.get_by_test_id("upgraded")).to_have_count(0)


def test_a_failed_run_is_told_in_the_list_and_on_its_page(
    new_page: Callable[..., Page], server: Served, past_runs: dict[str, str]
) -> None:
    begun = start_run(server, target_url=f"http://127.0.0.1:{free_port()}/", users=5, spawn_rate=50, duration=3)
    page = new_page(f"/runs/{begun}")
    expect(page.get_by_test_id("nothing-measured")).to_be_visible(timeout=BACK_LIMIT_MS)
    expect(page.get_by_test_id("run-message")).to_contain_text("refused")
