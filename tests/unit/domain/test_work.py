"""Work balance and its outlier tests: which pods are named, and how seldom a healthy one is."""

import numpy as np
import pytest

from scale_app.domain.work import LEVEL, cv_of, failing_pods, slow_pods

HEALTHY_TRIALS = 400


def _slow(mean_ms: list[float | None], requests: int = 200) -> list[bool]:
    tails = [None if mean is None else 3 * mean for mean in mean_ms]
    return [bool(each) for each in slow_pods(mean_ms, tails, [requests] * len(mean_ms))]


def test_a_coefficient_of_variation_is_none_without_anything_to_compare() -> None:
    assert cv_of([]) is None
    assert cv_of([0.0, 0.0]) is None
    assert cv_of([5.0]) == 0
    assert cv_of([1.0, 3.0]) == pytest.approx(0.5)


def test_the_slow_pod_is_named_and_no_other() -> None:
    assert _slow([40.0, 2.0, 2.1, 1.9, 2.2]) == [True, False, False, False, False]
    assert _slow([2.0, 9.0]) == [False, True]
    assert _slow([40.0, 55.0, 2.1, 1.9, 2.2]) == [True, True, False, False, False]
    assert _slow([40.0] + [2.0] * 300) == [True] + [False] * 300


def test_slowness_that_matters_little_or_is_everybodys_names_nobody() -> None:
    assert not any(_slow([3.9, 2.0, 2.0, 2.0]))  # less than twice
    assert not any(_slow([0.9, 0.2, 0.2, 0.2]))  # less than 2 ms
    assert not any(_slow([40.0] * 5))
    assert not any(_slow([5.0, 11.0, 24.0, 50.0, 105.0]))  # every pod unlike the next one
    assert not any(_slow([40.0, None, None]))
    assert not any(_slow([40.0, 2.0, 2.0], requests=19))
    assert not any(_slow([]))


def test_one_stalled_request_does_not_make_a_pod_slow() -> None:
    assert not slow_pods([9.0, 2.0, 2.0], [4.0, 4.0, 4.0], [200] * 3).any()


def test_healthy_pods_are_hardly_ever_called_slow() -> None:
    rng = np.random.default_rng(5)
    named = 0
    for trial in range(HEALTHY_TRIALS):
        pods, requests = (2, 5, 20, 100)[trial % 4], (25, 100)[trial % 2]
        latencies = rng.exponential(20.0, (pods, requests))
        means, tails = latencies.mean(axis=1), np.quantile(latencies, 0.95, axis=1)
        named += bool(slow_pods(means.tolist(), tails.tolist(), [requests] * pods).any())
    assert named <= 3  # 0.4 are expected at the stated level


def test_the_failing_pod_is_named_and_no_other() -> None:
    assert failing_pods([300, 0, 0], [1_000] * 3).tolist() == [True, False, False]
    assert failing_pods([60, 10, 9], [1_000] * 3).tolist() == [True, False, False]
    assert failing_pods([1_000, 0], [1_000, 500]).tolist() == [True, False]
    assert failing_pods([10, 0, 0, 0, 0], [10] * 5).tolist() == [True, False, False, False, False]


def test_failures_that_are_few_or_everybodys_name_nobody() -> None:
    assert not failing_pods([300, 310, 280], [1_000] * 3).any()
    assert not failing_pods([4, 0, 0], [100] * 3).any()
    assert not failing_pods([15, 0, 0], [1_000] * 3).any()
    assert not failing_pods([5, 1, 1, 2, 1, 1, 2, 0, 1, 1], [50] * 10).any()  # chance brings that often enough
    assert not failing_pods([4, 0, 0], [4] * 3).any()
    assert not failing_pods([0, 0], [0, 0]).any()
    assert not failing_pods([5], [100]).any()
    assert failing_pods([], []).size == 0


@pytest.mark.parametrize(("requests", "part"), [(200, 0.05), (10, 0.3), (10, 0.05)])
def test_pods_that_fail_alike_are_hardly_ever_told_apart(requests: int, part: float) -> None:
    rng = np.random.default_rng(6)
    failed = (rng.binomial(requests, part, 10) for _ in range(HEALTHY_TRIALS))
    named = sum(bool(failing_pods(failures, [requests] * 10).any()) for failures in failed)
    assert named <= 3
    assert LEVEL == 0.001


def test_counters_that_contradict_each_other_name_nobody_and_raise_nothing() -> None:
    assert not failing_pods([500, 500], [100, 100]).any()
