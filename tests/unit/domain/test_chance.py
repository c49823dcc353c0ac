"""The distributions behind the verdict, against scipy's slow exact ones and against enumeration."""

import math

import numpy as np
import pytest
from scipy.stats import binom, ncx2

from scale_app.domain.chance import (
    bound_above,
    chance_below,
    deciding_picks,
    exact_p,
    noncentral_cdf,
    noncentrality_bound,
)
from scale_app.domain.picks import picks_of

TO_THE_END = 2.0  # no p-value is so large, so that the test never ends early


@pytest.mark.parametrize("df", [1, 4, 19, 199, 9_999])
@pytest.mark.parametrize("noncentrality", [0.0, 3.0, 1e3, 9e3, 1.1e4, 1e6])
@pytest.mark.parametrize("deviations", [-2.0, 0.0, 2.0])
def test_the_fast_noncentral_chi_square_is_the_exact_one(df: int, noncentrality: float, deviations: float) -> None:
    t = max(0.01, df + noncentrality + deviations * math.sqrt(2 * df + 4 * noncentrality))
    exact = float(ncx2.cdf(t, df, noncentrality)) if noncentrality else noncentral_cdf(t, df, 0.0)
    assert noncentral_cdf(t, df, noncentrality) == pytest.approx(exact, abs=1e-5)


@pytest.mark.parametrize("df", [1, 4, 199, 9_999])
@pytest.mark.parametrize("t", [5.0, 900.0, 2e4, 1e7, 1e11])
def test_a_bound_gives_its_probability(df: int, t: float) -> None:
    for probability in (0.975, 0.025):
        bound = noncentrality_bound(t, df, probability)
        reached = noncentral_cdf(t, df, bound)
        assert reached == pytest.approx(probability, abs=1e-4) or (bound == 0.0 and reached <= probability)


def t_of_two(one: int, total: int) -> float:
    return (2 * one - total) ** 2 / total


@pytest.mark.parametrize("one", [50, 46, 40])
def test_the_exact_test_agrees_with_enumeration_for_two_pods(one: int) -> None:
    picks, halves = picks_of(100, {1: 100}), np.array([0.5, 0.5])
    above = exact_p(t_of_two(one, 100), halves, picks, upper=True, alpha=TO_THE_END)
    below = exact_p(t_of_two(one, 100), halves, picks, upper=False, alpha=TO_THE_END)
    assert above == pytest.approx(2 * binom.cdf(one, 100, 0.5) if one < 50 else 1.0, abs=0.04)
    assert below == pytest.approx(1 - 2 * binom.cdf(one - 1, 100, 0.5), abs=0.04)


@pytest.mark.parametrize("loads", [{3: 40}, {1: 30, 2: 30, 50: 4}])
def test_dealing_by_hand_and_by_group_agree(loads: dict[int, int]) -> None:
    total = sum(carried * count for carried, count in loads.items())
    picks = picks_of(total, loads)
    # Nearly equal shares take the way by group, equal ones that by hand.
    equal, nearly = np.full(8, 1 / 8), np.array([1.0001] + [1.0] * 7) / 8.0001
    by_hand = exact_p(9.0, equal, picks, upper=True, alpha=TO_THE_END)
    otherwise = exact_p(9.0, nearly, picks, upper=True, alpha=TO_THE_END)
    assert by_hand == pytest.approx(otherwise, abs=0.06)


def test_the_exact_test_deals_by_expected_share() -> None:
    picks, shares = picks_of(300, {1: 300}), np.array([0.1, 0.2, 0.7])
    p = exact_p(2.0, shares, picks, upper=True, alpha=TO_THE_END)
    assert p == pytest.approx(math.exp(-1), abs=0.05)  # P(chi2 with 2 degrees >= 2)


def test_the_exact_test_declines_what_it_cannot_afford() -> None:
    picks = picks_of(10**6, dict.fromkeys(range(1, 140), 100))
    assert exact_p(1.0, np.full(200, 1 / 200), picks, upper=True, alpha=0.001) is None


@pytest.mark.parametrize(("pods", "n"), [(2, 50), (2, 5_000), (3, 60)])
def test_the_room_for_whole_numbers_is_at_least_the_chance_of_an_exact_match(pods: int, n: int) -> None:
    multinomial = math.lgamma(n + 1) - pods * math.lgamma(n / pods + 1) - n * math.log(pods)
    assert chance_below(0.0, np.full(pods, 1 / pods), n) >= math.exp(multinomial) * 0.99


def test_the_simple_bound_is_above_the_exact_chance() -> None:
    picks, shares = picks_of(100, {1: 100}), np.full(20, 1 / 20)
    for t in (25.0, 32.0, 40.0):
        exact = exact_p(t, shares, picks, upper=True, alpha=TO_THE_END)
        assert exact is not None
        assert bound_above(t, shares, 100.0) >= exact


def test_a_perfect_balancer_over_five_pods_needs_some_eighteen_thousand_picks() -> None:
    assert deciding_picks(0.0, 0.025, 4, 100.0) == pytest.approx(18_000, rel=0.05)


def test_nobody_waits_for_what_can_never_be_decided() -> None:
    assert deciding_picks(0.025, 0.025, 4, 100.0) is None
    assert deciding_picks(0.02501, 0.025, 4, 100.0) is None
    assert deciding_picks(0.3, 0.025, 4, 1e9) is None
