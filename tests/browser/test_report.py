"""The offline report: one file from the disk, without network, that looks and reads like the page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import SCREENS
from tests.browser.test_charts import READ, plot, readout
from tests.browser.test_reading import THEMES, overflow_px, violations
from tests.serving import Served

WIDTHS = (390, 1_400)
A4_PX = 688
"""The paper's width within the report's margins."""


@pytest.fixture
def report(
    server: Served, chromium: Browser, past_runs: dict[str, str], tmp_path: Path
) -> Iterator[Callable[..., Page]]:
    """Opens the report of a past run from its file: `report("pinned")`."""
    opened: list[Page] = []
    troubles: list[str] = []

    def open_report(name: str, **context: object) -> Page:
        _, body = server.get(f"/api/v1/runs/{past_runs[name]}/export?format=html")
        (tmp_path / "report.html").write_bytes(body)
        page = chromium.new_context(offline=True, **context).new_page()
        opened.append(page)
        page.on("console", lambda message: troubles.append(message.text))
        page.on("request", lambda asked: troubles.append(asked.url) if asked.url.startswith("http") else None)
        page.goto(f"file://{tmp_path}/report.html")
        return page

    yield open_report
    for page in opened:
        page.context.close()
    assert troubles == []


def test_charts_are_read_out_at_the_pointer_and_by_keys(report: Callable[..., Page]) -> None:
    page = report("even")
    for kind, told in READ.items():
        plot(page, kind).hover()
        expect(readout(page, kind)).to_have_text(re.compile(told))
        expect(plot(page, kind).locator(".cursor")).to_be_visible()
    page.mouse.move(0, 0)
    plot(page, "rate").focus()
    page.keyboard.press("Home")
    expect(readout(page, "rate")).to_have_text(re.compile(r"^0:01 · requests [\d,]+ /s"))
    page.keyboard.press("ArrowRight")
    expect(readout(page, "rate")).to_have_text(re.compile(r"^0:02 · "))


def test_the_heat_map_is_read_out_as_on_the_page(
    report: Callable[..., Page], new_page: Callable[..., Page], past_runs: dict[str, str]
) -> None:
    told = [_last_column(each) for each in (new_page(f"/runs/{past_runs['pinned']}"), report("pinned"))]
    assert told[0] == told[1]
    assert re.fullmatch(r"0:0\d( · \w+: [^·]+ its fair share){5}", told[1])


def _last_column(page: Page) -> str:
    page.locator(".heat-image").evaluate("image => image.decode()")
    plot(page, "heat").focus()
    page.keyboard.press("End")
    expect(readout(page, "heat")).not_to_be_empty()
    return readout(page, "heat").inner_text()


@pytest.mark.parametrize("name", ["pinned", "simulated", "failed"])
def test_it_fits_every_screen_and_everybody_can_read_it(report: Callable[..., Page], name: str) -> None:
    page = report(name)
    SCREENS.mkdir(parents=True, exist_ok=True)
    for theme in THEMES:
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            assert violations(page) == []
            assert overflow_px(page) <= 0, width
            page.screenshot(path=SCREENS / f"report-{name}-{theme}-{width}.png", full_page=True)


@pytest.mark.parametrize("name", ["pinned", "simulated"])
def test_on_paper_nothing_is_cut_off(report: Callable[..., Page], name: str) -> None:
    page = report(name, viewport={"width": A4_PX, "height": 1_000})
    page.emulate_media(media="print")
    assert overflow_px(page) <= 0
    for table in page.locator(".table-box").all():
        assert table.evaluate("box => box.scrollWidth - box.clientWidth") <= 0


def test_where_no_script_may_run_it_shows_all_the_same(report: Callable[..., Page]) -> None:
    page = report("pinned", java_script_enabled=False)
    expect(page.get_by_test_id("heat")).to_be_visible()
    expect(page.get_by_test_id("pod")).to_have_count(5)
    expect(plot(page, "rate").locator("path.line")).to_have_attribute("d", re.compile("^M"))
