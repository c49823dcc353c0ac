"""Pods by time as an image: what each colour says, and that size does not matter."""

import base64
import struct
import zlib

import numpy as np
import pytest

from scale_app.domain.pod_history import PodSpans, PodTimes
from scale_app.pictures.heat import COLOURS, MOST_ROWS, NOT_THERE, STEPS, heat_picture

EVEN = 4


def cells(image):
    """The indices of a PNG as this module writes it, shape (rows, columns)."""
    png = base64.b64decode(image.removeprefix("data:image/png;base64,"))
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    begin = png.index(b"IDAT")
    (length,) = struct.unpack(">I", png[begin - 4 : begin])
    lines = np.frombuffer(zlib.decompress(png[begin + 4 : begin + 4 + length]), np.uint8)
    return lines.reshape(height, width + 1)[:, 1:]


def times(requests, expected, span_s=1.0):
    requests, expected = np.array(requests, float), np.array(expected, float)
    return PodTimes(tuple(f"pod-{i:04d}" for i in range(len(requests))), span_s, requests, expected)


def test_a_pod_is_a_row_and_a_span_is_a_column():
    picture = heat_picture(times([[100, 100], [400, 10]], [[100, 100], [100, 100]]))
    assert cells(picture.image).tolist() == [[EVEN, EVEN], [len(STEPS), 0]]
    assert (picture.names, picture.held) == (("pod-0000", "pod-0001"), (1, 1))
    assert (picture.columns, picture.width_s) == (2, 2.0)


def test_a_pod_without_a_share_to_get_is_left_blank():
    picture = heat_picture(times([[0, 90], [100, 100]], [[0, 100], [100, 100]]))
    assert cells(picture.image)[0].tolist() == [NOT_THERE, EVEN]
    assert COLOURS[NOT_THERE][3] == 0


@pytest.mark.parametrize(("ratio", "index"), [(0.1, 0), (0.4, 1), (0.6, 2), (0.8, 3), (1, 4), (1.2, 5), (3, 7), (9, 8)])
def test_strength_grows_with_the_distance(ratio, index):
    assert cells(heat_picture(times([[ratio * 100]], [[100]])).image).tolist() == [[index]]


def test_few_requests_a_cell_become_longer_spans_so_that_chance_does_not_paint():
    few = heat_picture(times(np.ones((5, 120)), np.ones((5, 120)), span_s=2.0))
    assert (few.columns, few.span_s) == (12, 20.0)
    assert (cells(few.image) == EVEN).all()


def test_many_pods_stand_by_share_and_a_row_may_hold_several():
    busy = np.linspace(10, 400, 1_000)[:, None] * np.ones((1, 30))
    picture = heat_picture(times(busy, np.full((1_000, 30), 205.0)))
    painted = cells(picture.image)
    assert painted.shape == (MOST_ROWS, 30)
    assert painted[0, 0] > EVEN > painted[-1, 0]
    assert picture.sorted_by_share
    assert (picture.names[:2], picture.names[-1], set(picture.held)) == (("pod-0999", "pod-0995"), "pod-0003", {4})
    assert len(picture.image) < 15_000


def test_the_newest_column_is_counted():
    picture = heat_picture(times([[100, 300], [100, 20], [100, 100]], np.full((3, 2), 100)))
    assert (picture.over, picture.under) == (1, 1)


@pytest.mark.parametrize("nothing", [PodSpans().times, times([[]], [[]])])
def test_nothing_counted_is_no_picture(nothing):
    assert heat_picture(nothing).image == ""
