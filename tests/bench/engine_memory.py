"""Does the load engine's memory stay flat? Ten minutes of load by default, on keep-alive and on short connections.

Run it as `python -m tests.bench.engine_memory [--seconds 600] [--rate 200]`; prints the resident memory of the worker
after the first minute and at the end, and the largest in between, in MiB. Ends with 1 when it grew by more than 10 %.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator

from scale_app.domain.plan import LoadPlan
from tests.bench.engine_contenders import run_worker
from tests.bench.engine_servers import slow_server

SETTLED_AFTER = 0.1
MOST_GROWTH = 1.1
DELAYS_MS = [1.0, 2.0, 5.0, 20.0, 200.0]


def measured(seconds: float, rate: float, most: int | None) -> dict[str, float]:
    """One run: MiB once it has settled, at most afterwards, and at the end."""
    plan = LoadPlan(users=50, duration_s=seconds, arrivals_per_s=rate, requests_per_connection=most)
    with slow_server(DELAYS_MS, None) as (url, _):
        said = run_worker(plan, url, None)
    running = [mib for mib in said.resident_mib if mib]  # at the last samples the process may be gone
    settled = running[int(len(running) * SETTLED_AFTER) :]
    last = said.samples[-1]
    return {
        "settled_mib": round(settled[0], 1),
        "most_mib": round(max(settled), 1),
        "end_mib": round(settled[-1], 1),
        "requests": last.requests,
        "connections": last.connections,
    }


def main() -> int:
    """Print both runs; 1 when the memory grew."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600.0, help="of both runs together")
    parser.add_argument("--rate", type=float, default=200.0, help="requests per second")
    chosen = parser.parse_args()
    runs = dict(_runs(chosen.seconds / 2, chosen.rate))
    print(json.dumps(runs, indent=2))
    return int(any(run["end_mib"] > MOST_GROWTH * run["settled_mib"] for run in runs.values()))


def _runs(seconds: float, rate: float) -> Iterator[tuple[str, dict[str, float]]]:
    for name, most in (("keep_alive", None), ("new_connection_every_5", 5)):
        yield name, measured(seconds, rate, most)


if __name__ == "__main__":
    sys.exit(main())
