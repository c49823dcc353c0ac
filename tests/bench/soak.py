"""Does a server that is used without a pause stay as small as it was? (`make soak`)

Run it as `python -m tests.bench.soak [--minutes 30] [--no-browser]`: runs back to back in two lanes, viewers, readers
and tabs that come and go, all on one real server; every five seconds its memory, open files, threads, processes and
database are looked at. Writes build/soak.json, prints a table, ends with 1 when something was not flat or went wrong.
Below ten minutes most of what is seen is warming up: good to try it, not to judge by.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.bench.machine import circumstances
from tests.bench.soak_verdict import Figure, at_rest, database_a_run, over_time
from tests.bench.soak_watch import Look, Watch
from tests.bench.soak_work import Work, working
from tests.faults.installation import Installation, installation

RESULT = Path("build/soak.json")
LOOK_EVERY_S = 5.0
SETTLE_S = 10.0
FIRST_RUN_S = 3


def main() -> int:
    """1 when something grew, or went wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--no-browser", action="store_true", help="no tabs of a page")
    asked = parser.parse_args()
    measured = circumstances(os.getloadavg()[0])
    with tempfile.TemporaryDirectory(prefix="scale-soak-") as scratch, installation(Path(scratch)) as scale:
        watch = Watch(scale.pid, Path(scratch, "scale.db"))
        before = _warmed(scale, watch)
        looks, work = _soaked(scale, watch, 60 * asked.minutes, browser=not asked.no_browser)
        after = _rested(watch)
    figures = [*over_time(looks), *at_rest(before, after), database_a_run(looks)]
    return _told(measured | {"minutes": asked.minutes}, figures, looks, work)


def _warmed(scale: Installation, watch: Watch) -> Look:
    """How the server is at rest once it has its demo and has seen a run."""
    scale.ended(scale.start(duration_s=FIRST_RUN_S))
    return _rested(watch)


def _rested(watch: Watch) -> Look:
    time.sleep(SETTLE_S)
    return watch.look()


def _soaked(scale: Installation, watch: Watch, seconds: float, browser: bool) -> tuple[list[Look], Work]:
    ends_s, looks = time.monotonic() + seconds, []
    with working(scale, browser) as work:
        while time.monotonic() < ends_s:
            time.sleep(LOOK_EVERY_S)
            looks.append(watch.look())
    return looks, work


def _told(head: dict[str, Any], figures: list[Figure], looks: list[Look], work: Work) -> int:
    flat = all(figure.flat for figure in figures) and not work.trouble
    whole = {
        **head,
        "verdict": "flat" if flat else "not flat",
        "figures": [asdict(figure) for figure in figures],
        "done": work.done,
        "trouble": work.trouble,
        "looks": [asdict(look) for look in looks],
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(whole, indent=1))
    print(f"{'figure':34}{'first':>10}{'last':>10}{'most':>10}{'allowed':>10}")
    for each in figures:
        print(f"{each.name:34}{each.first:10g}{each.last:10g}{each.most:10g}{each.allowed:10g}{_mark(each)}")
    print(f"{', '.join(f'{count:,} {name}' for name, count in work.done.items())} in {head['minutes']:g} minutes.")
    for line in work.trouble:
        print(f"went wrong: {line}")
    print(f"Verdict: {whole['verdict']} ({RESULT})")
    return int(not flat)


def _mark(figure: Figure) -> str:
    return "" if figure.flat else "  not flat"


if __name__ == "__main__":
    sys.exit(main())
