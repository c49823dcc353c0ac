"""How hard each pod works beside how many requests it gets, and which pods stand out by latency or failures.

Equal counts are not equal work: a slow pod with its fair share is the busiest one, and a balancer that looks at
connections or requests in flight *should* give it fewer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scale_app.domain.numerics import Array, np, special

LEVEL = 0.001  # chance that any pod of a healthy target is named, all pods of a window taken together
REQUESTS_TO_JUDGE = 20
SLOWER_BY = 2.0
TAIL_SLOWER_BY = 1.5
SLOWER_BY_MS = 2.0
FAILURES_TO_JUDGE = 5
FAILING_FROM = 0.02
FAILING_MORE_BY = 3.0
MAD_TO_SIGMA = 1.4826
LEAVE_ONE_OUT_UP_TO = 64


@dataclass(frozen=True, slots=True)
class WorkBalance:
    """How unlike the pods' work is. Each is a coefficient of variation over the pods, None without enough data.

    latency_cv: of their mean latencies. in_flight_cv: of the requests that each has in hand on average.
    connections_cv: of the connections that each got since the start. The other two: of the recent window.
    """

    latency_cv: float | None = None
    in_flight_cv: float | None = None
    connections_cv: float | None = None


def cv_of(values: Sequence[float]) -> float | None:
    """Population standard deviation over mean; None for no values or none above 0."""
    figures = np.asarray(values, dtype=float)
    if not figures.size or not figures.sum() > 0:
        return None
    return float(figures.std() / figures.mean())


def slow_pods(mean_ms: Sequence[float | None], p95_ms: Sequence[float | None], requests: Sequence[int]) -> Array:
    """Which pods are slower than the others beyond chance; shape (k,), bool.

    A pod is compared with the median of the others: its mean at least SLOWER_BY times theirs and SLOWER_BY_MS more,
    its p95 TAIL_SLOWER_BY times (so that one stalled request names nobody), and the difference of the logarithms
    improbable at LEVEL/k, given the scatter between the others and a coefficient of variation of 1 within the pod.
    Pods with fewer than REQUESTS_TO_JUDGE requests are neither named nor compared with.
    """
    named = np.zeros(len(requests), dtype=bool)
    counts = np.asarray(requests, dtype=float)
    means, tails = (np.array([value or 0.0 for value in column], dtype=float) for column in (mean_ms, p95_ms))
    judged = np.flatnonzero((counts >= REQUESTS_TO_JUDGE) & (means > 0) & (tails > 0))
    if judged.size < 2:
        return named
    means, tails = means[judged], tails[judged]
    usual, scatter = _others(np.log(means))
    usual_ms, usual_tail_ms = np.exp(usual), np.exp(_others(np.log(tails))[0])
    z = (np.log(means) - usual) / np.sqrt(scatter**2 + 1 / counts[judged])
    named[judged] = (
        (z > special.ndtri(1 - LEVEL / judged.size))
        & (means >= SLOWER_BY * usual_ms)
        & (means - usual_ms >= SLOWER_BY_MS)
        & (tails >= TAIL_SLOWER_BY * usual_tail_ms)
    )
    return named


def failing_pods(failures: Sequence[int], requests: Sequence[int], least_part: float = FAILING_FROM) -> Array:
    """Which pods fail more often than the others beyond chance; shape (k,), bool.

    At least FAILURES_TO_JUDGE failures, this part of the pod's requests, FAILING_MORE_BY times the others' median
    share, and improbable at LEVEL/k (binomial tail) were the pod's failure rate that of all the others together.
    """
    failed, counts = np.asarray(failures, dtype=float), np.asarray(requests, dtype=float)
    judged = np.flatnonzero(counts >= FAILURES_TO_JUDGE)
    named = np.zeros(counts.size, dtype=bool)
    if judged.size < 2 or not failed.any():
        return named
    failed, counts = np.minimum(failed[judged], counts[judged]), counts[judged]
    rate = failed / counts
    of_others = np.minimum((failed.sum() - failed + 1) / (counts.sum() - counts + 1), 1.0)
    improbable = special.betainc(np.maximum(failed, 1), counts - np.maximum(failed, 1) + 1, of_others)
    named[judged] = (
        (failed >= FAILURES_TO_JUDGE)
        & (rate >= least_part)
        & (rate >= FAILING_MORE_BY * _others(rate)[0])
        & (improbable < LEVEL / judged.size)
    )
    return named


def _others(values: Array) -> tuple[Array, Array]:
    """For each value the median of the others and their robust standard deviation; shapes (k,). At least two values."""
    k = values.size
    if k > LEAVE_ONE_OUT_UP_TO:  # one of so many does not move a median
        middle = np.median(values)
        scatter = MAD_TO_SIGMA * np.median(np.abs(values - middle))
        return np.full(k, middle), np.full(k, scatter)
    others = np.broadcast_to(values, (k, k))[~np.eye(k, dtype=bool)].reshape(k, k - 1)
    middles = np.median(others, axis=1)
    return middles, MAD_TO_SIGMA * np.median(np.abs(others - middles[:, None]), axis=1)
