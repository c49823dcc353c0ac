"""A whole piece of work without a pointer: start, edit, stop, open a run, compare two."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.test_live_page import see_score

MOST_TABS = 80
RUN_LIMIT_MS = 30_000


def tab_to(page: Page, name: str) -> None:
    """Press Tab until a control has the focus. name: its test id, which may not be the first of it on the page."""
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.dataset.testid") == name:
            return
    raise AssertionError(f"{name} cannot be reached in {MOST_TABS} steps")


def test_a_run_is_started_edited_stopped_opened_and_compared_by_keyboard_alone(
    new_page: Callable[..., Page], past_runs: dict[str, str]
) -> None:
    page = new_page()
    tab_to(page, "start")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("run-state")).to_have_text("Running", timeout=RUN_LIMIT_MS)
    see_score(page)
    page.get_by_test_id("nav-live").focus()
    tab_to(page, "edit")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("users-entry")).to_be_visible()
    tab_to(page, "users-entry")
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.type("40")
    page.keyboard.press("Tab")
    expect(page.get_by_test_id("happened")).to_contain_text("Load changed to 40 users")
    page.get_by_test_id("nav-live").focus()
    tab_to(page, "stop")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("run-state")).to_have_text("Stopped", timeout=RUN_LIMIT_MS)

    page.get_by_test_id("nav-live").focus()
    tab_to(page, "nav-runs")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("run").nth(1)).to_be_visible()
    for place in (0, 1):
        tab_to(page, "choose")
        page.keyboard.press("Space")
        expect(page.get_by_test_id("choose").nth(place)).to_be_checked()
    page.get_by_test_id("filter-target").focus()
    tab_to(page, "compare")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("comparison")).to_be_visible()
    page.locator("main a").first.focus()
    tab_to(page, "compared-rerun")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/runs/[0-9a-f-]{36}"))
    see_score(page)
