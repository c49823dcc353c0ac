"""The short form of `make calibrate`: a few telling cells, seeded, with room for their scatter."""

import json
from dataclasses import asdict

import pytest

from tests.bench import calibrate_looks
from tests.bench.calibrate import Case, breaks_a_bound, cases, long_run_shares, measure
from tests.bench.calibrate_looks import Watched
from tests.bench.calibration_table import page

SCATTER = 0.03  # of a rate near 5 % in 200 trials, twice its standard deviation

FAIR = [
    Case(pods, connections, "random", 0.0, load, 200)
    for pods, connections, load in (
        (2, 50, "one each"),
        (5, 50, "poisson"),
        (20, 500, "heavy tail"),
        (200, 5, "one each"),
        (200, 500, "poisson"),
    )
]
UNEVEN = [
    Case(2, 500, "spread", 0.3, "one each", 200),
    Case(5, 50, "hot pod", 0.5, "one each", 200),
    Case(20, 5_000, "hot pod", 0.3, "one each", 200),
    Case(200, 500, "hot pod", 0.5, "one each", 200),
    Case(5, 50_000, "spread", 0.03, "one each", 200),
]
REGULAR = [
    Case(2, 50, "round robin", 0.0, "one each", 20),
    Case(20, 500, "least connections", 0.0, "one each", 20),
    Case(20, 500, "weighted round robin", 0.05, "one each", 20),
]


@pytest.mark.parametrize("case", [*FAIR, *UNEVEN, *REGULAR], ids=str)
def test_the_verdict_errs_no_more_than_promised(case: Case) -> None:
    cell = measure(case, seed=0)
    assert cell.false_uneven <= 0.05 + SCATTER
    assert cell.false_even <= 0.05 + SCATTER
    assert cell.coverage >= 0.93 - SCATTER


@pytest.mark.parametrize(
    ("what", "least_even"),
    [
        (Watched("fair", 5, 10, 200, 40), 0.0),
        (Watched("fair", 5, 1_000, 60, 20), 0.9),
        (Watched("edge", 2, 1_000, 60, 40), 0.0),
    ],
    ids=str,
)
def test_the_verdict_that_is_watched_is_hardly_ever_wrong_at_any_look(what: Watched, least_even: float) -> None:
    ever = calibrate_looks.measure(what)
    assert not calibrate_looks.breaks_its_bound(asdict(ever))
    assert ever.ever_even >= least_even


def test_the_page_tells_of_runs_that_were_wrong_at_some_look() -> None:
    cell = asdict(calibrate_looks.measure(Watched("fair", 2, 10, 20, 10)))
    assert calibrate_looks.breaks_its_bound({**cell, "ever_wrong": 0.2})
    assert "Rows that break it: **1**" in page([], [{**cell, "ever_wrong": 0.2}], 1.0)


def test_a_clear_unevenness_is_found() -> None:
    assert measure(Case(5, 5_000, "hot pod", 0.3, "one each", 50), seed=0).uneven == 1.0


def test_enough_connections_prove_a_fair_balancer() -> None:
    assert measure(Case(5, 50_000, "random", 0.0, "one each", 50), seed=0).even >= 0.9


def test_every_case_has_the_true_cv_that_it_claims() -> None:
    for case in cases():
        shares = long_run_shares(case)
        assert shares.min() > 0, case
        assert shares.sum() == pytest.approx(1), case
        assert shares.std() / shares.mean() == pytest.approx(case.true_cv, abs=1e-9), case


def test_the_page_tells_of_a_broken_bound() -> None:
    good = measure(FAIR[0], seed=0)
    cells = [json.loads(json.dumps({**{name: getattr(good, name) for name in good.__slots__}, "coverage": 0.5}))]
    assert breaks_a_bound(cells[0])
    text = page(cells, [], 1.0)
    assert "Cells that break it: **1**" in text
    assert "Rows that break it: **0**" in text
    assert "| 2 | 50 | 1 |" in text
