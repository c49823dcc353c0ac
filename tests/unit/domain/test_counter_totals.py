"""Counters of a source since its first reading: restarts, pods that come and go."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from scale_app.domain.counters import CounterTotals
from scale_app.domain.samples import CountsSample
from scale_app.domain.source import Source


def _read(*readings: CountsSample) -> dict[str, int]:
    counters = CounterTotals()
    for reading in readings:
        counters.observe(reading)
    return counters.totals


def _counts(unread: Iterable[str] = (), since: dict[str, str] | None = None, **requests: int) -> CountsSample:
    return CountsSample(0.0, Source.PROMETHEUS, requests, unread=tuple(unread), since=since or {})


def test_what_was_counted_before_the_first_reading_is_nobodys_business() -> None:
    assert _read(_counts(a=1_000, b=0)) == {"a": 0, "b": 0}
    assert _read(_counts(a=1_000, b=0), _counts(a=1_010, b=3)) == {"a": 10, "b": 3}


def test_a_counter_that_fell_began_anew() -> None:
    assert _read(_counts(a=100), _counts(a=150), _counts(a=7), _counts(a=9)) == {"a": 59}


def test_a_restart_is_seen_though_the_new_counter_is_above_the_old() -> None:
    before, after = _counts(since={"a": "1"}, a=5), _counts(since={"a": "2"}, a=80)
    assert _read(before, after) == {"a": 80}


def test_a_pod_that_came_later_is_counted_from_nought() -> None:
    assert _read(_counts(a=10), _counts(a=10, b=4)) == {"a": 0, "b": 4}


def test_a_pod_that_could_not_be_read_at_first_is_counted_from_its_first_reading() -> None:
    assert _read(_counts(["b"], a=10), _counts(a=11, b=4_000), _counts(a=12, b=4_005)) == {"a": 2, "b": 5}


def test_a_pod_that_is_gone_keeps_what_it_had_and_goes_on_when_it_can_be_read_again() -> None:
    assert _read(_counts(a=10, b=10), _counts(a=20, b=20), _counts(["b"], a=30)) == {"a": 20, "b": 10}
    assert _read(_counts(a=1, b=1), _counts(["b"], a=2), _counts(a=3, b=9)) == {"a": 2, "b": 8}


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(0, 10**9), min_size=1), min_size=1))
def test_totals_never_fall_whatever_is_read(readings: list[dict[str, int]]) -> None:
    counters = CounterTotals()
    before: dict[str, int] = {}
    for reading in readings:
        counters.observe(_counts(**reading))
        assert all(counters.totals[pod] >= total >= 0 for pod, total in before.items())
        before = dict(counters.totals)
