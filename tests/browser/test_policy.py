"""The page keeps to its own policy, and a script that somebody brings into it does not run."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import start_run
from tests.serving import Served

NOTE_VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", event =>
  window.violations.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sample}`));
"""
INJECTED = """() => {
  const script = document.createElement("script");
  script.textContent = "window.ran = true";
  document.body.append(script);
  document.body.insertAdjacentHTML("beforeend", '<img src="/missing.png" onerror="window.ran = true">');
}"""


def opened(new_page: Callable[..., Page], path: str) -> Page:
    return new_page(path, prepare=lambda page: page.add_init_script(NOTE_VIOLATIONS))


@pytest.mark.parametrize("path", ["/", "/runs", "/targets", "/compare", "/runs/no-such-run"])
def test_a_page_keeps_to_its_policy(new_page: Callable[..., Page], path: str) -> None:
    page = opened(new_page, path)
    expect(page.locator("#content")).to_be_visible()
    page.get_by_test_id("theme-dark").click()
    expect(page.locator("html")).to_contain_class("dark")
    assert page.evaluate("window.violations") == []


def test_a_run_and_its_page_keep_to_the_policy(
    new_page: Callable[..., Page], server: Served, past_runs: dict[str, str]
) -> None:
    page = opened(new_page, "/")
    start_run(server, target_url="demo", users=20, spawn_rate=50, duration=60)
    expect(page.get_by_test_id("score")).to_be_visible(timeout=40_000)
    assert page.evaluate("window.violations") == []
    of_a_run = opened(new_page, f"/runs/{past_runs['pinned']}")
    expect(of_a_run.get_by_test_id("score")).to_be_visible()
    assert of_a_run.evaluate("window.violations") == []


@pytest.mark.parametrize("path", ["/api/docs", "/api/docs/try", "/nothing-here"])
def test_a_page_beside_the_app_keeps_to_its_own(chromium: Browser, server: Served, path: str) -> None:
    page = chromium.new_context().new_page()
    page.add_init_script(NOTE_VIOLATIONS)
    page.goto(f"{server.url}{path}", wait_until="networkidle")
    assert page.evaluate("window.violations") == []
    page.context.close()


def test_a_call_is_tried_on_the_page_and_answered(chromium: Browser, server: Served) -> None:
    page = chromium.new_context().new_page()
    page.add_init_script(NOTE_VIOLATIONS)
    page.goto(f"{server.url}/api/docs/try")
    asked = page.locator("#operations-Server-isAlive")
    asked.get_by_role("button").first.click()
    asked.get_by_role("button", name="Execute").click()
    expect(asked.locator(".live-responses-table .response .response-col_status").first).to_contain_text("200")
    expect(asked.locator(".request-snippets, .curl-command").first).to_contain_text("curl -X 'GET'")
    assert page.evaluate("window.violations") == []
    page.context.close()


def test_a_script_brought_into_the_page_does_not_run(new_page: Callable[..., Page]) -> None:
    page = opened(new_page, "/runs")
    page.evaluate(INJECTED)
    page.wait_for_function("window.violations.length >= 2")
    assert page.evaluate("window.ran") is None
    assert {violation.split(":")[0] for violation in page.evaluate("window.violations")} == {
        "script-src-elem", "script-src-attr",
    }  # fmt: skip
