"""From a verdict to its cause: findings, the deciding experiment, and two runs compared."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.test_live_page import open_plan, random_again, see_score
from tests.browser.test_reading import THEMES, overflow_px, violations

RUN_LIMIT_MS = 40_000


def finish(page: Page, duration_s: int) -> None:
    """Run for so long; back when it has ended."""
    if page.get_by_test_id("edit").is_visible():
        open_plan(page)
    page.get_by_test_id("duration-entry").fill(str(duration_s))
    page.get_by_test_id("start").click()
    expect(page.get_by_test_id("run-state")).to_have_text("Running", timeout=RUN_LIMIT_MS)
    expect(page.get_by_test_id("run-state")).to_have_text("Finished", timeout=RUN_LIMIT_MS)


def test_a_weighted_balancer_shows_its_cause_and_two_runs_compare(new_page: Callable[..., Page]) -> None:
    page = new_page()
    finish(page, 6)
    page.get_by_test_id("demo-policy").select_option("weighted")
    page.get_by_test_id("demo-weight").fill("3")
    page.get_by_test_id("demo-weight").press("Tab")
    finish(page, 6)
    expect(page.get_by_test_id("finding").first).to_be_visible()
    expect(page.get_by_test_id("finding").first).to_contain_text("What to do")
    random_again(page)

    page.get_by_test_id("nav-runs").click()
    compare = page.get_by_test_id("compare")
    expect(compare).to_be_disabled()
    for place in (0, 1):
        # The server keeps what is chosen, so the tick stands only once it has answered.
        page.get_by_test_id("choose").nth(place).click()
        expect(page.get_by_test_id("choose").nth(place)).to_be_checked()
    compare.click()
    expect(page).to_have_url(re.compile(r"/compare/?\?ids=[0-9a-f-]{36},[0-9a-f-]{36}$"))
    expect(page.get_by_test_id("changed")).to_have_text("Worse")
    expect(page.get_by_test_id("compare-sentence")).to_contain_text("Worse by more than chance")
    expect(page.get_by_test_id("compared-pods").locator("tbody tr")).to_have_count(5)
    expect(page.get_by_test_id("compared-score")).to_have_count(2)
    _nothing_is_wrong(new_page, page.url)


def test_a_keep_alive_run_offers_the_experiment_that_decides_it(new_page: Callable[..., Page]) -> None:
    page = new_page()
    page.get_by_test_id("connections").select_option("keep")
    page.get_by_test_id("users-entry").fill("12")
    finish(page, 5)
    expect(page.get_by_test_id("experiment-reason")).to_contain_text("new connection for each request")
    page.get_by_test_id("experiment").click()
    expect(page.get_by_test_id("run-state")).to_have_text("Running", timeout=RUN_LIMIT_MS)
    see_score(page)
    # The planned run is as long as a proof needs; what it has decided so far is told however early it ends.
    page.get_by_test_id("stop").click()
    expect(page.get_by_test_id("conclusion")).to_have_text(re.compile("long-run CV|comparable"), timeout=RUN_LIMIT_MS)
    first = page.get_by_test_id("first-run").get_attribute("href") or ""
    page.get_by_test_id("to-compare").click()
    expect(page.get_by_test_id("conclusion")).to_be_visible()
    expect(page.get_by_test_id("compared-plan")).to_contain_text("Requests per connection")
    _nothing_is_wrong(new_page, first)


def _nothing_is_wrong(new_page: Callable[..., Page], address: str) -> None:
    """Neither for axe-core in both themes nor on a small screen."""
    path = re.sub(r"^https?://[^/]+", "", address)
    for theme in THEMES:
        page = new_page(path, color_scheme=theme)
        expect(page.get_by_test_id("comparison").or_(page.get_by_test_id("pods"))).to_be_visible()
        assert violations(page) == []
        page.set_viewport_size({"width": 390, "height": 900})
        assert overflow_px(page) <= 0


def test_a_comparison_without_two_runs_says_what_to_do(new_page: Callable[..., Page]) -> None:
    expect(new_page("/compare").get_by_test_id("empty")).to_contain_text("Select two or more runs")
    unknown = new_page("/compare?ids=no-such-run,nor-this")
    expect(unknown.get_by_test_id("problem")).to_contain_text("no-such-run")


def test_a_wrong_alert_limit_is_named(page: Page) -> None:
    page.get_by_test_id("limits").click()
    page.get_by_test_id("max-pod-share").fill("150")
    page.get_by_test_id("start").click()
    expect(page.get_by_test_id("problem")).to_contain_text("Alert above pod share = 150 %")
    expect(page.get_by_test_id("max-pod-share")).to_have_attribute("aria-invalid", "true")
