"""What charts tell beyond their lines: values where one points, what happened and when, who got what share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.test_keyboard import tab_to
from tests.browser.test_live_page import FIRST_SCORE_LIMIT_MS, open_plan, random_again, start

READ = {
    "score": r"^0:0\d · last 10 s 0\.\d{3} · score since the start 0\.\d{3}",
    "rate": r"^0:0\d · requests [\d,]+ /s",
    "latency": r"^0:0\d · p50 [\d.]+ ms · p95 [\d.]+ ms · p99 [\d.]+ ms$",
}


def plot(page: Page, kind: str) -> Locator:
    return page.get_by_test_id(f"plot-{kind}")


def readout(page: Page, kind: str) -> Locator:
    return page.locator(".card").filter(has=plot(page, kind)).get_by_test_id("readout")


def test_a_chart_is_read_out_where_the_pointer_is(new_page: Callable[..., Page], past_runs: dict[str, str]) -> None:
    page = new_page(f"/runs/{past_runs['even']}")
    for kind, told in READ.items():
        plot(page, kind).scroll_into_view_if_needed()
        expect(readout(page, kind)).to_have_text("")
        plot(page, kind).hover()
        expect(readout(page, kind)).to_have_text(re.compile(told))
        for other in (*READ, "heat"):
            expect(plot(page, other).locator(".cursor")).to_have_css("display", "block")
        page.mouse.move(0, 0)
        expect(readout(page, kind)).to_have_text("")
        expect(plot(page, kind).locator(".cursor")).to_be_hidden()


def test_the_arrow_keys_read_a_chart_second_by_second(new_page: Callable[..., Page], past_runs: dict[str, str]) -> None:
    page = new_page(f"/runs/{past_runs['even']}")
    plot(page, "rate").focus()
    page.keyboard.press("Home")
    expect(readout(page, "rate")).to_have_text(re.compile(r"^0:01 · requests [\d,]+ /s"))
    page.keyboard.press("ArrowRight")
    expect(readout(page, "rate")).to_have_text(re.compile(r"^0:02 · "))
    page.keyboard.press("End")
    expect(readout(page, "rate")).to_have_text(re.compile(r"^0:0[4-9] · "))
    page.keyboard.press("Escape")
    expect(readout(page, "rate")).to_have_text("")


def test_the_heat_map_is_read_out_pod_by_pod(new_page: Callable[..., Page], past_runs: dict[str, str]) -> None:
    page = new_page(f"/runs/{past_runs['pinned']}")
    page.locator(".heat-image").evaluate("image => image.decode()")
    plot(page, "heat").focus()
    page.keyboard.press("End")
    told = readout(page, "heat")
    expect(told).to_have_text(re.compile(r"^0:0\d( · \w+: [^·]+ its fair share){5}$"))
    plot(page, "heat").hover()
    expect(told).to_have_text(re.compile(r"^0:0\d · \w+: [^·]+ its fair share$"))


def test_many_pods_are_read_out_by_name_at_the_pointer_and_one_by_one_by_keys(
    new_page: Callable[..., Page], past_runs: dict[str, str]
) -> None:
    page = new_page(f"/runs/{past_runs['simulated']}")
    page.locator(".heat-image").evaluate("image => image.decode()")
    plot(page, "heat").focus()
    page.keyboard.press("End")
    told, ends = readout(page, "heat"), re.compile(r"^0:0\d · 0001: [^·]+ · 0040: [^·]+$")
    expect(told).to_have_text(ends)
    for key, pod in (("ArrowDown", "0001"), ("ArrowDown", "0002"), ("ArrowLeft", "0002"), ("ArrowUp", "0001")):
        page.keyboard.press(key)
        expect(told).to_have_text(re.compile(rf"^0:0\d · {pod}: [^·]+$"))
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowUp")
    expect(told).to_have_text(re.compile(r"^0:0\d · 0040: [^·]+$"))
    plot(page, "heat").hover()
    expect(told).to_have_text(re.compile(r"^0:0\d · 002[01]: [^·]+$"))


def test_an_update_of_the_heat_map_is_read_out_from_the_new_picture(
    new_page: Callable[..., Page], past_runs: dict[str, str]
) -> None:
    """Its rows' names are there at once, the picture only when the browser has decoded it."""
    pages = [new_page(f"/runs/{past_runs[name]}") for name in ("pinned", "simulated")]
    for page in pages:
        page.locator(".heat-image").evaluate("image => image.decode()")
        plot(page, "heat").focus()
        page.keyboard.press("End")
    expect(readout(pages[1], "heat")).to_have_text(re.compile("0001"))
    first, second = (plot(page, "heat") for page in pages)
    rows, source = second.get_attribute("data-rows"), second.locator("img").get_attribute("src")
    change = "(plot, [rows, source]) => { plot.dataset.rows = rows; plot.querySelector('img').src = source; }"
    first.evaluate(change, [rows, source])
    told = readout(pages[1], "heat").inner_text().partition(" · ")[2]
    expect(readout(pages[0], "heat")).to_have_text(re.compile(rf"^0:0\d · {re.escape(told)}$"))


@pytest.fixture
def starved(page: Page) -> Iterator[Page]:
    """A run of 10 s in which only the pods of one node got anything, and somebody changed the users; it is over."""
    page.get_by_test_id("connections").select_option("each")
    page.get_by_test_id("duration-entry").fill("10")
    page.get_by_test_id("demo-policy").select_option("local")
    expect(page.get_by_test_id("demo-policy")).to_have_value("local")
    try:
        start(page)
        expect(page.get_by_test_id("alert")).to_be_visible(timeout=FIRST_SCORE_LIMIT_MS)
        open_plan(page)
        page.get_by_test_id("users-entry").fill("40")
        page.get_by_test_id("users-entry").press("Tab")
        expect(page.get_by_test_id("run-state")).to_have_text("Finished", timeout=FIRST_SCORE_LIMIT_MS)
        yield page
    finally:
        random_again(page)


def test_pods_that_got_nothing_are_seen_in_the_heat_map_the_axis_and_the_table(starved: Page) -> None:
    page = starved
    plot(page, "heat").focus()
    page.keyboard.press("End")
    told = readout(page, "heat").inner_text()
    assert told.count("less than 0.25 of its fair share") == 3, told
    assert told.count("2 to 4 of its fair share") == 2, told

    marks = plot(page, "score").locator(".mark")
    expect(marks.and_(page.locator('[data-tone="bad"]')).first).to_have_attribute("title", re.compile("Uneven"))
    edited = marks.and_(page.locator('[title*="Load changed to 40 users"]'))
    edited.hover()
    expect(readout(page, "score")).to_contain_text("Load changed to 40 users")
    expect(plot(page, "score").locator("path.alert-span")).to_have_attribute("d", re.compile(r"^M\d+ 0H"))
    _sorting(page)


def _sorting(page: Page) -> None:
    """The table of pods is sorted by a press, and by keys."""
    shares = page.get_by_test_id("pod").locator(".requests")
    page.get_by_test_id("sort-share").click()
    heading = page.get_by_role("columnheader").filter(has=page.get_by_test_id("sort-share"))
    expect(heading).to_have_attribute("aria-sort", "descending")
    expect(page.get_by_test_id("pod").first).to_contain_text("▲ Above fair")
    expect(page.get_by_test_id("pod").last).to_contain_text("▼ Below fair")
    page.get_by_test_id("sort-share").focus()
    page.keyboard.press("Enter")
    expect(heading).to_have_attribute("aria-sort", "ascending")
    expect(page.get_by_test_id("pod").first).to_contain_text("▼ Below fair")
    tab_to(page, "sort-against")
    page.keyboard.press("Space")
    expect(heading).to_have_attribute("aria-sort", "none")
    expect(shares.last).to_have_text("0")
