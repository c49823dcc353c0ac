"""How long a look at the counts takes: score, verdict, residuals of a window, and its causes, by number of pods.

    python -m tests.bench.analysis        # prints a table, writes build/bench-analysis.json

Beside it stands scipy's own chi-square test, which answers one of the questions (is it more than chance?).
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy import stats

from scale_app.domain.balance import balance
from scale_app.domain.chance import residuals
from scale_app.domain.findings import diagnose
from scale_app.domain.verdict import judge
from tests.unit.domain.findings.scenes import on_fifty_nodes

PODS = (5, 50, 500, 1_000, 10_000)
REQUESTS_PER_POD = 400
REPEATS = 30
RESULT = Path("build/bench-analysis.json")


def main() -> None:
    """Measure, print, write."""
    rows = [measured(pods) for pods in PODS]
    print(f"{'pods':>8} {'analysis ms':>12} {'worst ms':>9} {'causes ms':>9} {'scipy.stats.chisquare ms':>25}")
    for row in rows:
        timed = f"{row['median_ms']:>12.2f} {row['worst_ms']:>9.2f} {row['causes_ms']:>9.2f}"
        print(f"{row['pods']:>8,} {timed} {row['chisquare_ms']:>25.2f}")
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(rows, indent=1) + "\n")


def measured(pods: int) -> dict[str, float]:
    """Milliseconds of one analysis at so many pods: median and worst of REPEATS."""
    counts = np.random.default_rng(pods).multinomial(pods * REQUESTS_PER_POD, np.full(pods, 1 / pods)).tolist()
    loads = {5: pods * REQUESTS_PER_POD // 5}
    times_ms = timed_ms(lambda: analyse(counts, loads))
    peer_ms = timed_ms(lambda: stats.chisquare(counts))
    facts = on_fifty_nodes(counts).facts()
    causes_ms = timed_ms(lambda: diagnose(facts))
    return {
        "pods": pods,
        "median_ms": statistics.median(times_ms),
        "worst_ms": max(times_ms),
        "causes_ms": statistics.median(causes_ms),
        "chisquare_ms": statistics.median(peer_ms),
    }


def analyse(counts: list[int], loads: dict[int, int]) -> None:
    """What a run does with a window of counts."""
    balance(counts)
    verdict = judge(counts, loads, coverage=1.0)
    residuals(counts, None, verdict.effective_picks)


def timed_ms(work: Callable[[], object]) -> list[float]:
    """How long each of REPEATS calls took, after one that does not count."""
    work()
    times_ms = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        times_ms.append((time.perf_counter() - began) * 1_000)
    return times_ms


if __name__ == "__main__":
    main()
