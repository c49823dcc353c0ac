"""What the page costs a browser: headless Chromium, asked over its own DevTools protocol."""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
VIEWPORT = {"width": 1_400, "height": 980}
LIMIT_MS = 20_000
SETTLE_MS = 3_000
TICK_MS = 1_000
NOTE_LONG_TASKS = """
window.longTasks = [];
new PerformanceObserver(seen => longTasks.push(...seen.getEntries().map(task => task.duration)))
  .observe({type: "longtask"});
"""
HISTORY_SHOWN = """
() => document.querySelector('[data-testid=heat]')?.complete
  && [...document.querySelectorAll('.plot-svg path')].some(path => (path.getAttribute('d') ?? '').length > 200)
  && performance.now()
"""


@dataclass(slots=True)
class Visit:
    """A page in a context of its own.

    opening: the first message that it sent. updates: views of a run that it was told. wire_bytes: of all it loaded.
    """

    page: Page
    devtools: CDPSession
    opening: str = ""
    updates: int = 0
    wire_bytes: float = 0.0


@contextmanager
def chromium() -> Iterator[Browser]:
    """Closed when the block ends."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@contextmanager
def visit(browser: Browser, url: str) -> Iterator[Visit]:
    """The page, once the server has spoken to it; nothing of it is in a cache before."""
    context = browser.new_context(viewport=VIEWPORT)
    page = context.new_page()
    page.set_default_timeout(LIMIT_MS)
    page.add_init_script(NOTE_LONG_TASKS)
    seen = Visit(page, context.new_cdp_session(page))
    seen.devtools.on("Network.webSocketFrameSent", lambda frame: _sent(seen, frame["response"]["payloadData"]))
    seen.devtools.on("Network.webSocketFrameReceived", lambda frame: _got(seen, frame["response"]["payloadData"]))
    seen.devtools.on("Network.loadingFinished", lambda loaded: _loaded(seen, loaded))
    seen.devtools.send("Network.enable")
    page.goto(url)
    page.get_by_test_id("connected").wait_for(state="attached")
    try:
        yield seen
    finally:
        context.close()


def _sent(seen: Visit, text: str) -> None:
    seen.opening = seen.opening or text


def _got(seen: Visit, text: str) -> None:
    seen.updates += "follower" in text


def _loaded(seen: Visit, loaded: dict[str, Any]) -> None:
    seen.wire_bytes += loaded["encodedDataLength"]


def wire_kb(browser: Browser, url: str) -> float:
    """Bytes on the wire until the first page is there and asks for no more, headers included, in kB of 1,000."""
    with visit(browser, url) as seen:
        seen.page.wait_for_load_state("networkidle")
        seen.page.wait_for_timeout(TICK_MS)
        return round(seen.wire_bytes / 1_000, 1)


def join_s(browser: Browser, url: str, times: int) -> float:
    """Seconds from opening the address until pods by time and the time charts are drawn; the median visit's."""
    return round(statistics.median(_joined_s(browser, url) for _ in range(times)), 2)


def _joined_s(browser: Browser, url: str) -> float:
    with visit(browser, url) as seen:
        shown_ms: float = seen.page.wait_for_function(HISTORY_SHOWN).json_value()
        return shown_ms / 1_000


def main_thread(browser: Browser, url: str, seconds: int, at_table: bool = False) -> dict[str, Any]:
    """CPU of the main thread by update, all that the page does in between included; tasks over 50 ms (wall time).

    CPU time rather than wall time, so that other work on the machine does not count. at_table: for somebody who has
    scrolled to the table of pods, which is sorted by share.
    """
    with visit(browser, url) as seen:
        seen.devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
        seen.page.get_by_test_id("heat").wait_for()
        if at_table:
            seen.page.get_by_test_id("sort-share").click()
        seen.page.wait_for_timeout(SETTLE_MS)
        seen.page.evaluate("longTasks.length = 0")
        updates, began, costs = seen.updates, time.monotonic(), _costs(seen, seconds)
        passed_s, tasks = time.monotonic() - began, seen.page.evaluate("longTasks")
        return {
            "median_ms": round(statistics.median(costs), 1),
            "worst_ms": round(max(costs), 1),
            "updates_per_s": round((seen.updates - updates) / passed_s, 2),
            "long_tasks_ms": [round(task) for task in tasks],
            "opening": seen.opening,
        }


def _costs(seen: Visit, seconds: int) -> list[float]:
    """Of an update in each second that brought one; a busy server skips some."""
    costs, before, updates = [], _busy_ms(seen), seen.updates
    for _ in range(seconds):
        seen.page.wait_for_timeout(TICK_MS)
        now = _busy_ms(seen)
        if seen.updates > updates:
            costs.append((now - before) / (seen.updates - updates))
        before, updates = now, seen.updates
    return costs


def _busy_ms(seen: Visit) -> float:
    metrics = seen.devtools.send("Performance.getMetrics")["metrics"]
    return 1_000 * float(next(m["value"] for m in metrics if m["name"] == "TaskDuration"))
