"""The table of pods: complete up to sixty, the ends of the order above, unknown values last."""

from dataclasses import replace

import pytest

from scale_app.views.pod_table import COLUMNS, ENDS_OF_MANY, OUTLIER, pod_table
from tests.unit.ui.samples import pods


def column(table, name):
    return [row[list(COLUMNS).index(name)] for row in table.plain()]


def test_only_outliers_are_marked_and_not_by_colour_alone():
    table = pod_table(pods(300, 100, 90, outliers={0, 2}))
    assert [row[OUTLIER] for row in table.plain()] == ["over", "", "under"]
    assert column(table, "state") == ["▲ Above fair", "Within chance", "▼ Below fair"]


def test_a_column_sorts_both_ways():
    row = pods(3, 30, 20)
    assert column(pod_table(row, "requests", descending=True), "requests") == ["30", "20", "3"]
    assert column(pod_table(row, "requests"), "requests") == ["3", "20", "30"]


@pytest.mark.parametrize("descending", [True, False])
def test_what_is_unknown_stands_last_whichever_way(descending):
    first, second, third = pods(1, 2, 3)
    row = (replace(first, cpu_cores=None), replace(second, cpu_cores=0.25), replace(third, cpu_cores=12.0))
    table = pod_table(row, "cpu", descending)
    assert column(table, "cpu")[-1] == "–"
    assert sorted(column(table, "cpu")[:2]) == ["12.0", "250m"]
    assert table.cpu


def test_sixty_pods_are_all_listed_and_more_by_their_ends():
    assert len(pod_table(pods(*range(1, 61))).rows) == 60
    many = pod_table(pods(*range(1, 201)))
    assert len(many.rows) == 2 * ENDS_OF_MANY
    assert (column(many, "requests")[0], column(many, "requests")[-1]) == ("200", "1")
    assert many.note == "200 ready of 200; the 20 busiest and the 20 idlest are listed"


def test_pods_are_called_ready_only_where_that_is_known():
    assert pod_table(pods(3, 4)).note == "2 ready of 2"
    assert pod_table(pods(3, 4), roster_known=False).note == "2 that answered"


def test_the_ends_are_those_of_the_order_asked_for():
    row = [replace(pod, failures=i) for i, pod in enumerate(pods(*range(1, 201)))]
    table = pod_table(row, "failures", descending=True)
    assert (column(table, "failures")[0], column(table, "failures")[-1]) == ("199", "0")
    assert "of this order" in table.note


def test_every_row_holds_plain_texts_only():
    table = pod_table(pods(*range(70)))
    assert {type(cell) for row in table.plain() for cell in row} == {str}
    assert {len(row) for row in table.plain()} == {OUTLIER + 1}


def test_no_pod_is_an_empty_table():
    assert pod_table(()).rows == []
