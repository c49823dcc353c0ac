"""What charts tell beyond their lines: values where one points, what happened and when, who got what share."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

READ = {
    "score": r"^0:0\d · last seconds 0\.\d{3} · score since the start 0\.\d{3}",
    "rate": r"^0:0\d · requests [\d,]+ /s",
    "latency": r"^0:0\d · p50 [\d.]+ ms · p95 [\d.]+ ms · p99 [\d.]+ ms$",
}


def plot(page: Page, kind: str) -> Locator:
    return page.get_by_test_id(f"plot-{kind}")


def readout(page: Page, kind: str) -> Locator:
    return page.locator(".card").filter(has=plot(page, kind)).get_by_test_id("readout")


@pytest.mark.parametrize("kind", READ)
def test_a_chart_is_read_out_where_the_pointer_is(
    new_page: Callable[..., Page], past_runs: dict[str, str], kind: str
) -> None:
    page = new_page(f"/runs/{past_runs['even']}")
    plot(page, kind).scroll_into_view_if_needed()
    expect(readout(page, kind)).to_have_text("")
    plot(page, kind).hover()
    expect(readout(page, kind)).to_have_text(re.compile(READ[kind]))
    expect(plot(page, kind).locator(".cursor")).to_be_visible()
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
    expect(readout(page, "rate")).to_have_text(re.compile(r"^0:04 · "))
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
