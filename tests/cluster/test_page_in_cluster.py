"""The product in the cluster as people see it: a real browser, the proxy's host name, a Service, one press."""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page, async_playwright, expect

from tests.cluster.handle import Cluster
from tests.cluster.installation import HOST, SHOP
from tests.cluster.product import Product
from tests.cluster.truth import TruthOf

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
LIMIT_MS = 20_000
END_LIMIT_MS = 60_000


@pytest.fixture
async def page(installed: Product) -> AsyncIterator[Page]:
    """A browser on the client's network that knows the proxy by its host name; no error in its page."""
    proxy = urlsplit(installed.url).netloc
    arguments = [f"--host-resolver-rules=MAP {HOST}:80 {proxy}", "--no-sandbox", "--disable-dev-shm-usage"]
    errors: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        opened = await browser.new_page()
        opened.set_default_timeout(LIMIT_MS)
        opened.on("pageerror", lambda error: errors.append(str(error)))
        await opened.goto(f"http://{HOST}/targets")
        await opened.get_by_test_id("connected").wait_for(state="attached")
        yield opened
        await browser.close()
    assert errors == []


async def test_a_service_is_picked_loaded_and_judged_in_a_browser(cluster: Cluster, page: Page) -> None:
    await page.get_by_role("button", name="Use echo as target").click()
    await page.get_by_test_id("duration-entry").fill("8")
    with TruthOf(cluster, SHOP, "app=echo") as truth:
        await page.get_by_test_id("start").click()
        await expect(page.get_by_test_id("run-state")).to_have_text("Running", timeout=LIMIT_MS)
        await expect(page.get_by_test_id("run-state")).to_have_text("Finished", timeout=END_LIMIT_MS)
    await expect(page.get_by_test_id("verdict")).to_have_text(re.compile("^(Even|Undecided)$", re.IGNORECASE))
    await expect(page.get_by_test_id("score")).to_have_text(re.compile(r"^[01]\.\d{3}$"))
    table = await page.get_by_test_id("pod").all_text_contents()  # rows far from the screen have no inner text
    assert {name: requests for name, requests in truth.answered.items() if not shown(table, name, requests)} == {}


def shown(table: list[str], pod: str, requests: int) -> bool:
    """A row of the table names the pod with so many requests."""
    return any(pod in row and f"{requests:,}" in row for row in table)
