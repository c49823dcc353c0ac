"""The page says it first: the verdict in a word, the pod, the run; what one rarely needs is folded away."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.test_live_page import FIRST_SCORE_LIMIT_MS, open_plan, random_again, see_score, start
from tests.browser.test_reading import THEMES, overflow_px, take_theme, violations

MOST_WORDS = 110
MOST_SHIFT = 0.02
WORDS = r"""() => {
  const seen = node => {
    const box = document.createRange();
    box.selectNodeContents(node);
    const at = box.getBoundingClientRect();
    return at.width > 1 && at.bottom > 0 && at.top < innerHeight && at.right > 0
      && node.parentElement.checkVisibility({checkVisibilityCSS: true})
      && !node.parentElement.closest('select, .sr-only');
  };
  const all = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
  while (all.nextNode()) if (seen(all.currentNode))
    found.push(...(all.currentNode.data.match(/[A-Za-z][\w'-]+/g) ?? []));
  return found;
}"""
"""The words that can be seen without scrolling; the choices of a closed list are not."""
LARGEST_PX = """() => Math.max(...[...document.querySelectorAll('main *')]
  .filter(each => each.checkVisibility()).map(each => parseFloat(getComputedStyle(each).fontSize)))"""
WATCH_SHIFTS = """() => {
  window.shifts = [];
  new PerformanceObserver(seen => seen.getEntries().forEach(each => each.hadRecentInput || shifts.push(each.value)))
    .observe({type: "layout-shift"});
}"""


def top(of: Locator) -> float:
    box = of.bounding_box()
    assert box
    return box["y"]


def size_px(of: Locator) -> float:
    return float(of.evaluate("each => parseFloat(getComputedStyle(each).fontSize)"))


@pytest.fixture
def weighted(page: Page) -> Iterator[Page]:
    """A run of the demo at a weighted balancer, once the verdict is there."""
    expect(page.get_by_test_id("demo-pods")).to_have_value("5")
    page.get_by_test_id("demo-policy").select_option("weighted")
    page.get_by_test_id("demo-weight").fill("4")
    page.get_by_test_id("demo-weight").press("Tab")
    try:
        start(page)
        expect(page.get_by_test_id("verdict")).to_have_text("Uneven", timeout=FIRST_SCORE_LIMIT_MS)
        yield page
    finally:
        random_again(page)


def test_the_verdict_is_the_largest_word_and_its_sentence_names_the_pod(weighted: Page) -> None:
    page = weighted
    pod = r"^Pod demo-[0-9a-z]+-[0-9a-z]{5} gets [\d.]+\s%, fair is 20\s%"
    expect(page.get_by_test_id("sentence")).to_have_text(re.compile(pod))
    word = size_px(page.get_by_test_id("verdict"))
    assert word >= 28
    assert page.evaluate(LARGEST_PX) == word
    assert top(page.get_by_test_id("verdict")) < top(page.get_by_test_id("score")) + 40
    expect(page.get_by_test_id("alert")).to_have_count(1)
    expect(page.get_by_test_id("alert")).to_have_text(re.compile(r"^Imbalance alert since 0:\d\d"))
    page.get_by_test_id("stop").click()
    expect(page.get_by_test_id("run-state")).to_have_text("Stopped")
    expect(page.get_by_test_id("alert")).to_have_text(re.compile(r"^Imbalance alert from 0:\d\d to the end$"))


def test_a_running_page_is_readable_at_a_glance(page: Page) -> None:
    page.set_viewport_size({"width": 1_400, "height": 900})
    start(page)
    see_score(page)
    words = page.evaluate(WORDS)
    assert len(words) <= MOST_WORDS, words
    for width in (390, 768, 1_400, 2_560):
        page.set_viewport_size({"width": width, "height": 900})
        assert overflow_px(page) <= 0, width
    for theme in THEMES:
        take_theme(page, theme)
        assert violations(page) == []


def test_a_started_plan_folds_to_a_line_and_opens_again_with_what_was_typed(page: Page) -> None:
    page.get_by_test_id("duration-entry").fill("30")
    expect(page.get_by_test_id("users-entry")).to_be_visible()
    start(page)
    expect(page.get_by_test_id("users-entry")).to_be_hidden()
    expect(page.get_by_test_id("brief")).to_contain_text("100 users")
    expect(page.get_by_test_id("brief")).to_contain_text("30 s")
    open_plan(page)
    expect(page.get_by_test_id("duration-entry")).to_have_value("30")
    page.get_by_test_id("edit").click()
    expect(page.get_by_test_id("users-entry")).to_be_hidden()


def test_on_a_phone_the_verdict_stands_above_the_form(new_page: Callable[..., Page], past_runs: dict[str, str]) -> None:
    page = new_page(width=390, height=844)
    expect(page.get_by_test_id("users-entry")).to_be_visible()
    assert top(page.get_by_test_id("verdict")) < top(page.get_by_test_id("users-entry"))


def test_nothing_jumps_while_a_run_goes_on(page: Page) -> None:
    page.get_by_test_id("duration-entry").fill("8")
    start(page)
    see_score(page)
    page.evaluate(WATCH_SHIFTS)
    expect(page.get_by_test_id("run-state")).to_have_text("Finished", timeout=FIRST_SCORE_LIMIT_MS)
    assert sum(page.evaluate("shifts")) <= MOST_SHIFT
