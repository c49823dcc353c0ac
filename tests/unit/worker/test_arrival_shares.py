"""Arrivals of one process and of several: as many as the rate says at every moment, and spaced as asked for."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scale_app.domain.pattern import Pattern
from scale_app.domain.timetable import Timetable
from scale_app.worker.steering import AHEAD_S, ArrivalSplitter, OwnArrivals, Share

SEED = 20261128
SIGMAS = 5
PATTERNS = (
    Pattern(),
    Pattern("ramp", low=0, period_s=20),
    Pattern("ramp", low=0.1, period_s=7),
    Pattern("steps", low=0, period_s=5, steps=4),
    Pattern("spike", low=0, begins_s=6, period_s=5),
    Pattern("spike", low=0.2, begins_s=0, period_s=5),
    Pattern("wave", low=0, period_s=9),
    Pattern("replayed", low=0.5, points=((3, 0), (8, 1), (15, 0))),
)
EACH_PATTERN = pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.kind)
EACH_NUMBER_OF_PROCESSES = pytest.mark.parametrize("processes", [1, 2, 3, 8])


def numbers(own: OwnArrivals, until: float, after: float = 0.0) -> Iterator[float]:
    """A process's arrivals between these points of the run's numbering."""
    number = own.after(after)
    while number <= until:
        yield number
        number = own.after(number)


def times_s(table: Timetable, spacing: str, processes: int, until_s: float) -> list[float]:
    """When all processes together send, in order."""
    sharing = [OwnArrivals(spacing, Share(place, processes)) for place in range(processes)]  # type: ignore[arg-type]
    return sorted(table.time_of(n) for own in sharing for n in numbers(own, table.due(until_s)))


def table_of(pattern: Pattern, per_s: float) -> Timetable:
    table = Timetable(pattern)
    table.change(0, per_s)
    return table


@EACH_NUMBER_OF_PROCESSES
@EACH_PATTERN
@pytest.mark.parametrize("until_s", [2.0, 10.0, 20.0])
def test_evenly_spaced_arrivals_are_the_integral_of_the_rate(pattern: Pattern, processes: int, until_s: float) -> None:
    table = table_of(pattern, 30)
    sent_s = times_s(table, "constant", processes, until_s)
    assert len(sent_s) == math.floor(table.due(until_s) + 1e-9)
    # Between two of them the same part of the load passes.
    assert [table.due(at_s) for at_s in sent_s] == pytest.approx(list(range(1, len(sent_s) + 1)))


@EACH_NUMBER_OF_PROCESSES
@EACH_PATTERN
def test_random_arrivals_are_on_average_the_integral_of_the_rate(pattern: Pattern, processes: int) -> None:
    random.seed(SEED)
    table = table_of(pattern, 2)
    for until_s in (5.0, 20.0):
        counts = [len(times_s(table, "poisson", processes, until_s)) for _ in range(400)]
        due = table.due(until_s)
        # A Poisson count's variance is its mean.
        assert sum(counts) / 400 == pytest.approx(due, abs=SIGMAS * math.sqrt(due / 400) + 1e-9)


@EACH_NUMBER_OF_PROCESSES
def test_random_arrivals_are_a_poisson_process_seen_through_the_rate(processes: int) -> None:
    random.seed(SEED)
    table = table_of(Pattern("wave", low=0, period_s=9), 500)
    waits = [
        later - sooner for sooner, later in itertools.pairwise(map(table.due, times_s(table, "poisson", processes, 40)))
    ]
    for longer_than in (0.1, 0.5, 1, 2, 4):
        chance = math.exp(-longer_than)
        share = sum(wait > longer_than for wait in waits) / len(waits)
        assert share == pytest.approx(chance, abs=SIGMAS * math.sqrt(chance * (1 - chance) / len(waits)))


@given(st.integers(1, 9), st.integers(1, 9), st.floats(0, 500), st.data())
def test_when_processes_come_or_go_each_arrival_is_sent_by_one_of_them(
    before: int, after: int, since: float, data: st.DataObject
) -> None:
    sharing = [OwnArrivals("constant", Share(place, before)) for place in range(before)]
    for place, own in enumerate(sharing[: min(before, after)]):
        own.change(Share(place, after, since))
    # Who goes stops when the new split begins; who comes is heard of before it does.
    sent = [n for own in sharing[after:] for n in numbers(own, since)]
    sent += [n for own in sharing[:after] for n in numbers(own, 600)]
    newcomers = [OwnArrivals("constant", Share(place, after, since)) for place in range(before, after)]
    sent += [n for own in newcomers for n in numbers(own, 600, since)]
    assert sorted(sent) == list(range(1, 601))


def test_arrivals_are_split_anew_from_a_moment_on_of_which_all_have_heard() -> None:
    splitter = ArrivalSplitter(Pattern())
    assert splitter.order_for(0, 3, 50) is None
    table = Timetable(Pattern())
    splitter.follow(table.change(0, 100), began_s=50)
    first = splitter.order_for(1, 3, 50.25)
    assert first is not None
    assert (first.leg, first.share, first.began_s, first.at_s) == (table.leg, Share(1, 3, 0), 50, 0.25)
    splitter.split_anew(52)
    second = splitter.order_for(1, 2, 52)
    assert second is not None
    assert second.share == Share(1, 2, pytest.approx(100 * (2 + AHEAD_S)))
