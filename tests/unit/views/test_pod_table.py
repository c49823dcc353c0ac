"""The table of pods: rows for reports, what the page is sent, and the words of rows, which are the verdict's."""

from dataclasses import replace

import pytest

from scale_app.domain.verdict import Verdict, VerdictKind
from scale_app.views.pod_state import judged_pods, outlier_side
from scale_app.views.pod_table import COLUMNS, by_share_if_many, pod_table, pods_sent
from tests.unit.ui.samples import pods, snapshot

EVEN, UNEVEN, UNDECIDED = VerdictKind.EVEN, VerdictKind.UNEVEN, VerdictKind.UNDECIDED


def judged(kind, row, **verdict):
    return replace(snapshot(), pods=tuple(row), verdict=Verdict(kind, "", **verdict))


def sides(shot):
    return [outlier_side(pod) for pod in judged_pods(shot)]


def lines(row):
    return dict(zip([*COLUMNS, "nodes"], pods_sent(row).split("\n"), strict=True))


def test_only_outliers_are_marked_and_not_by_colour_alone():
    rows = pod_table(judged(UNEVEN, pods(300, 100, 90, outliers={0, 2}))).rows
    assert [row.outlier for row in rows] == ["over", "", "under"]
    assert [row.state for row in rows] == ["▲ Above fair", "Within chance", "▼ Below fair"]


@pytest.mark.parametrize(
    ("kind", "p_uneven", "marked"),
    [(EVEN, 0.4, ["", ""]), (EVEN, None, ["", ""]), (EVEN, 1e-6, ["over", ""]), (UNDECIDED, 0.4, ["over", ""])],
)
def test_no_row_stands_out_where_the_verdict_says_that_all_are_within_chance(kind, p_uneven, marked):
    assert sides(judged(kind, pods(120, 100, outliers={0}), p_uneven=p_uneven)) == marked


def test_the_pod_that_an_uneven_verdict_names_stands_out():
    first, second, third = pods(90, 100, 111)
    row = replace(first, residual=-2.8), replace(second, residual=0.1), replace(third, residual=2.7)
    assert sides(judged(UNEVEN, row)) == ["under", "", ""]


def test_a_pod_that_does_not_answer_says_so_where_the_verdict_does():
    first, second = pods(100, 0)
    row = replace(first, residual=9.0), replace(second, residual=-2.0, unanswered=70)
    assert [each.state for each in pod_table(judged(UNEVEN, row)).rows] == ["Within chance", "▼ No answer"]
    assert [each.state for each in pod_table(judged(UNDECIDED, row)).rows] == ["Within chance", "Within chance"]


def test_a_pod_that_is_not_ready_says_that_first():
    first, second = pods(300, 100, outliers={0})
    rows = pod_table(judged(UNEVEN, (replace(first, ready=False), second))).rows
    assert [(row.state, row.outlier) for row in rows] == [("Not ready", "over"), ("Within chance", "")]


def test_all_pods_are_listed_and_of_many_the_busiest_first():
    few, many = pod_table(judged(EVEN, pods(*range(1, 61)))), pod_table(judged(EVEN, pods(*range(1, 501))))
    assert [row.requests for row in few.rows] == [str(n) for n in range(1, 61)]
    assert [row.requests for row in many.rows] == [str(n) for n in range(500, 0, -1)]
    assert many.note == "500 ready of 500"


def test_pods_are_called_ready_only_where_that_is_known():
    shot = judged(EVEN, pods(3, 4))
    assert pod_table(replace(shot, roster_known=False)).note == "2 that answered"


def test_the_page_is_sent_names_by_what_they_do_not_have_in_common():
    first, second, third = pods(1, 2, 3)
    row = (replace(first, node="a"), replace(second, node="b"), replace(third, name="other\tname", node="a"))
    sent = lines(row)
    assert sent["name"] == "0 api-7d9c6b5f4-p0000\t18 1\t0 other name"
    assert (sent["node"], sent["nodes"]) == ("0,1,0", "a\tb")


def test_the_page_is_sent_figures_by_column_and_nothing_of_a_column_that_is_not_known():
    first, second = pods(300, 100, outliers={0})
    row = replace(first, p95_ms=9.14, requests_per_s=1234.0), replace(second, p95_ms=None, cpu_cores=0.25)
    sent = lines(row)
    assert (sent["requests"], sent["against"], sent["state"]) == ("300,100", "500,-500", "o,w")
    assert (sent["p95"], sent["rate"], sent["cpu"], sent["share"]) == ("9.1,", "1234,10", ",250", "")
    assert lines(pods(1, 2))["cpu"] == ""


def test_five_hundred_pods_are_sent_in_less_than_forty_bytes_each():
    assert len(pods_sent(by_share_if_many(pods(*range(1_000, 1_500))))) < 40 * 500


def test_no_pod_is_an_empty_table():
    assert pod_table(None).rows == pod_table(judged(EVEN, ())).rows == []
    assert pods_sent(()) == ""
