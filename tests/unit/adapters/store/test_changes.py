"""One value as what changed since another: whatever the two are, the second comes back of the first, order and all."""

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from scale_app.adapters.store.changes import changed, difference
from scale_app.codec import to_wire
from scale_app.domain.histogram import Histogram
from scale_app.domain.samples import PodCount

COUNTS = some.dictionaries(some.integers(0, 12), some.integers(-5, 10**13))
NUMBERS = some.integers(-(10**13), 10**13) | some.floats(allow_nan=False, allow_infinity=False) | some.none()


@dataclass(frozen=True)
class Sample:
    at_s: float
    counts: dict[int, int] = field(default_factory=dict)
    pods: dict[str, PodCount] = field(default_factory=dict)
    texts: tuple[str, ...] = ()
    odd: int | float | str | None = None


PODS = some.builds(PodCount, some.integers(0, 9), some.integers(0, 9), some.just(0), some.builds(Histogram, COUNTS))
SAMPLES = some.builds(
    Sample,
    some.floats(0, 1e6),
    COUNTS,
    some.dictionaries(some.sampled_from(["a", "b", "ü", "kind", ""]), PODS),
    some.lists(some.text(max_size=3), max_size=2).map(tuple),
    NUMBERS | some.text(max_size=2),
)


@given(SAMPLES, SAMPLES)
def test_what_changed_makes_the_later_value_of_the_earlier_one(before, now):
    made = changed(to_wire(before), difference(before, now))
    assert made == to_wire(now)
    assert list(made["counts"]) == list(to_wire(now)["counts"])
    assert list(made["pods"]) == list(to_wire(now)["pods"])


def test_a_counter_that_grew_is_what_it_grew_by():
    before = Sample(1.5, {7: 1_000_000}, {"a": PodCount(100), "b": PodCount(5)})
    now = replace(before, at_s=2.5, counts={7: 1_000_003}, pods={"a": PodCount(101), "b": PodCount(5)})
    assert difference(before, now) == {"at_s": [2.5], "counts": {"7": 3}, "pods": {"a": {"requests": 1}}}


def test_the_earlier_value_stays_as_it_is():
    before = {"counts": {"7": 1}}
    changed(before, {"counts": {"7": 2, "8": [1, 0]}})
    assert before == {"counts": {"7": 1}}


@pytest.mark.parametrize("change", [{"counts": {"9": None}}, {"counts": 1}, {"new": 3}, "text", []])
def test_a_change_that_does_not_fit_is_an_error(change):
    with pytest.raises((ValueError, TypeError, LookupError, AttributeError)):
        changed({"counts": {"7": 1}}, change)
