"""A score as small as a word."""

from scale_app.pictures.times import SPARK_POINTS, sparkline
from tests.unit.pictures.test_times_and_gauge import point


def test_it_fills_the_box_from_the_start_to_the_end():
    assert sparkline([point(0, recent_score=0.0), point(10, recent_score=1.0)]) == "M0 1000L1000 0"


def test_without_a_score_there_is_nothing_to_draw():
    assert sparkline([]) == ""
    assert sparkline([point(0), point(1)]) == ""


def test_a_short_dip_in_a_long_run_stays_and_the_path_stays_short():
    points = [point(second, recent_score=0.1 if second == 1_234 else 0.9) for second in range(3_600)]
    path = sparkline(points)
    assert " 900L" in path
    assert path.count("L") < SPARK_POINTS
