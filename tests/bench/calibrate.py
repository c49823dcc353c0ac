"""How often is the verdict wrong? Judges many made-up runs whose truth is known, and writes down the rates.

Run it as `python -m tests.bench.calibrate`: minutes on two cores, the same figures for the same seed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from scale_app.child_process import die_with_owner
from scale_app.domain.balance import CV_THRESHOLD, Array, balance
from scale_app.domain.verdict import Verdict, VerdictKind, judge
from tests.bench import calibrate_looks
from tests.bench.calibrate_looks import breaks_its_bound
from tests.bench.calibration_table import page
from tests.bench.power_table import kept_section

SEED = 6
PODS = (2, 5, 20, 200)
CONNECTIONS = (5, 50, 500, 5_000, 50_000)
TRUE_CVS = (0.03, 0.05, 0.3, 0.5)
WEIGHTED_CV = 0.05
SHAPES = ("one each", "poisson", "heavy tail")
EVERY_SHAPE_UP_TO = 500
LEAST_CONNECTIONS_UP_TO = 5_000
TRIALS = 1_000
REGULAR_TRIALS = 200
GOLDEN_RATIO = (5**0.5 - 1) / 2

Picked = tuple[Array, dict[int, int]]


@dataclass(frozen=True, slots=True)
class Case:
    """One cell to be measured.

    policy: "random" (fair), "spread" (weights evenly spaced around the mean), "hot pod" (one pod above the others),
        "round robin", "weighted round robin" (by the weights of "spread"), "least connections".
    true_cv: of the pods' long-run shares.
    load: requests per connection: "one each", "poisson", "heavy tail".
    """

    pods: int
    connections: int
    policy: str
    true_cv: float
    load: str
    trials: int


@dataclass(frozen=True, slots=True)
class Cell:
    """What was measured. Rates are shares of trials, 0..1.

    false_uneven: UNEVEN although the true CV scores 0.95 or more; false_even: EVEN although it scores less.
    coverage: the interval contains the true CV. mean_score: of the headline.
    """

    pods: int
    connections: int
    policy: str
    true_cv: float
    load: str
    trials: int
    false_uneven: float
    false_even: float
    coverage: float
    even: float
    uneven: float
    undecided: float
    mean_score: float


def cases() -> Iterator[Case]:
    """Every cell of the full run."""
    for pods in PODS:
        for connections in CONNECTIONS:
            for load in SHAPES if connections <= EVERY_SHAPE_UP_TO else SHAPES[:1]:
                yield Case(pods, connections, "random", 0.0, load, TRIALS)
                yield Case(pods, connections, "round robin", 0.0, load, REGULAR_TRIALS)
                yield Case(pods, connections, "weighted round robin", WEIGHTED_CV, load, REGULAR_TRIALS)
                for cv in TRUE_CVS:
                    yield Case(pods, connections, "spread", cv, load, TRIALS)
                    if pods > 2:  # with two pods it is the same as "spread"
                        yield Case(pods, connections, "hot pod", cv, load, TRIALS)
            if connections <= LEAST_CONNECTIONS_UP_TO:
                yield Case(pods, connections, "least connections", 0.0, "one each", REGULAR_TRIALS)


def long_run_shares(case: Case) -> Array:
    """The share that each pod gets in the long run, shape (pods,), with exactly the case's CV."""
    shape = np.arange(case.pods, dtype=float)
    if case.policy == "hot pod":
        shape = (shape == 0).astype(float)
    standard = (shape - shape.mean()) / shape.std()
    return np.asarray((1 + case.true_cv * standard) / case.pods)


def measure(case: Case, seed: int) -> Cell:
    """Pick, judge and count `case.trials` times."""
    rng = np.random.default_rng([SEED, seed])
    scores, verdicts = [], []
    for requests, loads in _picks(case, rng):
        scores.append(balance(requests.tolist()).score or 0.0)
        verdicts.append(judge(requests.tolist(), loads, coverage=1.0))
    truly_even = case.true_cv <= CV_THRESHOLD

    def rate(holds: Callable[[Verdict], bool]) -> float:
        return sum(map(holds, verdicts)) / case.trials

    even = rate(lambda verdict: verdict.kind is VerdictKind.EVEN)
    uneven = rate(lambda verdict: verdict.kind is VerdictKind.UNEVEN)
    return Cell(
        **asdict(case),
        false_uneven=uneven if truly_even else 0.0,
        false_even=0.0 if truly_even else even,
        coverage=rate(lambda verdict: _covers(verdict, case.true_cv)),
        even=even,
        uneven=uneven,
        undecided=rate(lambda verdict: verdict.kind is VerdictKind.UNDECIDED),
        mean_score=float(np.mean(scores)),
    )


def _covers(verdict: Verdict, true_cv: float) -> bool:
    assert verdict.cv_low is not None
    assert verdict.cv_high is not None
    return verdict.cv_low <= true_cv + 1e-12 and true_cv <= verdict.cv_high + 1e-12


def _picks(case: Case, rng: np.random.Generator) -> Iterator[Picked]:
    """Requests per pod and {requests carried: connections} of each trial."""
    if case.policy == "least connections":
        for counts in _least_connections(case, rng):
            yield counts, {1: case.connections}
        return
    shares = long_run_shares(case)
    for _ in range(case.trials):
        if case.load == "one each" and "robin" not in case.policy:
            yield rng.multinomial(case.connections, shares), {1: case.connections}
            continue
        carried = _carried(case, rng)
        pods = _picked(case, shares, rng)
        sizes, counts = np.unique(carried, return_counts=True)
        requests = np.bincount(pods, carried, minlength=case.pods).astype(int)
        yield requests, dict(zip(sizes.tolist(), counts.tolist(), strict=True))


def _picked(case: Case, shares: Array, rng: np.random.Generator) -> Array:
    if case.policy == "round robin":
        return np.asarray((rng.integers(case.pods) + np.arange(case.connections)) % case.pods)
    if case.policy == "weighted round robin":
        places = (rng.random() + np.arange(case.connections) * GOLDEN_RATIO) % 1  # each stretch has its fair part
        return np.minimum(np.searchsorted(np.cumsum(shares), places), case.pods - 1)
    return rng.choice(case.pods, size=case.connections, p=shares)


def _carried(case: Case, rng: np.random.Generator) -> Array:
    """Requests of each connection, shape (connections,), at least 1."""
    if case.load == "poisson":
        return 1 + rng.poisson(4, size=case.connections)
    if case.load == "heavy tail":
        return np.minimum(10_000, np.ceil(5 * (1 + rng.pareto(1.5, size=case.connections)))).astype(int)
    return np.ones(case.connections, dtype=int)


def _least_connections(case: Case, rng: np.random.Generator) -> Array:
    """Counts per pod, shape (trials, pods): ten connections a pod stay open, one ends at random per new one."""
    row = np.arange(case.trials)
    opened, picked = np.zeros((case.trials, case.pods)), np.zeros((case.trials, case.pods), dtype=int)
    for number in range(case.connections):
        if number >= 10 * case.pods:
            ends = np.argmax(np.cumsum(opened, axis=1) > rng.random((case.trials, 1)) * 10 * case.pods, axis=1)
            opened[row, ends] -= 1
        chosen = np.argmin(opened + rng.random(opened.shape) / 2, axis=1)
        opened[row, chosen] += 1
        picked[row, chosen] += 1
    return picked


def main(arguments: list[str] | None = None) -> int:
    """Measure every cell, write both files; 1 when a cell breaks a bound."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, default=Path("build/calibration.json"), help="list of cells")
    parser.add_argument("--table", type=Path, default=Path("docs/calibration.md"), help="the page")
    asked = parser.parse_args(arguments)
    began = time.monotonic()
    with ProcessPoolExecutor(os.cpu_count(), initializer=die_with_owner, initargs=(os.getpid(),)) as pool:
        cells = list(map(asdict, pool.map(measure, *zip(*((case, n) for n, case in enumerate(cases())), strict=True))))
        looks = list(map(asdict, pool.map(calibrate_looks.measure, calibrate_looks.watched())))
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    asked.json.write_text(json.dumps([*cells, *looks], indent=1) + "\n")
    asked.table.write_text(page(cells, looks, time.monotonic() - began) + kept_section(asked.table))
    bad = [cell for cell in cells if breaks_a_bound(cell)] + [cell for cell in looks if breaks_its_bound(cell)]
    for cell in bad:
        sys.stderr.write(f"Adapters its bounds: {cell}\n")
    count = len(cells) + len(looks)
    sys.stderr.write(f"{count} cells, {len(bad)} outside the bounds, {time.monotonic() - began:.0f} s.\n")
    return 1 if bad else 0


def breaks_a_bound(cell: dict[str, float]) -> bool:
    """The promise: false verdicts in at most 5 % of trials, intervals right in at least 93 %."""
    return cell["false_uneven"] > 0.05 or cell["false_even"] > 0.05 or cell["coverage"] < 0.93


if __name__ == "__main__":
    raise SystemExit(main())
