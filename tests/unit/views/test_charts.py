"""Pods by time: each row's name for the read-out, and every colour in words."""

import json
from dataclasses import replace

import numpy as np
import pytest

from scale_app.domain.pod_history import PodTimes
from scale_app.pictures.heat import COLOURS, MOST_ROWS
from scale_app.views.charts import CLASSES, heat, shares
from tests.unit.ui.samples import pods as seen_pods
from tests.unit.ui.samples import snapshot


def shown(*names):
    even = np.full((len(names), 12), 100.0)
    return heat(PodTimes(names, 1.0, even, even), [], 12.0, False)


def numbered(pods):
    return [f"api-7d9c6b5f4-{at:05d}" for at in range(pods)]


@pytest.mark.parametrize("pods", [2, 17, 61, MOST_ROWS])
def test_each_row_can_be_read_out_by_its_pods_name(pods):
    told = shown(*numbered(pods))
    assert told.rows.split("\n") == [f"{at:05d}" for at in range(pods)]
    assert told.names == (told.rows.split("\n") if pods <= 16 else [])


def test_a_row_of_several_pods_has_the_firsts_name_and_says_how_many_more():
    rows = [row.partition("\t") for row in shown(*numbered(2 * MOST_ROWS + 1)).rows.split("\n")]
    assert (len(rows), rows[0][0]) == (MOST_ROWS, "00000")
    assert sum(1 + int(more) for _, _, more in rows) == 2 * MOST_ROWS + 1


def test_a_name_made_up_by_a_target_takes_one_row():
    assert shown("a\nb\t7", "c").rows == "a b 7\nc"


def test_the_read_out_can_tell_every_colour_from_the_others():
    classes = json.loads(CLASSES)
    assert len(classes) == len({(each["opacity"], each["blue"]) for each in classes}) == len(COLOURS)


@pytest.mark.parametrize(
    ("expected", "caption"),
    [
        ((100.0, 100.0, 102.0), "Dashed: fair share, 33.3\u202f% for each of 3 pods"),
        ((30.0, 30.0, 10.0), "Dashed: the fair share of each pod"),
        ((300.0,), "Dashed: fair share, 100.0\u202f% for the one pod"),
    ],
)
def test_the_caption_tells_of_one_fair_share_only_where_all_have_it(expected, caption):
    pods = tuple(replace(pod, expected=due) for pod, due in zip(seen_pods(*expected), expected, strict=True))
    assert shares(replace(snapshot(), pods=pods)).caption == caption
