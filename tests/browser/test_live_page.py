"""The main job in a real browser, against the real server, worker and demo pods."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import groupby

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import active_runs
from tests.serving import Served

SCORE = re.compile(r"^[01]\.\d{3}$")
FIRST_SCORE_LIMIT_MS = 30_000
LEAVE_LIMIT_MS = 15_000
WATCH_BUTTON = """
() => {
  const look = () => shown.push(document.querySelector(".run-control > button")?.innerText.trim() ?? "");
  window.shown = [];
  look();
  new MutationObserver(look).observe(document.body, {subtree: true, childList: true, characterData: true});
}
"""
"""Keeps what the one wide button says, from now on."""


def start(page: Page) -> None:
    page.get_by_test_id("start").click()
    expect(page.get_by_test_id("run-state")).to_have_text("Running", timeout=FIRST_SCORE_LIMIT_MS)


def open_plan(page: Page) -> None:
    """Beside a run the form is folded to a line."""
    if page.get_by_test_id("edit").get_attribute("aria-expanded") == "false":
        page.get_by_test_id("edit").click()
    expect(page.get_by_test_id("users-entry")).to_be_visible()


def random_again(page: Page) -> None:
    """The demo is everybody's, so whoever changed its policy puts it back."""
    page.get_by_test_id("demo-policy").select_option("random")
    expect(page.get_by_test_id("demo-policy")).to_have_value("random")


def see_score(page: Page) -> None:
    expect(page.get_by_test_id("score")).to_have_text(SCORE, timeout=FIRST_SCORE_LIMIT_MS)


def test_one_press_with_nothing_configured_gives_a_score_and_every_pod(page: Page) -> None:
    start(page)
    see_score(page)
    expect(page.get_by_test_id("pod")).to_have_count(5)
    expect(page.get_by_test_id("source")).to_have_text("Demo pods")
    expect(page.get_by_test_id("progress")).to_have_text(re.compile(r"0:\d\d of 1:00"))
    expect(page.get_by_test_id("remaining")).to_contain_text("left")
    expect(page).to_have_title(re.compile(r"^[01]\.\d{3} · Running · Scale$"))

    page.get_by_test_id("stop").click()
    expect(page.get_by_test_id("run-state")).to_have_text("Stopped")
    expect(page.get_by_test_id("start")).to_be_enabled()
    see_score(page)


@pytest.mark.parametrize(("width", "height"), [(1_280, 720), (1_400, 900), (390, 844)])
def test_start_and_stop_are_on_the_screen_without_scrolling(
    new_page: Callable[..., Page], width: int, height: int
) -> None:
    page = new_page(width=width, height=height)
    expect(page.get_by_test_id("start")).to_be_in_viewport(ratio=1)
    page.evaluate(WATCH_BUTTON)
    page.get_by_test_id("start").click()
    expect(page.get_by_test_id("stop")).to_be_in_viewport(ratio=1, timeout=FIRST_SCORE_LIMIT_MS)
    expect(page.get_by_test_id("remaining")).to_be_in_viewport(ratio=1)
    shown = page.evaluate("shown")
    assert [text for text, _ in groupby(shown)] in (["Start", "Starting…", "Stop"], ["Start", "Stop"])
    assert page.evaluate("window.scrollY") == 0


def test_a_run_has_a_page_of_its_own_with_its_plan(page: Page) -> None:
    page.get_by_test_id("duration-entry").fill("3")
    start(page)
    expect(page.get_by_test_id("run-state")).to_have_text("Finished")
    page.get_by_test_id("nav-runs").click()
    row = page.get_by_test_id("run").first
    expect(row).to_contain_text("Finished")
    row.get_by_role("link").click()
    expect(page).to_have_url(re.compile(r"/runs/[0-9a-f-]{36}"))
    expect(page.get_by_test_id("plan")).to_contain_text("Reconnect every 5 requests")
    see_score(page)
    page.reload()
    see_score(page)
    expect(page.get_by_test_id("pod")).to_have_count(5)


def test_a_second_browser_and_a_refresh_see_the_same_run_with_its_history(
    page: Page, new_page: Callable[..., Page]
) -> None:
    start(page)
    see_score(page)
    expect(page.get_by_role("img", name="Balance score over time").locator("path.line")).to_have_attribute(
        "d", re.compile(r"L.*L.*L")
    )
    second = new_page()
    expect(second.get_by_test_id("run-state")).to_have_text("Running", timeout=2_000)
    expect(second.get_by_role("img", name="Balance score over time").locator("path.line")).to_have_attribute(
        "d", re.compile(r"L.*L.*L"), timeout=2_000
    )
    page.reload()
    expect(page.get_by_test_id("run-state")).to_have_text("Running", timeout=4_000)

    second.get_by_test_id("stop").click()
    for each in (page, second):
        expect(each.get_by_test_id("run-state")).to_have_text("Stopped")
    expect(second.get_by_test_id("score")).to_have_text(page.get_by_test_id("score").inner_text())


@pytest.mark.parametrize("key", ["Tab", "Enter"])
def test_a_typed_number_of_users_changes_the_running_load_for_everybody(
    page: Page, new_page: Callable[..., Page], key: str
) -> None:
    start(page)
    see_score(page)
    second = new_page()
    open_plan(page)
    page.get_by_test_id("users-entry").fill("40")
    page.get_by_test_id("users-entry").press(key)
    expect(page.get_by_test_id("happened")).to_contain_text("Load changed to 40 users")
    expect(second.get_by_test_id("users-entry")).to_have_value("40")


def test_a_number_that_is_typed_fast_and_confirmed_by_enter_changes_the_running_load(page: Page) -> None:
    start(page)
    open_plan(page)
    page.get_by_test_id("users-entry").select_text()
    page.keyboard.type("37")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("happened")).to_contain_text("Load changed to 37 users")


def test_start_pressed_twice_at_once_starts_one_run(page: Page, server: Served) -> None:
    before = len(active_runs(server))
    page.get_by_test_id("start").dblclick()
    see_score(page)
    assert len(active_runs(server)) == before + 1


def test_a_slider_is_moved_by_keyboard_and_says_its_value(page: Page) -> None:
    thumb = page.get_by_role("slider", name="Users")
    thumb.focus()
    thumb.press("ArrowRight")
    expect(page.get_by_test_id("users-entry")).to_have_value("150")
    expect(thumb).to_have_attribute("aria-valuetext", re.compile(r"^150"))
    thumb.press("Home")
    expect(page.get_by_test_id("users-entry")).to_have_value("1")


def test_an_imbalance_made_on_purpose_raises_an_alert(page: Page) -> None:
    page.get_by_test_id("demo-policy").select_option("weighted")
    page.get_by_test_id("demo-weight").fill("3")
    page.get_by_test_id("demo-weight").press("Tab")
    start(page)
    expect(page.get_by_test_id("alert")).to_be_visible(timeout=FIRST_SCORE_LIMIT_MS)
    expect(page.get_by_test_id("verdict")).to_have_text("Uneven")
    expect(page.locator("[data-sonner-toast]").first).to_be_visible()
    random_again(page)


def test_a_killed_pod_is_told(page: Page) -> None:
    start(page)
    see_score(page)
    page.get_by_test_id("demo-kill").click()
    expect(page.get_by_test_id("happened")).to_contain_text("is gone", timeout=LEAVE_LIMIT_MS)


def test_invented_counts_are_always_labelled(page: Page) -> None:
    page.get_by_test_id("target").fill("simulated?pods=200")
    start(page)
    see_score(page)
    expect(page.get_by_test_id("simulated-notice")).to_contain_text("invented")
    expect(page.get_by_test_id("source")).to_have_text("Simulated")
    expect(page.get_by_test_id("pod")).to_have_count(200)


def test_a_reload_begins_with_the_figures_that_were_shown_before_it(page: Page) -> None:
    """The server's copy of a tab may be 20 s old; the page must not show it, not even until its first look."""
    start(page)
    see_score(page)
    expect(page.get_by_text(re.compile(r"^0:0[789]$")).first).to_be_visible(timeout=FIRST_SCORE_LIMIT_MS)
    got: list[str] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: got.append(str(frame))))
    page.reload()
    page.get_by_test_id("connected").wait_for(state="attached")
    told = [at for frame in got for at in re.findall(r'"elapsed": ?"(0:\d\d)"', frame)]
    assert told
    assert told[0] >= "0:07", told
