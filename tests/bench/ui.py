"""What the page costs: its viewers' main threads, the server, the wire, and the wait of who joins late.

    python -m tests.bench.ui        # two to three minutes; prints a table, writes build/bench-ui.json

The counts come from the simulated source, so that nothing but the page and its server is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser

from tests.bench.machine import circumstances
from tests.bench.ui_browser import CHROMIUM, chromium, join_s, main_thread, wire_kb
from tests.bench.ui_history import keep_an_hour
from tests.bench.ui_server import server_core_percent, simulated_run
from tests.serving import PROJECT, Served, build_page, served

PODS = (5, 50, 500, 1_000)
VIEWERS = 50
HISTORY_PODS = 50
JOINS = 3
OUTPUT = PROJECT / "build" / "bench-ui.json"
Json = dict[str, Any]


def measure(seconds: int) -> Json:
    """Everything, against one server of its own with a database of its own. seconds: of each single look."""
    build_page()
    load_before = os.getloadavg()[0]
    own = {name: value for name, value in os.environ.items() if not name.startswith("SCALE_")}
    with tempfile.TemporaryDirectory() as scratch, served(scratch=Path(scratch), environment=own) as server:
        run_id = keep_an_hour(server.database_url, HISTORY_PODS)
        with chromium() as browser:
            weight_kb = wire_kb(browser, server.url)
            drawn = {str(pods): _drawn(server, browser, pods, seconds) for pods in PODS}
            at_table = {str(pods): _drawn(server, browser, pods, seconds, at_table=True) for pods in PODS}
            joined_s = join_s(browser, f"{server.url}/runs/{run_id}", JOINS)
        opening = drawn[str(PODS[0])]["opening"]
        percent = {str(pods): _served(server, opening, pods, seconds) for pods in PODS}
    return {
        "main_thread_ms": {pods: seen["median_ms"] for pods, seen in drawn.items()},
        "main_thread_worst_ms": {pods: seen["worst_ms"] for pods, seen in drawn.items()},
        "main_thread_at_table_ms": {pods: seen["median_ms"] for pods, seen in at_table.items()},
        "updates_per_s": {pods: seen["updates_per_s"] for pods, seen in drawn.items()},
        "long_tasks": {pods: len(seen["long_tasks_ms"]) for pods, seen in drawn.items()},
        "long_tasks_ms": {pods: seen["long_tasks_ms"] for pods, seen in drawn.items()},
        "server_core_percent": percent,
        "join_s": joined_s,
        "wire_kb": weight_kb,
        **circumstances(load_before),
    }


def _drawn(server: Served, browser: Browser, pods: int, seconds: int, at_table: bool = False) -> Json:
    with simulated_run(server, pods):
        return main_thread(browser, server.url, seconds, at_table)


def _served(server: Served, opening: str, pods: int, seconds: int) -> Json:
    with simulated_run(server, pods):
        return server_core_percent(server, opening, VIEWERS, seconds)


def table(report: Json) -> str:
    """The report for people, each figure beside its goal."""
    lines = [f"{'':>7} {'main thread, ms per update':>28} {'long tasks':>11} {'server, % of a core':>30}"]
    lines += [
        f"{'pods':>7} {'median':>10} {'at table':>8} {'worst':>8} {'':>11} {'no viewer':>17} {f'{VIEWERS} viewers':>12}"
    ]
    lines += [_row(report, str(pods)) for pods in PODS]
    lines += [f"{'goal':>7} {'25 at 1,000':>19} {'':>8} {'0':>11} {'':>17} {'3 at 500':>12}"]
    lines += [f"joining an hour-long run: {report['join_s']} s (goal: 2 s)"]
    lines += [f"first page on the wire: {report['wire_kb']:,.0f} kB (goal: 600 kB)"]
    return "\n".join(lines)


def _row(report: Json, pods: str) -> str:
    percent = report["server_core_percent"][pods]
    return (
        f"{int(pods):>7,} {report['main_thread_ms'][pods]:>10} {report['main_thread_at_table_ms'][pods]:>8} "
        f"{report['main_thread_worst_ms'][pods]:>8} "
        f"{report['long_tasks'][pods]:>11} {percent['0']:>17} {percent[str(VIEWERS)]:>12}"
    )


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, write. 2 without Chromium."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=5, help="of each single look (default: 5)")
    chosen = parser.parse_args(arguments)
    if CHROMIUM is None:
        print("Chromium is not installed, so there is nothing to measure with.", file=sys.stderr)
        return 2
    report = measure(chosen.seconds)
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps(report, indent=2) + "\n")
    print(table(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
