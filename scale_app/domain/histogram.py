"""Latencies as counts in logarithmic buckets: mergeable, subtractable, within 1 % of the true value.

Bucket i holds latencies in (GROWTH**(i-1), GROWTH**i] microseconds; its reported value is the geometric middle.
The layout is that of DDSketch (Masson, Rim, Lee 2019) with relative accuracy 1 %.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache

ACCURACY = 0.01
GROWTH = (1 + ACCURACY) / (1 - ACCURACY)
_BUCKETS_PER_E = 1 / math.log(GROWTH)
_BUCKET_OF_A_SECOND = math.log(1e6) * _BUCKETS_PER_E


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


def merged(parts: Iterable[Histogram]) -> Histogram:
    counts: dict[int, int] = {}
    for part in parts:
        for index, n in part.counts.items():
            counts[index] = counts.get(index, 0) + n
    return Histogram(counts)
