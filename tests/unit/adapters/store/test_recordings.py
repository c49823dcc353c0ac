"""The lines of a recording as they are kept: small, in order, and readable whatever was written again."""

import zlib
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from scale_app.adapters.store.recordings import LineReader, Written, changed, difference
from scale_app.codec import from_wire, to_json, to_wire
from scale_app.domain.histogram import Histogram
from scale_app.domain.recording import Recorded
from scale_app.domain.samples import PodCount
from tests.recorded import whole_run

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


LINES = whole_run().recording


def read(bodies):
    reading = LineReader()
    return tuple(from_wire(Recorded, reading.take(body)) for body in bodies)


def test_lines_come_back_as_they_were_however_they_were_cut_into_batches():
    for size in (1, 2, 5, len(LINES)):
        bodies, written = [], Written()
        for first in range(0, len(LINES), size):
            made, written = written.and_then(first, LINES[first : first + size])
            bodies.extend(made)
        assert read(bodies) == LINES


def test_lines_that_do_not_follow_what_was_written_are_kept_whole():
    first, written = Written().and_then(0, LINES[:5])
    again, _ = Written().and_then(5, LINES[5:])
    late, _ = written.and_then(7, LINES[7:])
    assert read([*first, *again]) == LINES
    assert read(late) == LINES[7:]


def test_a_batch_may_be_written_again_with_more_behind_it():
    first, _ = Written().and_then(0, LINES[:6])
    again, _ = Written().and_then(0, LINES)
    assert read([*first, *again[6:]]) == LINES


def test_lines_of_versions_that_kept_each_whole_are_read():
    assert read([zlib.compress(to_json(line), level=1) for line in LINES]) == LINES


@pytest.mark.parametrize(
    "body", [b"no zlib", zlib.compress(b"no JSON"), zlib.compress(b'["traffic", {}]'), zlib.compress(b"[]")]
)
def test_a_line_that_cannot_be_read_is_an_error(body):
    with pytest.raises(ValueError, match="a line of a recording cannot be read"):
        LineReader().take(body)
