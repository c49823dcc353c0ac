"""Which pod stands out: named when it is beyond chance for all pods together, never on a fair balancer's scatter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scale_app.domain.chance import residuals


def test_residuals_are_in_standard_deviations_of_chance() -> None:
    z, _ = residuals([60, 40], None, 100)
    assert z.tolist() == pytest.approx([2.0, -2.0])


def test_fewer_effective_picks_make_the_same_gap_less_remarkable() -> None:
    z, outlier = residuals([600, 400], None, 10)
    assert z.tolist() == pytest.approx([0.632, -0.632], abs=1e-3)
    assert not outlier.any()


def test_the_hot_and_the_starved_pod_are_named() -> None:
    _, outlier = residuals([100, 100, 100, 180, 100, 20], None, 600)
    assert outlier.tolist() == [False, False, False, True, False, True]


def test_expected_shares_are_what_a_pod_is_measured_by() -> None:
    z, outlier = residuals([500, 1000, 1000], [1, 2, 2], 2500)
    assert z.tolist() == pytest.approx([0, 0, 0], abs=1e-9)
    assert not outlier.any()


def test_among_many_pods_three_standard_deviations_are_not_enough() -> None:
    requests = [1000] * 999 + [1110]
    z, outlier = residuals(requests, None, None)
    assert z[-1] > 3
    assert not outlier.any()


def test_one_pod_of_ten_thousand_fair_ones_is_rarely_named() -> None:
    rng = np.random.default_rng(4)
    named = sum(residuals(rng.multinomial(50_000, [1e-4] * 10_000).tolist())[1].any() for _ in range(40))
    assert named <= 2


@pytest.mark.parametrize("n_eff", [0.0, -1.0, float("nan")])
def test_no_pick_names_no_pod(n_eff: float) -> None:
    z, outlier = residuals([100, 0], None, n_eff)
    assert not z.any()
    assert not outlier.any()


@given(
    st.lists(st.integers(0, 10**9), max_size=30),
    st.none() | st.lists(st.floats(), max_size=30),
    st.none() | st.floats(),
)
def test_every_input_has_finite_residuals(
    requests: list[int], expected: list[float] | None, n_eff: float | None
) -> None:
    z, outlier = residuals(requests, expected, n_eff)
    assert z.shape == outlier.shape == (len(requests),)
    assert np.isfinite(z).all()
