"""For everybody's eyes and hands: axe-core finds nothing, nothing overflows, any screen, both themes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

THEMES = ("light", "dark")
WIDTHS = (390, 768, 1_024, 1_400, 2_560)


def violations(page: Page) -> list[str]:
    """What axe-core finds, with the places."""
    found = Axe().run(page).response["violations"]
    return [f"{v['id']}: {node['html'][:160]}" for v in found for node in v["nodes"]]


def overflow_px(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("path", ["/", "/runs", "/runs/no-such-run"])
def test_axe_finds_nothing_before_a_run(new_page: Callable[..., Page], path: str, theme: str) -> None:
    assert violations(new_page(path, color_scheme=theme)) == []


def test_axe_finds_nothing_and_nothing_overflows_while_an_uneven_run_goes_on(new_page: Callable[..., Page]) -> None:
    first = new_page()
    first.get_by_test_id("demo-policy").select_option("weighted")
    first.get_by_test_id("demo-weight").fill("3")
    first.get_by_test_id("demo-weight").press("Tab")
    first.get_by_test_id("start").click()
    expect(first.get_by_test_id("alert")).to_be_visible(timeout=30_000)
    for theme in THEMES:
        page = new_page(color_scheme=theme)
        expect(page.get_by_test_id("alert")).to_be_visible()
        assert violations(page) == []
    for width in WIDTHS:
        first.set_viewport_size({"width": width, "height": 900})
        assert overflow_px(first) <= 0, width
    first.get_by_test_id("demo-policy").select_option("random")
    expect(first.get_by_test_id("demo-policy")).to_have_value("random")


@pytest.mark.parametrize("width", WIDTHS)
def test_an_empty_page_does_not_overflow(new_page: Callable[..., Page], width: int) -> None:
    assert overflow_px(new_page(width=width)) <= 0


@pytest.mark.parametrize("theme", THEMES)
def test_the_theme_switch_wins_over_the_system_and_lasts(new_page: Callable[..., Page], theme: str) -> None:
    other = "dark" if theme == "light" else "light"
    page = new_page(color_scheme=other)
    page.get_by_test_id(f"theme-{theme}").click()
    expect(page.locator("html")).to_contain_class(theme)
    page.reload()
    expect(page.locator("html")).to_contain_class(theme)
    expect(page.get_by_test_id(f"theme-{theme}")).to_have_attribute("aria-pressed", "true")


def test_every_control_can_be_reached_by_keyboard(new_page: Callable[..., Page]) -> None:
    page = new_page()
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.dataset.testid"))
    wanted = {"nav-runs", "theme-dark", "target", "users-entry", "users-slider", "spawn-rate-slider", "duration-slider"}
    assert wanted | {"connections", "every", "more", "start", "demo-policy", "demo-fault", "demo-kill"} <= reached


def test_less_motion_means_none(new_page: Callable[..., Page]) -> None:
    page = new_page(reduced_motion="reduce")
    longest_s = page.get_by_test_id("start").evaluate("e => parseFloat(getComputedStyle(e).transitionDuration)")
    assert longest_s <= 0.001


def test_the_font_comes_with_the_page(new_page: Callable[..., Page]) -> None:
    page = new_page()
    page.evaluate("document.fonts.ready")
    assert page.evaluate("[...document.fonts].some(f => f.family.includes('Inter') && f.status === 'loaded')")
