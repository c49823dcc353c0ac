"""Which of a run's arrivals are one process's: several send one load in turn, without a word between them. Pure.

Evenly spaced arrivals are dealt out like cards: of three processes the second sends the 2nd, 5th, 8th, so that all
together are as evenly spaced as one process's would be. Random ones need no dealing: of n processes each has a Poisson
process of its own at an n-th of the rate, and together these are one at the whole rate.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Share:
    """One process's part: it is the `place`-th, from 0, of `of` processes, for the arrivals after number `since`."""

    place: int = 0
    of: int = 1
    since: float = 0.0


class Turns:
    """One process's arrivals, by their numbers in the run."""

    def __init__(self, spacing: Literal["constant", "poisson"], share: Share) -> None:
        self._step = _drawn if spacing == "poisson" else _dealt
        self._share = share
        self._next_share: Share | None = None

    def change(self, share: Share) -> None:
        """Another share, from its `since` on; until then the old one holds."""
        self._next_share = share

    def after(self, number: float) -> float:
        """The first of our arrivals after this point of the run's numbering. Asked again, random ones differ."""
        ours, coming = self._step(self._share, number), self._next_share
        if coming is None or ours <= coming.since:
            return ours
        self._share, self._next_share = coming, None
        return self._step(coming, max(number, coming.since))


def _dealt(share: Share, number: float) -> float:
    first = share.place + 1
    return first + share.of * max(0, math.floor((number - first) / share.of) + 1)


def _drawn(share: Share, number: float) -> float:
    # What has passed without an arrival says nothing of the next one, so that beginning anew at any point is right.
    return number + share.of * random.expovariate(1.0)
