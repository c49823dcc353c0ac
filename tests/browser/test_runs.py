"""The list of past runs: find, compare, run again, keep as a baseline, delete."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import start_run
from tests.serving import Served

SHORT_LIMIT_MS = 15_000
KEEP_ADDRESSES = """() => {
  window.addresses = [];
  const seen = new MutationObserver(() => window.addresses.push(window.location.href));
  seen.observe(document.querySelector('[data-testid="part"]'), {subtree: true, childList: true, characterData: true});
}"""
"""The address at each moment at which the list says another part of itself: a reload may come at any of them."""


def row_of(page: Page, run_id: str) -> Locator:
    return page.get_by_test_id("run").filter(has=page.locator(f'a[href$="{run_id}"]'))


def choose(page: Page, *run_ids: str) -> None:
    for run_id in run_ids:
        tick = row_of(page, run_id).get_by_test_id("choose")
        # The server keeps what is chosen, so the tick stands only once it has answered.
        tick.click()
        expect(tick).to_be_checked()


def test_three_runs_are_compared_with_one_of_them_as_the_reference(
    new_page: Callable[..., Page], past_runs: dict[str, str]
) -> None:
    page = new_page("/runs")
    expect(page.get_by_test_id("compare")).to_be_disabled()
    choose(page, past_runs["pinned"], past_runs["even"], past_runs["failed"])
    page.get_by_test_id("compare").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("3 runs compared")
    expect(page.get_by_test_id("side")).to_have_count(3)
    expect(page.get_by_test_id("side").first).to_contain_text("Reference")
    expect(page.get_by_test_id("compare-sentences").locator("li")).to_have_count(2)
    expect(page.get_by_test_id("compare-sentences")).to_contain_text(re.compile("no data|targets differ"))
    expect(page.get_by_test_id("compared-pods").locator("tbody tr")).to_have_count(5)
    expect(page.get_by_test_id("compared-plan")).to_contain_text("Requests per connection")

    second = page.get_by_test_id("side").nth(1).get_by_role("link").first.get_attribute("href")
    page.get_by_test_id("make-reference").first.click()
    expect(page.get_by_test_id("side").first.get_by_role("link").first).to_have_attribute("href", second or "")


def test_a_row_tells_when_what_and_how_even(new_page: Callable[..., Page], past_runs: dict[str, str]) -> None:
    page = new_page("/runs", timezone_id="Asia/Kathmandu", locale="en-GB")
    row = row_of(page, past_runs["even"])
    expect(row.locator("time")).to_have_text(re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d GMT\+5:45$"))
    expect(row.locator("time")).to_have_attribute("datetime", re.compile(r"^\d{4}-\d\d-\d\dT.*Z$"))
    expect(row).to_contain_text("60 users for 4 s, a new connection")
    expect(row).to_contain_text("Demo pods")
    expect(row.get_by_test_id("spark").locator(".line")).to_have_attribute("d", re.compile(r"^M\d+ \d+L"))
    expect(row_of(page, past_runs["failed"])).to_contain_text("Failed")
    expect(row_of(page, past_runs["failed"])).to_contain_text("No data")
    expect(row_of(page, past_runs["simulated"])).to_contain_text("Simulated")


def test_a_filter_narrows_the_list_and_is_a_part_of_the_address(
    new_page: Callable[..., Page], past_runs: dict[str, str]
) -> None:
    page = new_page("/runs?page=2")
    page.get_by_test_id("filter-target").fill("PODS=40")
    expect(page.get_by_test_id("run")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"/runs/?\?target=PODS%3D40$"))
    page.get_by_test_id("filter-state").select_option("failed")
    expect(page.get_by_test_id("empty")).to_contain_text("No run matches the filter")
    expect(page).to_have_url(re.compile(r"&state=failed$"))
    page.reload()
    expect(page.get_by_test_id("filter-target")).to_have_value("PODS=40")
    expect(page.get_by_test_id("filter-state")).to_have_value("failed")
    page.get_by_test_id("filter-target").fill("")
    expect(row_of(page, past_runs["failed"])).to_be_visible()


def test_a_run_that_begins_and_ends_elsewhere_appears_by_itself(
    new_page: Callable[..., Page], server: Served, past_runs: dict[str, str]
) -> None:
    page = new_page("/runs")
    begun = start_run(server, target_url="simulated?pods=7", users=10, spawn_rate=100, duration=2)
    expect(row_of(page, begun)).to_be_visible(timeout=SHORT_LIMIT_MS)
    expect(row_of(page, begun)).to_contain_text("Finished", timeout=SHORT_LIMIT_MS)


def test_a_run_is_run_again_with_the_same_plan(new_page: Callable[..., Page], past_runs: dict[str, str]) -> None:
    page = new_page("/runs")
    row_of(page, past_runs["simulated"]).get_by_test_id("rerun").click()
    expect(page).to_have_url(re.compile(r"/runs/[0-9a-f-]{36}"))
    expect(page.get_by_test_id("plan")).to_contain_text("simulated?pods=40")
    assert past_runs["simulated"] not in page.url


def test_a_run_becomes_a_baseline_by_name_and_ends_being_one(
    new_page: Callable[..., Page], past_runs: dict[str, str]
) -> None:
    page = new_page("/runs")
    row = row_of(page, past_runs["even"])
    row.get_by_test_id("mark").click()
    expect(page.get_by_test_id("baseline-name")).to_have_value("demo")
    page.get_by_test_id("baseline-name").fill("last release")
    page.get_by_test_id("confirm-mark").click()
    expect(row.get_by_test_id("baseline")).to_contain_text("last release")
    row.get_by_test_id("mark").click()
    page.get_by_test_id("unmark").click()
    expect(row.get_by_test_id("baseline")).to_have_count(0)


def test_a_name_counts_at_once_and_one_that_cannot_be_used_is_told_where_it_was_typed(
    new_page: Callable[..., Page], past_runs: dict[str, str]
) -> None:
    page = new_page(f"/runs/{past_runs['simulated']}")
    page.get_by_test_id("mark").click()
    name, problem = page.get_by_test_id("baseline-name"), page.get_by_test_id("baseline-problem")
    confirm = page.get_by_test_id("confirm-mark")
    expect(confirm).to_be_enabled()  # once the run is known, and nothing else has to be
    for unusable in ("", "a/b"):
        name.fill(unusable)
        confirm.click(force=True)
        expect(problem).to_contain_text("no slash")
    for marked, press in (("x", lambda: confirm.click(force=True)), ("y", lambda: page.keyboard.press("Enter"))):
        name.fill(marked)
        press()
        expect(page.get_by_test_id("baseline-dialog")).to_be_hidden()
        expect(page.get_by_test_id("baseline")).to_have_text(f"Baseline: {marked}")
        page.get_by_test_id("mark").click()
    page.get_by_test_id("unmark").click()
    expect(page.get_by_test_id("baseline")).to_have_count(0)


def test_deleting_is_asked_once_more_and_can_be_left_by_keyboard(
    new_page: Callable[..., Page], server: Served, past_runs: dict[str, str]
) -> None:
    doomed = start_run(server, target_url="simulated?pods=3", users=10, spawn_rate=100, duration=1)
    page = new_page("/runs")
    row = row_of(page, doomed)
    row.get_by_test_id("delete").click(timeout=SHORT_LIMIT_MS)
    dialog = page.get_by_test_id("delete-dialog")
    expect(dialog).to_contain_text("simulated?pods=3")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(row.get_by_test_id("delete")).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_test_id("confirm-delete").click()
    expect(row).to_have_count(0)
    expect(row_of(page, past_runs["even"])).to_be_visible()
    assert server.get(f"/api/load-test/{doomed}")[0] == 404


def test_older_runs_are_on_further_pages(new_page: Callable[..., Page], many_runs: int) -> None:
    page = new_page("/runs?target=archive")
    expect(page.get_by_test_id("run")).to_have_count(25)
    expect(page.get_by_test_id("part")).to_have_text(f"1–25 of {many_runs}")
    expect(page.get_by_test_id("newer")).to_be_disabled()
    page.evaluate(KEEP_ADDRESSES)
    page.get_by_test_id("older").click()
    expect(page.get_by_test_id("part")).to_have_text(f"26–{many_runs} of {many_runs}")
    expect(page.get_by_test_id("older")).to_be_disabled()
    assert page.evaluate("window.addresses")[0].endswith("?target=archive&page=2")
    page.reload()
    expect(page.get_by_test_id("run")).to_have_count(many_runs - 25)
    page.get_by_test_id("newer").click()
    expect(page.get_by_test_id("part")).to_have_text(f"1–25 of {many_runs}")
    expect(page).to_have_url(re.compile(r"/runs/?\?target=archive$"))
