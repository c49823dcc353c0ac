"""What can go wrong is told in a sentence, and nothing that was typed is lost."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import active_runs, start_run
from tests.browser.test_live_page import open_plan
from tests.browser.test_reading import overflow_px
from tests.browser.test_screens import keep
from tests.faults.installation import children, command
from tests.serving import Served, free_port

FAILURE_LIMIT_MS = 30_000


def test_a_target_that_is_not_allowed_is_refused_before_anything_is_sent(page: Page, server: Served) -> None:
    page.get_by_test_id("target").fill("http://203.0.113.7/shop")
    page.get_by_test_id("start").click()
    expect(page.get_by_test_id("problem")).to_contain_text("203.0.113.7")
    expect(page.locator("[data-sonner-toast]").first).to_contain_text("203.0.113.7")
    expect(page.get_by_test_id("target")).to_have_value("http://203.0.113.7/shop")
    expect(page.get_by_test_id("start")).to_be_enabled()
    assert active_runs(server) == []


def test_a_target_that_refuses_connections_ends_as_a_failed_run_that_says_so(page: Page) -> None:
    url = f"http://127.0.0.1:{free_port()}/"
    page.get_by_test_id("target").fill(url)
    page.get_by_test_id("duration-entry").fill("5")
    page.get_by_test_id("start").click()
    expect(page.get_by_test_id("run-state")).to_have_text("Failed", timeout=FAILURE_LIMIT_MS)
    expect(page.get_by_test_id("run-message")).to_contain_text("refused")
    expect(page.get_by_test_id("start")).to_be_enabled()
    expect(page.get_by_test_id("target")).to_have_value(url)


@pytest.mark.parametrize(
    ("control", "typed", "label"),
    [
        ("users-entry", "abc", "Users"),
        ("users-entry", "-5", "Users"),
        ("users-entry", "2.5", "Users"),
        ("users-entry", "1000000", "Users"),
        ("users-entry", "", "Users"),
        ("spawn-rate-entry", "nan", "Spawn rate"),
        ("duration-entry", "inf", "Duration"),
        ("every", "0", "Requests per connection"),
        ("target", "ftp://127.0.0.1/", "Target"),
        ("target", "", "Target"),
    ],
)
def test_a_wrong_value_is_named_and_stays_where_it_was_typed(
    page: Page, server: Served, control: str, typed: str, label: str
) -> None:
    page.get_by_test_id(control).fill(typed)
    page.get_by_test_id("start").click()
    expect(page.get_by_test_id("problem")).to_contain_text(f"{label} = ")
    expect(page.get_by_test_id(control)).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_test_id(control)).to_have_value(typed)
    assert active_runs(server) == []


def test_a_wrong_edit_leaves_the_run_alone(page: Page) -> None:
    page.get_by_test_id("start").click()
    expect(page.get_by_test_id("run-state")).to_have_text("Running", timeout=FAILURE_LIMIT_MS)
    open_plan(page)
    page.get_by_test_id("users-entry").fill("many")
    page.get_by_test_id("users-entry").press("Tab")
    expect(page.get_by_test_id("problem")).to_contain_text("Users = 'many'")
    expect(page.get_by_test_id("run-state")).to_have_text("Running")


def test_a_wrong_weight_of_the_demo_is_named(page: Page) -> None:
    page.get_by_test_id("demo-pods").fill("lots")
    page.get_by_test_id("demo-pods").press("Tab")
    expect(page.get_by_test_id("demo-problem")).to_contain_text("pods = ")


def test_an_unknown_run_has_a_page_that_says_so(new_page: Callable[..., Page]) -> None:
    page = new_page("/runs/no-such-run")
    expect(page.get_by_role("heading", level=1)).to_have_text("Run not found")
    expect(page.get_by_test_id("problem")).to_contain_text("no-such-run")
    page.get_by_role("link", name="Show all runs").click()
    expect(page).to_have_url(re.compile(r"/runs/?$"))


def test_what_was_typed_survives_a_reload(page: Page) -> None:
    page.get_by_test_id("users-entry").fill("77")
    page.get_by_test_id("users-entry").press("Tab")
    expect(page.get_by_role("slider", name="Users")).to_have_attribute("aria-valuetext", re.compile(r"^77"))
    page.reload()
    expect(page.get_by_test_id("users-entry")).to_have_value("77")


def test_a_run_that_does_not_stop_is_put_down_by_a_second_press_on_every_page(
    new_page: Callable[..., Page], server: Served
) -> None:
    run_id = start_run(server, target_url="demo", duration=60, users=5, spawn_rate=5, timeout_s=1)
    live, own = (new_page(path, reduced_motion="reduce") for path in ("/", f"/runs/{run_id}"))
    for page in (live, own):
        expect(page.get_by_test_id("run-state").first).to_have_text("Running", timeout=FAILURE_LIMIT_MS)
        expect(page.get_by_test_id("stop")).to_have_text("Stop")
        expect(page.get_by_test_id("stopping")).to_have_count(0)
    worker = next(pid for pid in children(server.process.pid) if "scale_app.worker" in command(pid))
    os.kill(worker, signal.SIGSTOP)
    live.get_by_test_id("stop").click()
    for page in (live, own):
        expect(page.get_by_test_id("stop")).to_have_text("Force stop")
        for width in (390, 1_400):
            page.set_viewport_size({"width": width, "height": 900})
            assert overflow_px(page) <= 0
            keep(page, f"stopping-{'run' if page is own else 'live'}-{width}")
    live.reload()
    expect(live.get_by_test_id("stopping")).to_contain_text("press Force stop")
    deadline = time.monotonic() + FAILURE_LIMIT_MS / 1_000
    while active_runs(server):  # refused, with a sentence, until the load had the time to end by itself
        assert time.monotonic() < deadline
        live.get_by_test_id("stop").click()
        live.wait_for_timeout(1_000)
    for page in (live, own):
        expect(page.get_by_test_id("run-state").first).to_have_text("Failed")
        expect(page.get_by_test_id("run-message").first).to_contain_text("on the second stop it was killed")
        expect(page.get_by_test_id("stop")).to_have_count(0)
    expect(live.get_by_test_id("start")).to_be_enabled()
