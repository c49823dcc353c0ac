"""The headline: published figures, the threshold to the last bit, and what holds for every input."""

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scale_app.domain.balance import CV_THRESHOLD, GRADES, Balance, balance, grade_of, score_of, shares

counts = st.lists(st.integers(0, 10**12), min_size=1, max_size=40).filter(any)
any_counts = st.lists(st.integers(0, 10**15), max_size=40)
any_expected = st.none() | st.lists(st.floats(), max_size=40)


def figures(result: Balance) -> list[float]:
    return [value for value in dataclasses.astuple(result) if isinstance(value, float)]


@pytest.mark.parametrize(
    ("requests", "cv", "score", "grade"),
    [
        ([60, 10, 7, 3, 6, 4, 10], 1.318, 0.0, "F"),
        ([8, 7, 13, 13, 8, 7, 13, 12, 9, 10], 0.2408, 0.518, "D"),
        ([2001, 2000, 2000, 1999, 2000], 0.0003, 0.999, "A"),
    ],
)
def test_published_counts_give_their_published_score(requests: list[int], cv: float, score: float, grade: str) -> None:
    result = balance(requests)
    assert result.cv == pytest.approx(cv, abs=6e-4)
    assert result.score == pytest.approx(score, abs=1e-3)
    assert result.grade == grade


@pytest.mark.parametrize("requests", [[], [0], [0, 0, 0]])
def test_nothing_to_judge_has_no_score(requests: list[int]) -> None:
    assert balance(requests) == Balance(len(requests), 0, note="no data yet")
    assert not balance(requests).balanced


def test_one_pod_is_even_and_says_so() -> None:
    result = balance([7])
    assert (result.score, result.cv, result.note) == (1.0, 0.0, "one pod")


@pytest.mark.parametrize("times", [1, 3, 7, 1_000, 999_983])
def test_a_cv_at_the_threshold_is_balanced_to_the_last_bit(times: int) -> None:
    at_threshold = balance([41 * times, 39 * times])
    assert (at_threshold.cv, at_threshold.score, at_threshold.grade) == (CV_THRESHOLD, 0.95, "A")
    assert at_threshold.balanced


def test_just_beyond_the_threshold_is_not_balanced() -> None:
    assert not balance([410_001, 389_999]).balanced


def test_the_derived_figures_are_those_of_the_counts() -> None:
    result = balance([30, 10, 20, 20])
    assert result.hottest_share == pytest.approx(1.5)
    assert result.capacity_lost == pytest.approx(1 / 3)
    assert result.jain == pytest.approx(80**2 / (4 * (900 + 100 + 400 + 400)))


def test_counts_as_expected_score_one() -> None:
    assert balance([10, 20, 70], [1, 2, 7]).score == 1.0
    assert balance([10, 20, 70], [0.1, 0.2, 0.7]).hottest_share == pytest.approx(1.0)


def test_a_pod_that_just_joined_does_not_move_the_score() -> None:
    with_newcomer = balance([1000, 1000, 2], [600, 600, 0.5])
    assert with_newcomer.score == pytest.approx(0.95, abs=0.05)


@pytest.mark.parametrize("expected", [[1.0], [0.0, 1.0], [-1.0, 2.0], [math.nan, 1.0], [math.inf, 1.0], []])
def test_unusable_expected_shares_mean_equal_ones(expected: list[float]) -> None:
    assert shares(2, expected).tolist() == [0.5, 0.5]


@pytest.mark.parametrize("expected", [[1e308, 1e308, 1e308], [5e-324, 1.0, 1e308]])
def test_extreme_expected_shares_stay_finite(expected: list[float]) -> None:
    assert all(map(math.isfinite, figures(balance([1, 2, 3], expected))))


@given(any_counts, any_expected)
def test_every_input_has_an_answer_and_no_nan(requests: list[int], expected: list[float] | None) -> None:
    result = balance(requests, expected)
    assert all(map(math.isfinite, figures(result)))
    assert (result.score is None) == (sum(requests) == 0)


@given(counts)
def test_every_figure_keeps_its_bounds(requests: list[int]) -> None:
    result, pods = balance(requests), len(requests)
    assert result.cv is not None
    assert result.score is not None
    assert 0 <= result.cv <= math.sqrt(pods - 1) * (1 + 1e-9)
    assert 0 <= result.score <= 1
    assert 1 - 1e-9 <= (result.hottest_share or 0) <= pods * (1 + 1e-9)
    assert 0 <= (result.capacity_lost or 0) <= 1 - 1 / pods + 1e-9
    assert 1 / pods - 1e-9 <= (result.jain or 0) <= 1
    assert result.balanced == (result.cv <= CV_THRESHOLD)


@given(counts, st.randoms(use_true_random=False))
def test_the_order_of_pods_does_not_matter(requests: list[int], random: object) -> None:
    shuffled = requests.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert figures(balance(shuffled)) == pytest.approx(figures(balance(requests)), abs=1e-9)


@given(counts, st.integers(2, 1_000))
def test_the_length_of_the_run_does_not_matter(requests: list[int], factor: int) -> None:
    longer = balance([factor * count for count in requests])
    assert figures(longer) == pytest.approx(figures(balance(requests)), abs=1e-9)


@given(st.floats(0, 200), st.floats(0, 200))
def test_a_larger_cv_never_scores_better(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert score_of(low) >= score_of(high)
    assert grade_of(score_of(low)) <= grade_of(score_of(high))


@pytest.mark.parametrize(("least", "letter"), GRADES)
def test_each_grade_begins_at_its_score(least: float, letter: str) -> None:
    assert grade_of(least) == letter
    assert least == 0 or grade_of(least - 1e-6) > letter
