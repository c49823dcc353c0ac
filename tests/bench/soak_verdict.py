"""Whether what a server holds has grown: by the medians of an early and of a late part of noisy looks."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.soak_watch import Look

WARMING = 0.2
"""Of the time, at its beginning: libraries are loaded, caches and arenas fill."""
PART = 0.2
"""Of the rest, at either end."""
GROWTH = {"resident_mib": (1.10, 5.0), "files": (1.0, 12.0), "threads": (1.0, 4.0), "processes": (1.0, 2.0)}
"""What the late part may be: so many times the early one, and so much more. Runs and viewers overlap by chance."""
AT_REST = {"files": 12, "threads": 12, "processes": 0}
"""How much more than before everything may be left afterwards: pools of threads and of connections fill with use."""
DATABASE_GROWTH = 1.25


@dataclass(frozen=True, slots=True)
class Figure:
    """first, last: of the early and of the late part. most: of all looks after the warming. allowed: of last."""

    name: str
    first: float
    last: float
    most: float
    allowed: float

    @property
    def flat(self) -> bool:
        return self.last <= self.allowed


def over_time(looks: Sequence[Look]) -> list[Figure]:
    """Memory, files, threads and processes while it is used. Raises ValueError without looks."""
    warm = looks[int(len(looks) * WARMING) :]
    if not warm:
        raise ValueError("there are no looks to judge by")
    size = max(1, int(len(warm) * PART))
    return [_figure(name, warm, size) for name in GROWTH]


def _figure(name: str, warm: Sequence[Look], size: int) -> Figure:
    values = [float(getattr(look, name)) for look in warm]
    first, last = statistics.median(values[:size]), statistics.median(values[-size:])
    times, more = GROWTH[name]
    return Figure(name, first, last, max(values), round(first * times + more, 1))


def at_rest(before: Look, after: Look) -> list[Figure]:
    """What is left once nobody uses it any more."""
    pairs = [(name, float(getattr(before, name)), float(getattr(after, name))) for name in AT_REST]
    return [Figure(f"{name}, at rest", old, new, max(old, new), old + AT_REST[name]) for name, old, new in pairs]


def database_a_run(looks: Sequence[Look]) -> Figure:
    """KiB that a run adds to the database, in the first and in the second half of the time."""
    middle = len(looks) // 2
    first, last = _kib_a_run(looks[0], looks[middle]), _kib_a_run(looks[middle], looks[-1])
    return Figure("database_kib_a_run", first, last, max(first, last), round(first * DATABASE_GROWTH, 1))


def _kib_a_run(earlier: Look, later: Look) -> float:
    return round(1024 * (later.database_mib - earlier.database_mib) / max(1, later.runs - earlier.runs), 1)
