"""A token is made on the page, shown once, used, and revoked; the audit log tells of it."""

from __future__ import annotations

import json
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.test_reading import THEMES, overflow_px, take_theme, violations
from tests.browser.test_screens import keep
from tests.serving import Served, fetch

LIST = "/api/v1/tokens"


def made(page: Page, name: str, role: str = "viewer") -> str:
    page.get_by_test_id("token-name").fill(name)
    page.get_by_test_id("token-role").select_option(role)
    page.get_by_test_id("make-token").click()
    expect(page.get_by_test_id("new-token")).to_be_visible()
    return page.get_by_label("The new token", exact=True).inner_text().strip()


def test_a_token_is_shown_once_works_and_ends_when_it_is_revoked(new_page: Callable[..., Page], server: Served) -> None:
    page = new_page("/tokens", reduced_motion="reduce")
    text = made(page, "nightly", "operator")
    bearer = {"Authorization": f"Bearer {text}"}
    status, body = fetch(f"{server.url}{LIST}", bearer)
    assert status == 200
    assert "nightly" in [token["name"] for token in json.loads(body)["tokens"]]
    for theme in THEMES:
        take_theme(page, theme)
        assert violations(page) == []
        for width in (390, 1_400):
            page.set_viewport_size({"width": width, "height": 900})
            assert overflow_px(page) <= 0
            keep(page, f"token-made-{theme}-{width}")

    page.reload()
    row = page.get_by_test_id("token-row").filter(has_text="nightly")
    expect(row).to_contain_text("valid until")
    expect(page.get_by_test_id("new-token")).to_have_count(0)
    row.get_by_test_id("revoke").click()
    row.get_by_test_id("keep").click()
    assert fetch(f"{server.url}{LIST}", bearer)[0] == 200
    row.get_by_test_id("revoke").click()
    row.get_by_test_id("confirm-revoke").click()
    expect(row).to_contain_text("revoked")
    assert fetch(f"{server.url}{LIST}", bearer)[0] == 401


def test_a_token_that_cannot_be_is_told_where_it_was_typed(new_page: Callable[..., Page]) -> None:
    page = new_page("/tokens")
    before = page.get_by_test_id("token-row").count()
    page.get_by_test_id("token-name").fill("a/b")
    page.get_by_test_id("make-token").click()
    expect(page.get_by_test_id("token-problem")).to_contain_text("name = 'a/b' cannot be used")
    expect(page.get_by_test_id("token-name")).to_have_attribute("aria-invalid", "true")
    page.get_by_test_id("token-name").fill("good")
    page.get_by_test_id("token-days").fill("soon")
    page.get_by_test_id("make-token").click()
    expect(page.get_by_test_id("token-problem")).to_contain_text("'soon' is not a number of days")
    expect(page.get_by_test_id("token-days")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_test_id("token-name")).to_have_attribute("aria-invalid", "false")
    assert page.get_by_test_id("token-row").count() == before
    expect(page.get_by_test_id("new-token")).to_have_count(0)


def test_the_audit_log_tells_who_made_a_token_and_not_the_token(new_page: Callable[..., Page]) -> None:
    page = new_page("/tokens")
    text = made(page, "for the log")
    page.get_by_test_id("nav-audit").click()
    row = page.get_by_test_id("audit-row").filter(has_text="for the log").first
    expect(row).to_contain_text("local user")
    expect(row).to_contain_text("admin")
    expect(row).to_contain_text("making a token")
    assert text.split("_", 2)[2] not in page.content()
