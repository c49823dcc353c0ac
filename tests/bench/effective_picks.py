"""How many picks stand behind what connections did? The estimate against the truth, on fair balancers, seeded.

Run it as `python -m tests.bench.effective_picks`: minutes on one core; prints a table.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import Literal

import numpy as np

from scale_app.domain.balance import Array
from scale_app.domain.chance import TAIL, chance_above
from scale_app.domain.picks import ConnectionLoad, kept, picks_of

SEED, TRIALS = 6, 1_000
Policy = Literal["layer 4", "layer 7", "half the clients each", "sticks with 0.5", "sticks with 0.9"]
STICKS: dict[str, float] = {"layer 4": 1.0, "layer 7": 0.0, "sticks with 0.5": 0.5, "sticks with 0.9": 0.9}


@dataclass(frozen=True, slots=True)
class Case:
    """policy: of the balancer, which is fair. requests: of each connection, or on average when lengths differ.

    cut: the window begins somewhere within each connection.
    """

    policy: Policy
    connections: int
    requests: int
    pods: int
    lengths: Literal["equal", "poisson"] = "equal"
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """true: the picks at which chance would scatter as the trials did. told: the median estimate. exceed: share of
    trials whose chi-square with that many picks is beyond its 97.5 % point, which 2.5 % should be."""

    case: Case
    true: float
    told: float
    exceed: float


CASES = tuple(
    Case(policy, connections, requests, pods, lengths, cut)
    for pods in (2, 5, 20)
    for policy in ("layer 4", "layer 7", "half the clients each", "sticks with 0.5", "sticks with 0.9")
    for connections, requests, lengths, cut in (
        (400, 5, "equal", False),
        (400, 5, "poisson", False),
        (50, 60, "equal", False),
        (50, 60, "poisson", True),
    )
)


def measure(case: Case, seed: int, trials: int = TRIALS) -> Row:
    """Send and judge so many times."""
    rng = np.random.default_rng([SEED, seed])
    squares, told = np.empty(trials), np.empty(trials)
    for trial in range(trials):
        counts, loads = _window(case, rng)
        parts = counts / counts.sum()
        squares[trial] = case.pods * float(((parts - 1 / case.pods) ** 2).sum())
        told[trial] = picks_of(int(counts.sum()), loads, parts=parts.tolist()).effective
    beyond = [chance_above(t, case.pods - 1) < TAIL for t in (squares * told).tolist()]
    return Row(case, (case.pods - 1) / float(squares.mean()), float(np.median(told)), sum(beyond) / trials)


def _window(case: Case, rng: np.random.Generator) -> tuple[Array, Counter[ConnectionLoad]]:
    counts, loads = np.zeros(case.pods), Counter[ConnectionLoad]()
    for number in range(case.connections):
        length = case.requests if case.lengths == "equal" else 1 + int(rng.poisson(case.requests - 1))
        answers = _answers(STICKS.get(case.policy, float(number % 2)), length, case.pods, rng)
        first = int(rng.integers(length)) if case.cut else 0
        switched = answers[1:] != answers[:-1]
        loads[kept(length - first, int(switched[max(0, first - 1) :].sum()), first > 0)] += 1
        counts += np.bincount(answers[first:], minlength=case.pods)
    return counts, loads


def _answers(rho: float, length: int, pods: int, rng: np.random.Generator) -> Array:
    """The pods that answered on one connection: each the last one again with chance rho, else any."""
    picked = rng.integers(pods, size=length)
    fresh = rng.random(length) >= rho
    fresh[0] = True
    return np.asarray(picked[np.maximum.accumulate(np.where(fresh, np.arange(length), 0))])


def main() -> int:
    """Print the table; 1 when more than one trial in twenty is beyond what one in forty should be."""
    began, bad = time.monotonic(), 0
    print("| pods | balancer | connections | requests each | true n | told | exceed |")
    print("|--:|--|--:|--|--:|--:|--:|")
    for seed, case in enumerate(CASES):
        row = measure(case, seed)
        bad += row.exceed > 2 * TAIL
        each = f"{case.requests} {case.lengths}{', cut' if case.cut else ''}"
        figures = f"{row.true:,.0f} | {row.told:,.0f} | {100 * row.exceed:.1f} %"
        print(f"| {case.pods} | {case.policy} | {case.connections} | {each} | {figures} |", flush=True)
    sys.stderr.write(f"{len(CASES)} cells, {bad} exceed too often, {time.monotonic() - began:.0f} s.\n")
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
