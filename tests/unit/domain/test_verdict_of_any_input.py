"""Whatever is counted has a verdict: no figure that is none, one that agrees with its interval, and soon enough."""

import math
import time
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scale_app.domain.balance import balance
from scale_app.domain.picks import kept
from scale_app.domain.verdict import VerdictKind, judge
from tests.unit.domain.verdicts import fair, numbers, one_each

some_loads = st.none() | st.dictionaries(st.integers(-2, 10**6), st.integers(-2, 10**6), max_size=8)


@settings(max_examples=150)
@given(
    st.lists(st.integers(-3, 10**9), max_size=25),
    some_loads,
    st.floats(),
    st.none() | st.lists(st.floats(), max_size=25),
    st.booleans(),
)
def test_every_input_has_a_verdict_without_nan(
    requests: list[int],
    loads: dict[int, int] | None,
    coverage: float,
    expected: list[float] | None,
    switched: bool,
) -> None:
    verdict = judge(requests, loads, coverage, expected, switched)
    assert all(map(math.isfinite, numbers(verdict)))
    assert verdict.sentence.endswith(".")


@settings(max_examples=150)
@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=25).filter(any), some_loads)
def test_the_verdict_agrees_with_its_interval(requests: list[int], loads: dict[int, int] | None) -> None:
    verdict = judge(requests, loads, 1.0)
    assert verdict.cv_low is not None
    assert verdict.cv_high is not None
    assert verdict.long_run_cv is not None
    assert 0 <= verdict.cv_low <= verdict.long_run_cv + 1e-6
    assert verdict.long_run_cv <= verdict.cv_high + 1e-6
    assert (verdict.kind is VerdictKind.EVEN) == (verdict.score_low is not None and verdict.score_low >= 0.95)
    assert (verdict.picks_to_decide is None) or verdict.kind is VerdictKind.UNDECIDED


@settings(max_examples=60)
@given(st.lists(st.integers(0, 1_000), min_size=2, max_size=12).filter(any), st.randoms(use_true_random=False))
def test_the_order_of_pods_does_not_matter(requests: list[int], random: object) -> None:
    shuffled = requests.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert one_each(requests).sentence == one_each(shuffled).sentence


def test_equal_windows_get_equal_verdicts() -> None:
    assert one_each([19] * 5) == one_each([19] * 5)


@pytest.mark.parametrize("seed", range(40))
def test_few_picks_of_connections_of_which_some_switched_have_a_verdict(seed: int) -> None:
    rng = np.random.default_rng(seed)
    loads = [kept(int(rng.integers(2, 9)), int(rng.random() < 0.1)) for _ in range(30)]
    counts = rng.multinomial(sum(each.requests for each in loads), rng.dirichlet(np.full(20, 0.2)))
    assert judge(counts.tolist(), Counter(loads), 1.0).sentence.endswith(".")


@pytest.mark.parametrize("picks", [10_000, 20_000, 10_000_000])
def test_ten_thousand_pods_are_judged_within_five_milliseconds(picks: int) -> None:
    requests = fair(10_000, picks, 5)

    def once() -> float:
        began = time.process_time()  # not the wall's, which other programs share
        balance(requests)
        judge(requests, {1: picks}, 1.0)
        return time.process_time() - began

    assert min(once() for _ in range(10)) <= 0.005


@pytest.mark.parametrize(
    ("requests", "loads"),
    [
        ([2_000] * 5, {1: 10_000}),
        ([0] * 100 + [5] * 100, {1: 500}),
        ([100] * 20, dict.fromkeys(range(1, 20), 10)),
        ([5_000] * 200, dict.fromkeys(range(1, 140), 100)),
        ([10**6] * 5, dict.fromkeys(range(1, 100), 1000)),
    ],
)
def test_a_simulated_verdict_stays_within_its_cost(requests: list[int], loads: dict[int, int]) -> None:
    def once() -> float:
        began = time.process_time()
        judge(requests, loads, 1.0)
        return time.process_time() - began

    assert min(once() for _ in range(5)) <= 0.03
