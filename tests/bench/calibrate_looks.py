"""How often is the verdict that is watched ever wrong? Made-up runs with a look at every second, all looks together."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np

from scale_app.domain.evidence import log_even, log_regular, log_uneven
from scale_app.domain.judgement import EVEN_FROM, REGULAR_FROM, UNEVEN_FROM
from scale_app.domain.picks import Array
from scale_app.domain.samples import PodCount
from scale_app.domain.verdict import VerdictKind, judge_at_any_time
from tests.bench.power_traffic import Case, shares_of

SEED = 16
PODS = (2, 5, 20, 200)
PICKS_PER_S = (1, 10, 100, 1_000)
EDGE_PICKS_PER_S = (100, 1_000)
LOOKS, TRIALS, EDGE_TRIALS = 200, 150, 1_000
HOUR_LOOKS, HOUR_TRIALS, HOUR_PICKS_PER_S = 3_600, 20, 10
MOST_EVER = {"fair": 0.01, "edge": 0.05}
SCATTER = 2.6
"""Standard deviations by which a rate of so many trials may lie above its bound by chance."""


@dataclass(frozen=True, slots=True)
class Watched:
    """One cell to be measured. case: "fair", or "edge" with a CV of exactly 0.025. looks: one a second."""

    case: Case
    pods: int
    picks_per_s: int
    looks: int
    trials: int


@dataclass(frozen=True, slots=True)
class Ever:
    """What was measured. Shares of trials, 0..1, in which the verdict since the start was ever UNEVEN, EVEN.

    ever_wrong: the one of the two that is wrong; of an edge EVEN, since a score of 0.95 is not below 0.95.
    median_even_picks: picks at the first EVEN, None when fewer than half of the trials came to it.
    """

    case: str
    pods: int
    picks_per_s: int
    looks: int
    trials: int
    ever_uneven: float
    ever_even: float
    ever_wrong: float
    median_even_picks: int | None


def watched() -> Iterator[Watched]:
    """Every cell of the full run."""
    for pods in PODS:
        for picks_per_s in PICKS_PER_S:
            yield Watched("fair", pods, picks_per_s, LOOKS, TRIALS)
        for picks_per_s in EDGE_PICKS_PER_S:
            yield Watched("edge", pods, picks_per_s, LOOKS, EDGE_TRIALS)
        yield Watched("fair", pods, HOUR_PICKS_PER_S, HOUR_LOOKS, HOUR_TRIALS)


def measure(what: Watched) -> Ever:
    """Watch `what.trials` runs."""
    rng = np.random.default_rng([SEED, what.pods, what.picks_per_s, what.looks, what.case == "edge"])
    firsts = [_first_of_each(what, rng) for _ in range(what.trials)]
    uneven, even = (
        sum(kind in first for first in firsts) / what.trials for kind in (VerdictKind.UNEVEN, VerdictKind.EVEN)
    )
    decided = sorted(first.get(VerdictKind.EVEN, what.looks + 1) for first in firsts)[what.trials // 2]
    picks = decided * what.picks_per_s if decided <= what.looks else None
    return Ever(**asdict(what), ever_uneven=uneven, ever_even=even, ever_wrong=_wrong(what, uneven, even),
                median_even_picks=picks)  # fmt: skip


def _wrong(what: Watched, uneven: float, even: float) -> float:
    return uneven if what.case == "fair" else even


def _first_of_each(what: Watched, rng: np.random.Generator) -> dict[VerdictKind, int]:
    """The look at which each verdict was first said."""
    shares = shares_of(what.case, what.pods)
    gained = rng.multinomial(what.picks_per_s, shares, size=what.looks)
    first: dict[VerdictKind, int] = {}
    regular = 0.0
    for look, (now, counts) in enumerate(zip(gained, np.cumsum(gained, axis=0), strict=True), start=1):
        regular += _regular(now)
        if _uneven(counts) or (VerdictKind.EVEN not in first and _even(counts, regular)):
            n = int(counts.sum())
            kind = judge_at_any_time(counts.tolist(), {1: n}, coverage=1.0, log_regular=regular).kind
            first.setdefault(kind, look)
    return first


def _regular(gained: Array) -> float:
    pods = {str(pod): PodCount(count) for pod, count in enumerate(gained.tolist())}
    return log_regular(pods, dict.fromkeys(pods, 1.0), None)


def _uneven(counts: Array) -> bool:
    """There may be such a verdict: only then, and with the next one, is the whole of it, which takes longer, made."""
    n = float(counts.sum())
    return log_uneven(counts / n, np.full(counts.size, 1 / counts.size), n) >= math.log(UNEVEN_FROM)


def _even(counts: Array, regular: float) -> bool:
    n, pods = float(counts.sum()), counts.size
    t = pods * float((counts**2).sum()) / n - n
    return regular >= math.log(REGULAR_FROM) or log_even(n, t, pods - 1) >= math.log(EVEN_FROM)


def breaks_its_bound(cell: dict[str, float]) -> bool:
    """More often wrong than was promised, chance at so many trials allowed for."""
    most = MOST_EVER[str(cell["case"])]
    return cell["ever_wrong"] > most + SCATTER * math.sqrt(most * (1 - most) / cell["trials"])
