"""The lines of a recording as they are kept: small, in order, and readable whatever was written again."""

import zlib

import pytest

from scale_app.adapters.store.lines import Reading, Written
from scale_app.codec import from_wire, to_json
from scale_app.domain.recording import Recorded
from tests.recorded import whole_run

LINES = whole_run().recording


def read(bodies):
    reading = Reading()
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
        Reading().take(body)
