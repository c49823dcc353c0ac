"""One run by its permanent address, long after it has ended."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.conftest import start_run
from tests.serving import Served, fetch


def test_an_ended_run_shows_its_figures_its_plan_and_what_can_be_done(
    new_page: Callable[..., Page], past_runs: dict[str, str]
) -> None:
    page = new_page(f"/runs/{past_runs['pinned']}", timezone_id="Europe/Paris", locale="en-GB")
    expect(page.get_by_test_id("score")).to_have_text(re.compile(r"^[01]\.\d{3}$"))
    expect(page.get_by_test_id("pod")).to_have_count(5)
    expect(page.locator("main time").first).to_have_text(
        re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (CES?T|GMT\+[12])$")
    )
    expect(page.get_by_test_id("happened")).to_contain_text("Finished: duration reached.")
    expect(page.get_by_test_id("stop")).to_have_count(0)
    page.get_by_text("As text").click()
    expect(page.get_by_test_id("plan-text").locator("pre")).to_contain_text("requests_per_connection: null")
    expect(page).to_have_title(re.compile(r"Finished · Scale$"))
    with page.expect_download() as started:
        page.get_by_test_id("export-html").click()
    assert started.value.suggested_filename == f"scale-{past_runs['pinned'][:8]}.html"
    assert "<html" in started.value.path().read_text()[:200]


def test_a_failed_run_says_why_instead_of_showing_empty_pictures(
    new_page: Callable[..., Page], past_runs: dict[str, str]
) -> None:
    page = new_page(f"/runs/{past_runs['failed']}")
    expect(page.get_by_test_id("nothing-measured")).to_contain_text("This run failed before any pod was counted")
    expect(page.get_by_test_id("run-message")).to_contain_text("refused")
    expect(page.get_by_test_id("errors")).to_contain_text("connection refused")
    expect(page.get_by_test_id("rerun")).to_be_enabled()
    expect(page.locator(".chart")).to_have_count(0)


def test_a_run_is_held_against_the_baseline_of_its_target(
    new_page: Callable[..., Page], past_runs: dict[str, str]
) -> None:
    first = new_page(f"/runs/{past_runs['even']}")
    first.get_by_test_id("mark").click()
    first.get_by_test_id("baseline-name").fill("main")
    first.get_by_test_id("confirm-mark").click()
    expect(first.get_by_test_id("baseline")).to_have_text("Baseline: main")

    second = new_page(f"/runs/{past_runs['pinned']}")
    second.get_by_test_id("against-baseline").click()
    expect(second).to_have_url(re.compile(f"ids={past_runs['even']},{past_runs['pinned']}$"))
    expect(second.get_by_test_id("comparison")).to_be_visible()

    first.get_by_test_id("mark").click()
    first.get_by_test_id("unmark").click()
    expect(first.get_by_test_id("baseline")).to_have_count(0)


def test_a_deleted_run_leaves_to_the_list_and_its_link_says_so(new_page: Callable[..., Page], server: Served) -> None:
    doomed = start_run(server, target_url="simulated?pods=3", users=10, spawn_rate=100, duration=1)
    page = new_page(f"/runs/{doomed}")
    page.get_by_test_id("delete").click()
    page.get_by_test_id("confirm-delete").click()
    expect(page).to_have_url(re.compile(r"/runs/?$"))
    assert fetch(f"{server.url}/api/load-test/{doomed}")[0] == 404
    page.goto(f"{server.url}/runs/{doomed}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Run not found")
