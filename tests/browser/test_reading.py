"""For everybody's eyes and hands: axe-core finds nothing, nothing overflows, any screen, both themes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

THEMES = ("light", "dark")
WIDTHS = (390, 768, 1_024, 1_400, 2_560)

COLOURS_TURNED = """async () => {
  for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
  const turning = document.getAnimations().filter(each => each instanceof CSSTransition);
  await Promise.allSettled(turning.map(each => each.finished));
}"""


def violations(page: Page) -> list[str]:
    """What axe-core finds, with the places."""
    found = Axe().run(page).response["violations"]
    return [f"{v['id']}: {node['html'][:160]}" for v in found for node in v["nodes"]]


def take_theme(page: Page, theme: str) -> None:
    """Turn to the theme; return once its colours are there, which is a frame or two after its name."""
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    expect(page.locator("html")).to_contain_class(theme)
    page.evaluate(COLOURS_TURNED)


def draw_all(page: Page) -> None:
    """What is far below the screen is drawn only when somebody scrolls there; now without."""
    page.add_style_tag(content="* { content-visibility: visible !important; }")


def overflow_px(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))


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


def test_a_figure_is_explained_by_keyboard_alone(new_page: Callable[..., Page], past_runs: dict[str, str]) -> None:
    page = new_page(f"/runs/{past_runs['even']}")
    page.get_by_test_id("more-figures").click()
    button, text = page.get_by_test_id("info-cv").first, page.get_by_test_id("meaning-cv")
    expect(text).to_be_hidden()
    button.focus()
    page.keyboard.press("Enter")
    expect(text).to_be_visible()
    expect(text).to_contain_text("standard deviation of requests per pod / their mean")
    page.keyboard.press("Escape")
    expect(text).to_be_hidden()
    expect(button).to_be_focused()


def test_on_paper_there_is_dark_ink_on_white_and_nothing_to_press(
    new_page: Callable[..., Page], past_runs: dict[str, str]
) -> None:
    page = new_page(f"/runs/{past_runs['even']}", width=760, color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    card = page.locator(".card").first
    expect(card).to_have_css("background-color", "rgb(255, 255, 255)")
    expect(card).to_have_css("color", "rgb(28, 32, 36)")
    expect(page.get_by_test_id("score")).to_be_visible()
    expect(page.get_by_role("term").filter(has_text="Counted by").locator("xpath=following-sibling::*")).to_have_text(
        "Demo pods"
    )
    for gone in (page.get_by_test_id("nav-runs"), page.get_by_test_id("rerun"), page.locator(".info").first):
        expect(gone).to_be_hidden()


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
    for _ in range(80):
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
