"""How the share of a pod grows that became ready in mid-run: steadily, as a slow start makes it, or in jumps.

A slow start (Envoy's slow_start_config, a cloud balancer's) raises a new pod's weight in a straight line, from a least
one to that of the others. A balancer that learns of a pod late gives it its share at once, and two of them do so in two
jumps. Which fits better is told by the likelihoods of the counts, each a Poisson count.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from scale_app.domain.numerics import np

MOST_PARTS = 16
LEAST_PARTS, LAST_PARTS = 6, 4
ITS_SHARE_FROM = 0.95
FOLLOWED_S = 900.0
"""As long as a slow start may be at the balancers that have one."""
LEAST_WEIGHT = 0.1
"""Envoy's min_weight_percent as it is by default."""
SHORTEST_S, LONGEST_S, STEPS = 5.0, 1_200.0, 80
GROWN_FROM = 0.25


@dataclass(frozen=True, slots=True)
class Steady:
    """A share that grew steadily. window_s: how long it takes to become a fair one, from the first request on.

    first, last: what the pod got over its fair share, in the first and the last part. seconds: of all parts.
    log_one_jump, log_two_jumps: evidence against shares that jump once or twice, as likelihood ratios.
    """

    window_s: float
    first: float
    last: float
    seconds: float
    log_one_jump: float
    log_two_jumps: float


@dataclass(slots=True)
class Rise:
    """What one pod got since it came, and what would have been its fair share, in up to MOST_PARTS equal times.

    came_s, at_s: times as those of samples.
    """

    came_s: float
    part_s: float = 1.0
    got: list[float] = field(default_factory=list)
    due: list[float] = field(default_factory=list)

    def add(self, at_s: float, got: float, due: float) -> None:
        """What the pod got in the time until then; at most FOLLOWED_S after it came, or until it has its share."""
        since_s = at_s - self.came_s
        if not 0 < since_s <= FOLLOWED_S or self._has_its_share:
            return
        part = math.ceil(since_s / self.part_s) - 1
        while part >= MOST_PARTS:
            self.got, self.due, self.part_s = _in_pairs(self.got), _in_pairs(self.due), 2 * self.part_s
            part //= 2
        for parts in (self.got, self.due):
            parts.extend([0.0] * (part + 1 - len(parts)))
        self.got[part] += got
        self.due[part] += due

    @property
    def _has_its_share(self) -> bool:
        due = sum(self.due[-LAST_PARTS:])
        return len(self.got) >= 2 * LAST_PARTS and sum(self.got[-LAST_PARTS:]) >= ITS_SHARE_FROM * due > 0

    def steady(self, pods: int, picks: float) -> Steady | None:
        """How it grew, None unless it grew steadily. pods: that share the work. picks: in a request."""
        known = [i for i, due in enumerate(self.due) if due > 0]
        if len(known) < LEAST_PARTS:
            return None
        got, due = ([parts[i] * picks for i in known] for parts in (self.got, self.due))
        ends_s = [(i + 1) * self.part_s for i in known]
        line, window_s, shares = _line(got, due, ends_s, self.part_s, pods)
        if shares[-1] - shares[0] < GROWN_FROM:
            return None
        one, two = (_jumps(got, due, longest) for longest in (1, len(got)))
        return Steady(window_s, got[0] / due[0], got[-1] / due[-1], ends_s[-1], line - one, line - two)


def _in_pairs(parts: Sequence[float]) -> list[float]:
    return [sum(parts[i : i + 2]) for i in range(0, len(parts), 2)]


def _line(
    got: Sequence[float], due: Sequence[float], ends_s: Sequence[float], part_s: float, pods: int
) -> tuple[float, float, list[float]]:
    """The best straight line of a weight: its log likelihood, its length in seconds, the shares over the fair ones.

    It begins when the pod came, or with its first requests.
    """
    begins_s = {0.0, max(0.0, next((end for end, n in zip(ends_s, got, strict=True) if n), 0.0) - part_s)}
    windows_s = np.geomspace(SHORTEST_S, LONGEST_S, STEPS)[:, None]
    counts, shares_due, middles_s = np.asarray(got), np.asarray(due), np.asarray(ends_s) - part_s / 2
    best = (-math.inf, 0.0, [0.0, 0.0])
    for began_s in begins_s:
        weights = np.clip((middles_s - began_s) / windows_s, LEAST_WEIGHT, 1.0)
        shares = pods * weights / (pods - 1 + weights)
        fits = (counts * np.log(shares) - shares * shares_due).sum(axis=1)
        i = int(fits.argmax())
        best = max(best, (float(fits[i]), float(windows_s[i, 0]), shares[i].tolist()))
    return best


def _jumps(got: Sequence[float], due: Sequence[float], longest: int) -> float:
    """The log likelihood of the best three levels, of which the middle one lasts for at most so many parts."""
    counts, shares = ([0.0, *accumulate(parts)] for parts in (got, due))
    last = len(got)

    def level(first: int, end: int) -> float:
        n, expected = counts[end] - counts[first], shares[end] - shares[first]
        return n * math.log(n / expected) - n if n > 0 else 0.0

    pairs = ((i, j) for i in range(last) for j in range(i, min(i + longest, last) + 1))
    return max(level(0, i) + level(i, j) + level(j, last) for i, j in pairs)
