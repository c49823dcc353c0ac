"""Latencies as counts in logarithmic buckets: mergeable, subtractable, within 1 % of the true value.

Bucket i holds latencies in (GROWTH**(i-1), GROWTH**i] microseconds; its reported value is the geometric middle.
The layout is that of DDSketch (Masson, Rim, Lee 2019) with relative accuracy 1 %.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate

ACCURACY = 0.01
GROWTH = (1 + ACCURACY) / (1 - ACCURACY)
_BUCKETS_PER_E = 1 / math.log(GROWTH)
_BUCKET_OF_A_SECOND = math.log(1e6) * _BUCKETS_PER_E
LIMITS_MS = (1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0, 2_500.0, 5_000.0, 10_000.0, 30_000.0)
"""Where a coarse histogram is cut: three a decade, as programs that draw and alert are used to."""


def bucket_of(latency_s: float) -> int:
    """Index of the bucket for a latency in seconds; below one microsecond counts as one."""
    if latency_s <= 1e-6:
        return 0
    return math.ceil(math.log(latency_s) * _BUCKETS_PER_E + _BUCKET_OF_A_SECOND)


@cache
def bucket_ms(index: int) -> float:
    """The latency in milliseconds that stands for a bucket: at most 1 % off any value inside it."""
    return 2 * GROWTH**index / (GROWTH + 1) / 1_000


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts of latencies by bucket. Immutable; `counts` maps bucket index to a positive count."""

    counts: Mapping[int, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def minus(self, earlier: Histogram) -> Histogram:
        """What was added since `earlier`; a counter that went backwards (restart) counts from zero again."""
        if any(self.counts.get(i, 0) < n for i, n in earlier.counts.items()):
            return self
        left = ((i, n - earlier.counts.get(i, 0)) for i, n in self.counts.items())
        return Histogram({i: n for i, n in left if n})

    def mean_ms(self) -> float | None:
        """The mean in milliseconds, within 1 %, or None when nothing was counted."""
        total = self.total
        return sum(n * bucket_ms(index) for index, n in self.counts.items()) / total if total else None

    def quantile_ms(self, q: float) -> float | None:
        """The q-quantile (0..1) in milliseconds, or None when nothing was counted."""
        rank = math.ceil(q * self.total)
        seen = 0
        for index, n in sorted(self.counts.items()):
            seen += n
            if seen >= rank:
                return bucket_ms(index)
        return None


@dataclass(frozen=True, slots=True)
class LatencyCounts:
    """A histogram cut at a few limits, for programs that keep it.

    within: how many answers took at most as long as each of LIMITS_MS, within 1 % of the limit. total: all answers.
    sum_s: their latencies together, in seconds, within 1 %.
    """

    within: tuple[int, ...] = ()
    total: int = 0
    sum_s: float = 0.0


def cut(histogram: Histogram) -> LatencyCounts:
    """The histogram at LIMITS_MS."""
    ordered = sorted((bucket_ms(index), n) for index, n in histogram.counts.items())
    up_to = list(accumulate((n for _, n in ordered), initial=0))
    middles = [middle for middle, _ in ordered]
    within = tuple(up_to[bisect_right(middles, limit)] for limit in LIMITS_MS)
    return LatencyCounts(within, up_to[-1], round(sum(middle * n for middle, n in ordered) / 1_000, 6))


def merged(parts: Iterable[Histogram]) -> Histogram:
    counts: dict[int, int] = {}
    for part in parts:
        for index, n in part.counts.items():
            counts[index] = counts.get(index, 0) + n
    return Histogram(counts)
