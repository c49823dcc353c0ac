"""How often are two runs of the same balancer called different? Made-up pairs, seeded.

Run it as `python -m tests.bench.equal_balancers`: minutes on one core; prints a table.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

import numpy as np

from scale_app.domain.balance import Array
from scale_app.domain.compare import difference_of
from scale_app.domain.verdict import Verdict, judge

SEED = 6
BOUND = 0.05


@dataclass(frozen=True, slots=True)
class Pair:
    """Two runs of one balancer. true_cv: of the pods' long-run shares. connections: picks of each run."""

    pods: int
    true_cv: float
    first: int
    second: int


PAIRS = tuple(
    Pair(pods, true_cv, first, second)
    for pods in (2, 5, 20)
    for true_cv in (0.0, 0.05, 0.3)
    for first, second in ((50, 50), (50, 5_000), (500, 500), (20_000, 20_000))
)
SHORT = (Pair(5, 0.0, 50, 20_000), Pair(5, 0.3, 500, 500), Pair(2, 0.05, 5_000, 5_000), Pair(20, 0.3, 50, 5_000))


def false_changes(pair: Pair, trials: int, seed: int) -> float:
    """Share of trials, 0..1, in which the interval of the difference leaves out 0."""
    rng = np.random.default_rng([SEED, seed])
    shares = _shares(pair)
    return sum(_differs(rng, shares, pair) for _ in range(trials)) / trials


def _differs(rng: np.random.Generator, shares: Array, pair: Pair) -> bool:
    first, second = (_judged(rng.multinomial(n, shares), n) for n in (pair.first, pair.second))
    _, low, high = difference_of(_interval(first), _interval(second))
    return low > 0 or high < 0


def _judged(counts: Array, connections: int) -> Verdict:
    return judge(counts.tolist(), {1: connections}, coverage=1.0)


def _interval(verdict: Verdict) -> tuple[float, float, float]:
    assert verdict.long_run_cv is not None
    assert verdict.cv_low is not None
    assert verdict.cv_high is not None
    return verdict.long_run_cv, verdict.cv_low, verdict.cv_high


def _shares(pair: Pair) -> Array:
    """The first pod above the others, with exactly the CV that is asked for; shape (pods,)."""
    shape = (np.arange(pair.pods) == 0).astype(float)
    return np.asarray((1 + pair.true_cv * (shape - shape.mean()) / shape.std()) / pair.pods)


def main() -> int:
    """Print the table; 1 when a cell is over the bound by more than three standard errors of the trials."""
    began, trials, bad = time.monotonic(), 4_000, 0
    print("| pods | true CV | first | second | called different |\n|--:|--:|--:|--:|--:|")
    for seed, pair in enumerate(PAIRS):
        rate = false_changes(pair, trials, seed)
        bad += rate > BOUND + 3 * (BOUND * (1 - BOUND) / trials) ** 0.5
        print(f"| {pair.pods} | {pair.true_cv} | {pair.first} | {pair.second} | {100 * rate:.1f} % |", flush=True)
    sys.stderr.write(f"{len(PAIRS)} cells, {bad} over the bound, {time.monotonic() - began:.0f} s.\n")
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
