"""Every page in both themes and three widths: kept as a picture, nothing overflows, axe-core finds nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import SCREENS
from tests.browser.test_reading import THEMES, draw_all, overflow_px, take_theme, violations

WIDTHS = (390, 1_400, 2_560)
PAGES = {
    "live": "/",
    "runs": "/runs",
    "runs-filtered": "/runs?target=no-such-target",
    "run": "/runs/{even}",
    "run-of-many-pods": "/runs/{simulated}",
    "run-failed": "/runs/{failed}",
    "run-unknown": "/runs/no-such-run",
    "compare": "/compare?ids={even},{pinned},{failed}",
    "compare-nothing": "/compare",
    "targets": "/targets",
    "tokens": "/tokens",
    "audit": "/audit",
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_every_screen_and_everybody_can_read_it(
    new_page: Callable[..., Page], past_runs: dict[str, str], name: str
) -> None:
    # No transitions, so that axe-core does not meet a colour half way.
    fits_every_screen(new_page(PAGES[name].format(**past_runs), reduced_motion="reduce"), name)


@pytest.mark.parametrize("theme", THEMES)
def test_what_opens_over_a_page_is_readable_too(
    new_page: Callable[..., Page], past_runs: dict[str, str], theme: str
) -> None:
    page = new_page("/runs", color_scheme=theme, reduced_motion="reduce")
    page.get_by_test_id("info-verdict").click()
    expect(page.get_by_test_id("meaning-verdict")).to_be_visible()
    assert violations(page) == []
    keep(page, f"popover-{theme}")
    page.keyboard.press("Escape")
    for opener, dialog in (("delete", "delete-dialog"), ("mark", "baseline-dialog")):
        page.get_by_test_id(opener).first.click()
        expect(page.get_by_test_id(dialog)).to_contain_text("users")
        assert violations(page) == []
        keep(page, f"{dialog}-{theme}")
        page.keyboard.press("Escape")


def fits_every_screen(page: Page, name: str) -> None:
    """See that nothing overflows and axe-core finds nothing; keep a picture of each theme and width."""
    expect(page.locator("main .skeleton")).to_have_count(0)
    draw_all(page)
    for theme in THEMES:
        take_theme(page, theme)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            assert overflow_px(page) <= 0, width
            keep(page, f"{name}-{theme}-{width}")
        page.set_viewport_size({"width": 1_400, "height": 900})
        assert violations(page) == []


def keep(page: Page, name: str) -> None:
    SCREENS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENS / f"{name}.png", full_page=True)
