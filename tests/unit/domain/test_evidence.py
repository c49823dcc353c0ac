"""Evidence that may be looked at any time: its formulas against slow sums, its promise against made-up balancers."""

import math

import numpy as np
import pytest
from scipy.special import gammaln

from scale_app.domain.balance import CV_THRESHOLD
from scale_app.domain.evidence import (
    LARGE,
    deciding_picks,
    highest_cv,
    log_0f1,
    log_dirichlet,
    log_even,
    log_of_pods,
    log_one_pod,
    log_spread,
    log_uneven,
    lowest_cv,
)
from scale_app.domain.judgement import EVEN_FROM, UNEVEN_FROM

LOG_EVEN_FROM, LOG_UNEVEN_FROM = math.log(EVEN_FROM), math.log(UNEVEN_FROM)


@pytest.mark.parametrize("df", [1, 2, 3, 4, 19, 61, 63, 199, 9_999])
@pytest.mark.parametrize("x", [0.0, 1e-8, 1e-3, 1.0, 50.0, 1e4, 1e7])
def test_the_limit_function_is_its_series(df: int, x: float) -> None:
    j = np.arange(int(20 + 4 * math.sqrt(x) + 2 * math.sqrt(df)))
    terms = j * math.log(x / 4) - gammaln(j + 1) - gammaln(df / 2 + j) + gammaln(df / 2) if x else np.zeros(1)
    series = float(np.logaddexp.reduce(terms))
    assert float(log_0f1(df, np.array(x))) == pytest.approx(series, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("weights", [[1, 1, 1], [1, 2, 5]])
def test_exact_ratios_have_a_mean_of_one_under_the_fair_shares(weights: list[int]) -> None:
    """Over all ways in which seven picks can go to three pods."""
    fair = np.array(weights) / sum(weights)
    mean = np.zeros(2)
    for a in range(8):
        for b in range(8 - a):
            counts = np.array([a, b, 7 - a - b])
            log_p = gammaln(8) - gammaln(counts + 1).sum() + float(counts @ np.log(fair))
            pods = log_of_pods(counts / 7, fair, 7.0)
            nearest = np.exp(pods).mean()
            mean += math.exp(log_p) * np.array([math.exp(log_dirichlet(counts / 7, fair, 7.0)), nearest])
    assert mean[0] == pytest.approx(1.0, abs=1e-9)
    assert mean[1] <= 1.0  # against the nearest share that still counts as even, which is dearer


def test_the_more_a_pod_differs_the_more_evidence_there_is() -> None:
    fair = np.full(5, 0.2)
    spread = [log_uneven(np.array([0.2 + d, *([0.2 - d / 4] * 4)]), fair, 300.0) for d in (0.0, 0.05, 0.1, 0.3)]
    assert spread == sorted(spread)
    assert spread[0] < 0
    assert spread[-1] > math.log(1e6)


def test_a_starved_pod_is_seen_by_its_own_ratio_long_before_the_chi_square_sees_it() -> None:
    parts, fair = np.array([0.0, *([0.25] * 4)]), np.full(5, 0.2)
    assert log_one_pod(parts, fair, 50.0) > log_spread(parts, fair, 50.0) + 2


def test_a_pod_within_the_threshold_is_no_evidence_however_many_picks_there_are() -> None:
    """Of 200 pods one may be a third above the others, and the score is still 0.95."""
    fair = np.full(200, 1 / 200)
    parts = fair.copy()
    parts[0] *= 1 + 0.99 * CV_THRESHOLD * math.sqrt(199)
    parts[1:] *= (1 - parts[0]) / parts[1:].sum()
    assert log_uneven(parts, fair, 1e7) < 0


def test_the_bounds_are_where_the_evidence_turns() -> None:
    n, df = 3_000.0, 19
    t = n * 0.3**2 + df
    low, high = lowest_cv(n, t, df, LOG_UNEVEN_FROM), highest_cv(n, t, df, LOG_EVEN_FROM)
    assert 0.2 < low < 0.3 < high < 0.42
    assert lowest_cv(200.0, 4.0, 4, LOG_UNEVEN_FROM) == 0.0
    assert highest_cv(1e6, 4.0, 4, LOG_EVEN_FROM) < CV_THRESHOLD


@pytest.mark.parametrize(("pods", "median"), [(2, 12_800), (5, 19_200), (20, 31_600), (50, 46_400)])
def test_what_is_expected_to_decide_is_what_half_of_the_fair_balancers_take(pods: int, median: float) -> None:
    """Medians by simulation, a look after every 400 picks."""
    needed = deciding_picks(0.0, pods - 1, 50.0, LOG_EVEN_FROM, LOG_UNEVEN_FROM)
    assert needed == pytest.approx(median, rel=0.1)


def test_nobody_waits_for_what_is_at_the_threshold() -> None:
    assert deciding_picks(CV_THRESHOLD, 4, 50.0, LOG_EVEN_FROM, LOG_UNEVEN_FROM) is None
    assert deciding_picks(0.3, 4, 1e9, LOG_EVEN_FROM, LOG_UNEVEN_FROM) is None
    assert deciding_picks(0.3, 4, 5_000.0, LOG_EVEN_FROM, LOG_UNEVEN_FROM) == 5_000.0


def test_a_little_unevenness_can_be_shown_to_be_little() -> None:
    for cv in (0.0, 0.01, 0.018):
        assert log_even(300_000.0, 4 + 300_000 * cv**2, 4) > LOG_EVEN_FROM
    assert log_even(300_000.0, 4 + 300_000 * CV_THRESHOLD**2, 4) < 0


LOOKS = 300


def _ever(shares: list[float], per_look: int, trials: int, seed: int) -> tuple[float, float]:
    """Shares of trials that are ever uneven, ever even, looked at LOOKS times."""
    rng, fair = np.random.default_rng(seed), np.full(len(shares), 1 / len(shares))
    uneven = even = 0
    for _ in range(trials):
        counts = rng.multinomial(per_look, shares, size=LOOKS).cumsum(axis=0)
        n = per_look * np.arange(1, LOOKS + 1.0)
        t = (((counts - n[:, None] * fair) ** 2) / fair).sum(axis=1) / n
        uneven += any(log_uneven(c / m, fair, m) >= LOG_UNEVEN_FROM for c, m in zip(counts, n.tolist(), strict=True))
        even += any(log_even(m, x, fair.size - 1) >= LOG_EVEN_FROM for m, x in zip(n.tolist(), t.tolist(), strict=True))
    return uneven / trials, even / trials


@pytest.mark.parametrize(("pods", "per_look"), [(2, 1), (5, 3), (20, 20), (200, 5)])
def test_a_fair_balancer_is_hardly_ever_uneven_at_any_of_three_hundred_looks(pods: int, per_look: int) -> None:
    assert _ever([1 / pods] * pods, per_look, 60, pods)[0] <= 0.05  # 1 % is promised; of 60, three are scatter


def test_one_at_the_threshold_is_hardly_ever_even() -> None:
    shares = [0.2 * (1 + CV_THRESHOLD * 2), *([0.2 * (1 - CV_THRESHOLD / 2)] * 4)]
    assert _ever(shares, 150, 60, 7)[1] <= 0.12  # 5 % is promised


@pytest.mark.parametrize("df", [2, 3, 30, 60])
def test_a_bessel_function_of_a_huge_figure_goes_on_where_the_exact_one_ends(df: int) -> None:
    below, above = log_0f1(df, np.array([LARGE**2 * (1 - 1e-9), LARGE**2 * (1 + 1e-9)]))
    assert below == pytest.approx(above, abs=0.02)
    assert np.isfinite(log_0f1(df, np.array([1e20, 1e40]))).all()
