"""Does a healthy balancer raise an alert? Watches made-up random balancers for ten simulated hours each.

Run it as `python -m tests.bench.quiet_alerts`: minutes on one core, the same figures for the same seed. The traffic is
made with numpy, ten hours at once; only seconds in which unevenness has p < 0.01 are judged by the real verdict, since
no other can raise an alert, and from there on everything is the real rule.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import special

from scale_app.domain.alert_rules import SLIDING_ALERT_FROM, alert_odds
from scale_app.domain.balance import Array
from scale_app.domain.verdict import judge_at_any_time

SEED = 6
SAMPLES = 36_000
WINDOW_S = 10
SCREEN_P = 0.01
KEEP_ALIVE = 0


@dataclass(frozen=True, slots=True)
class Case:
    """One balancer. rate: requests per second of each user; per_connection: requests of each, 0 = keep-alive."""

    pods: int
    users: int
    rate: int
    per_connection: int


@dataclass(frozen=True, slots=True)
class Watched:
    """What was seen. raised: seconds with evidence for an alert; most: the most evidence of any second; screened:
    seconds whose p-value is below SCREEN_P."""

    raised: int
    most: float
    screened: int


CASES = tuple(
    Case(pods, users, rate, per_connection)
    for pods in (2, 5, 20, 100)
    for users, rate in ((5, 5), (20, 20), (200, 5))
    for per_connection in (1, 5, 50, KEEP_ALIVE)
)
SHORT = (Case(5, 20, 20, 1), Case(5, 20, 20, 5), Case(20, 50, 10, KEEP_ALIVE), Case(2, 5, 5, 50))


@dataclass(frozen=True, slots=True)
class Traffic:
    """Ten-second windows, one ending at each second.

    requests: per window and pod, shape (samples, pods). loads: what each connection carried in each window, shape
    (samples, connections in a window). squares: sum of the squares of the loads, shape (samples,).
    """

    requests: Array
    loads: Array
    squares: Array


def watch(case: Case, seed: int, samples: int = SAMPLES) -> Watched:
    """Watch one balancer for so many seconds."""
    traffic = _traffic(case, np.random.default_rng([SEED, seed]), samples)
    p = _p_uneven(traffic)
    odds = [_odds(traffic, int(second)) for second in np.flatnonzero(p < SCREEN_P)]
    return Watched(sum(each >= 1 for each in odds), SLIDING_ALERT_FROM * max(odds, default=0.0), len(odds))


def _odds(traffic: Traffic, second: int) -> float:
    requests = traffic.requests[second].tolist()
    sizes, counts = np.unique(traffic.loads[second], return_counts=True)
    loads = {int(size): int(count) for size, count in zip(sizes, counts, strict=True) if size > 0}
    return alert_odds(judge_at_any_time(requests, loads, coverage=1.0, sliding=True), sliding=True)


def _p_uneven(traffic: Traffic) -> Array:
    """Chance of at least this unevenness in each window, shape (samples,): the verdict's own first approximation."""
    total = traffic.requests.sum(axis=1)
    pods = traffic.requests.shape[1]
    cv_squared = pods * ((traffic.requests / total[:, None]) ** 2).sum(axis=1) - 1
    picks = total**2 / traffic.squares
    return np.asarray(special.chdtrc(pods - 1, picks * cv_squared))


def _traffic(case: Case, rng: np.random.Generator, samples: int) -> Traffic:
    if case.per_connection == KEEP_ALIVE:
        return _kept_alive(case, rng, samples)
    return _one_each(case, rng, samples) if case.per_connection == 1 else _renewed(case, rng, samples)


def _one_each(case: Case, rng: np.random.Generator, samples: int) -> Traffic:
    """A new connection, to a random pod, for each request."""
    per_s = case.users * case.rate
    picked = rng.multinomial(per_s, np.full(case.pods, 1 / case.pods), size=samples + WINDOW_S - 1)
    until = np.cumsum(np.vstack([np.zeros((1, case.pods), dtype=int), picked]), axis=0)
    window = per_s * WINDOW_S
    loads = np.broadcast_to(np.int16(1), (samples, window))
    return Traffic(until[WINDOW_S:] - until[:-WINDOW_S], loads, np.full(samples, float(window)))


def _kept_alive(case: Case, rng: np.random.Generator, samples: int) -> Traffic:
    """Every user has one connection for ten hours and sends at random at its rate."""
    pod_of = rng.integers(case.pods, size=case.users)
    loads = rng.poisson(case.rate * WINDOW_S, size=(samples, case.users)).astype(np.int32)
    requests = loads @ (pod_of[:, None] == np.arange(case.pods)).astype(np.int32)
    return Traffic(requests, loads, (loads.astype(float) ** 2).sum(axis=1))


def _renewed(case: Case, rng: np.random.Generator, samples: int) -> Traffic:
    """Every user sends at its rate and takes a new connection, to a random pod, after so many requests."""
    window = case.rate * WINDOW_S
    starts = rng.integers(case.per_connection, size=case.users)  # of the first window within its first connection
    requests, squares, loads = np.zeros((samples, case.pods), dtype=np.int32), np.zeros(samples), []
    width = math.ceil((window - 1) / case.per_connection) + 1
    for start in starts:
        first = (start + np.arange(samples) * case.rate) // case.per_connection
        last = (start + np.arange(samples) * case.rate + window - 1) // case.per_connection
        pods = rng.integers(case.pods, size=int(last[-1]) + 1)
        carried = _carried(start + np.arange(samples) * case.rate, window, case.per_connection, width)
        which = np.minimum(first[:, None] + np.arange(width), pods.size - 1)
        flat = np.arange(samples)[:, None] * case.pods + pods[which]
        picked = np.bincount(flat.ravel(), carried.ravel(), samples * case.pods)
        requests += picked.reshape(requests.shape).astype(np.int32)
        squares += (carried.astype(float) ** 2).sum(axis=1)
        loads.append(carried)
    return Traffic(requests, np.concatenate(loads, axis=1), squares)


def _carried(start: Array, window: int, per_connection: int, width: int) -> Array:
    """Requests within each window of its first, second, ... connection; shape (samples, width)."""
    begin = (start // per_connection)[:, None] * per_connection + np.arange(width) * per_connection
    low = np.maximum(begin, start[:, None])
    high = np.minimum(begin + per_connection, start[:, None] + window)
    return np.asarray(np.maximum(0, high - low), dtype=np.int16)


def rows() -> Iterator[tuple[Case, Watched]]:
    """Every case of the full run."""
    for seed, case in enumerate(CASES):
        yield case, watch(case, seed)


def main() -> int:
    """Print the table; 1 when a healthy balancer raised an alert."""
    began, raised = time.monotonic(), 0
    print("| pods | users | requests/s | per connection | most evidence | alerts in 10 h |\n|--:|--:|--:|--:|--:|--:|")
    for case, seen in rows():
        raised += seen.raised
        kept = case.per_connection or "keep-alive"
        rate = case.users * case.rate
        print(f"| {case.pods} | {case.users} | {rate} | {kept} | {seen.most:,.0f} | {seen.raised} |", flush=True)
    sys.stderr.write(f"{raised} alerts, {time.monotonic() - began:.0f} s.\n")
    return 1 if raised else 0


if __name__ == "__main__":
    raise SystemExit(main())
