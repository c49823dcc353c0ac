"""History and score as pictures."""

import math

import pytest

from scale_app.domain.balance import balance
from scale_app.domain.snapshot import Point
from scale_app.domain.verdict import Verdict, VerdictKind
from scale_app.pictures.balance import gauge, scale_bar
from scale_app.pictures.times import times_picture


def point(second, **more):
    figures = {
        "score": 0.9,
        "recent_score": None,
        "requests_per_s": 100.0,
        "failures_per_s": 0.0,
        "p50_ms": 5.0,
        "p95_ms": 20.0,
        "p99_ms": None,
        "users": 10,
    }
    return Point(elapsed_s=float(second), **(figures | more))


def test_an_empty_history_has_axes_and_no_lines():
    picture = times_picture([], 60.0, active=True)
    assert [picture.paths[name] for name in ("score", "requests", "p95")] == ["", "", ""]
    assert picture.time_marks
    assert picture.rate_marks


def test_figures_that_are_not_known_are_not_drawn():
    picture = times_picture([point(1), point(2)], 60.0, active=True)
    assert picture.paths["score"].startswith("M33 100L67 100")
    assert (picture.paths["recent_score"], picture.paths["p99"]) == ("", "")


def test_failures_are_drawn_only_when_there_were_any():
    assert times_picture([point(1), point(2)], 60.0, active=True).paths["failures"] == ""
    assert times_picture([point(1), point(2, failures_per_s=3.0)], 60.0, active=True).paths["failures"] != ""


def test_latencies_share_one_axis():
    picture = times_picture([point(1, p99_ms=180.0)], 60.0, active=True)
    assert picture.latency_marks[-1].value >= 180


@pytest.mark.parametrize("score", [None, math.nan])
def test_without_a_score_the_gauge_is_empty(score):
    assert gauge(score) == ""


@pytest.mark.parametrize(("score", "end"), [(1.0, "188.00 100.00"), (0.5, "100.00 12.00"), (7.0, "188.00 100.00")])
def test_the_gauge_ends_at_the_score(score, end):
    assert gauge(score).endswith(end)


def test_a_score_of_zero_is_still_seen():
    assert gauge(0.0) != ""


def test_the_scale_shows_what_is_known():
    bar = scale_bar(balance([10, 10]), Verdict(VerdictKind.UNDECIDED, "", noise_score=0.4))
    assert (bar.dot, bar.low, bar.high, bar.chance) == (100, None, None, pytest.approx(40))
    assert bar.threshold == pytest.approx(95)
