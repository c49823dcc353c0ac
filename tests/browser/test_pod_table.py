"""The table of pods at 500 of them: all there, found, sorted, under a head that stays, with the verdict's words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import active_runs, start_run
from tests.browser.test_live_page import FIRST_SCORE_LIMIT_MS, random_again, start
from tests.browser.test_reading import THEMES, overflow_px, take_theme, violations
from tests.serving import Served

PODS = 500
ROW_PX = 28
TEXTS = "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
SIDES = {"over": "▲ Above fair", "under": "▼ Below fair", "": "Within chance"}


def rows(page: Page) -> Locator:
    return page.get_by_test_id("pod")


def column(page: Page, name: str) -> list[str]:
    """Every cell of a column from the first row to the last."""
    heads = page.locator("[data-column]").evaluate_all("heads => heads.map(head => head.dataset.column)")
    return [row[heads.index(name)] for row in rows(page).evaluate_all(TEXTS)]


@pytest.fixture
def many(new_page: Callable[..., Page], server: Served) -> Page:
    """The page of a run with 500 pods that is over."""
    target = f"simulated?pods={PODS}"
    run_id = start_run(server, target_url=target, users=100, spawn_rate=100, duration=3)
    page = new_page(f"/runs/{run_id}", reduced_motion="reduce")
    expect(page.get_by_test_id("run-state")).to_have_text("Finished")
    page.reload()
    expect(rows(page)).to_have_count(PODS)
    page.get_by_test_id("find-pods").scroll_into_view_if_needed()
    return page


def test_all_pods_are_there_and_each_is_sorted_by_any_column(many: Page) -> None:
    assert len(set(column(many, "name"))) == PODS
    requests = [int(text.replace(",", "")) for text in column(many, "requests")]
    assert requests == sorted(requests, reverse=True)
    many.get_by_test_id("sort-name").click()
    assert column(many, "name") == sorted(column(many, "name"))
    for name in ("requests", "against", "connections", "rate", "failures", "p95"):
        head = many.locator(f"[data-column={name}]")
        for order in ("descending", "ascending"):
            many.get_by_test_id(f"sort-{name}").click()
            expect(head).to_have_attribute("aria-sort", order)
            known = [
                float(re.sub(r"[^\d.−]", "", text).replace("−", "-")) for text in column(many, name) if text != "–"
            ]
            assert known == sorted(known, reverse=order == "descending"), name
    expect(many.locator("[aria-sort=ascending]")).to_have_count(1)


def test_pods_are_found_by_name_node_and_word(many: Page) -> None:
    find, found = many.get_by_test_id("find-pods"), many.get_by_test_id("pods-found")
    find.fill("0042")
    expect(rows(many)).to_have_count(1)
    expect(rows(many)).to_contain_text("simulated-0042")
    expect(found).to_have_text("1 found")
    find.fill("NODE-1 chance")
    expect(rows(many)).to_have_count(PODS // 5)
    assert set(column(many, "node")) == {"simulated-node-1"}
    find.fill("no such pod")
    expect(rows(many)).to_have_count(0)
    expect(found).to_have_text("0 found")
    find.fill("")
    expect(rows(many)).to_have_count(PODS)
    expect(found).to_be_empty()


def test_the_head_stays_above_rows_that_are_of_one_height(many: Page) -> None:
    last, head = rows(many).last, many.locator("[data-column=name]")
    last.scroll_into_view_if_needed()
    expect(last).to_be_in_viewport(ratio=0.9)
    expect(head).to_be_in_viewport(ratio=1)
    assert {row.bounding_box()["height"] for row in (rows(many).first, last)} == {ROW_PX}  # type: ignore[index]
    box, pods = many.locator(".pods-box").bounding_box(), head.bounding_box()
    assert box
    assert pods
    assert abs(box["y"] - pods["y"]) < 2
    for theme in THEMES:
        take_theme(many, theme)
        assert violations(many) == []
    for width in (390, 768, 1_400, 2_560):
        many.set_viewport_size({"width": width, "height": 900})
        assert overflow_px(many) <= 0, width


def test_a_long_name_is_cut_in_the_middle(many: Page) -> None:
    name = rows(many).first.locator("th")
    name.scroll_into_view_if_needed()
    told = name.text_content() or ""
    expect(name).to_have_attribute("title", told)
    many.set_viewport_size({"width": 390, "height": 900})
    name.evaluate("th => th.querySelector('.cut > :first-child').textContent = 'a-very-long-name-of-a-deployment-6d9'")
    begin, end = name.locator(".cut > :first-child"), name.locator(".cut > :last-child")
    assert begin.evaluate("each => each.scrollWidth > each.clientWidth && each.clientWidth > 0")
    assert end.evaluate("each => each.scrollWidth <= each.offsetWidth + 1")
    assert told.endswith(end.inner_text())


def test_a_table_says_what_the_report_says(many: Page, chromium: Browser, server: Served, tmp_path: Path) -> None:
    run_id = many.url.rpartition("/")[2]
    (tmp_path / "report.html").write_bytes(server.get(f"/api/v1/runs/{run_id}/export?format=html")[1])
    report = chromium.new_context(offline=True).new_page()
    report.goto(f"file://{tmp_path}/report.html")
    told = {tuple(row) for row in rows(report).evaluate_all(TEXTS)}
    report.context.close()
    cpu = many.locator("[data-column]").evaluate_all("heads => heads.findIndex(head => head.dataset.column === 'cpu')")
    shown = {tuple(row[:cpu] + row[cpu + 1 :]) for row in rows(many).evaluate_all(TEXTS)}
    assert shown == told
    assert len(told) == PODS


@pytest.fixture
def weighted(page: Page) -> Iterator[Page]:
    """A run of the demo at a weighted balancer that goes on and is uneven."""
    page.get_by_test_id("demo-policy").select_option("weighted")
    page.get_by_test_id("demo-weight").fill("4")
    page.get_by_test_id("demo-weight").press("Tab")
    try:
        start(page)
        expect(page.get_by_test_id("verdict")).to_have_text("Uneven", timeout=FIRST_SCORE_LIMIT_MS)
        yield page
    finally:
        random_again(page)


def test_the_row_of_the_pod_that_the_verdict_names_says_the_same(weighted: Page, server: Served) -> None:
    said = weighted.get_by_test_id("sentence").inner_text()
    named = re.match(r"Pod (\S+) gets ([\d.]+)\s%, fair is ([\d.]+)", said)
    assert named, said
    pod, got, fair = named.groups()
    row = rows(weighted).filter(has=weighted.locator(f"th[title='{pod}']"))
    side = "over" if float(got) > float(fair) else "under"
    expect(row).to_contain_text(SIDES[side])
    expect(row).to_have_attribute("data-outlier", side)
    expect(weighted.get_by_test_id("find-pods")).to_be_hidden()
    assert len(active_runs(server)) == 1


def test_within_chance_every_row_says_so_where_the_verdict_is_even(
    new_page: Callable[..., Page], server: Served
) -> None:
    plan = {"target_url": "demo", "users": 60, "requests_per_connection": 1, "spawn_rate": 100, "duration": 60}
    page = new_page(f"/runs/{start_run(server, **plan, until='decided')}")
    expect(page.get_by_test_id("run-state")).to_have_text("Finished", timeout=70_000)
    expect(page.get_by_test_id("verdict")).to_have_text("Even")
    expect(page.get_by_test_id("sentence")).to_contain_text("within chance")
    for row in rows(page).all():
        expect(row).to_contain_text("Within chance")
        expect(row).to_have_attribute("data-outlier", "")
