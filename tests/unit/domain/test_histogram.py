"""Latencies stay within one per cent, whatever is merged or subtracted."""

import math

from hypothesis import given
from hypothesis import strategies as st

from scale_app.domain.histogram import LIMITS_MS, Histogram, bucket_ms, bucket_of, cut, merged


@given(st.floats(min_value=1e-6, max_value=600))
def test_a_bucket_stands_for_its_latencies_within_one_per_cent(latency_s: float) -> None:
    assert math.isclose(bucket_ms(bucket_of(latency_s)), latency_s * 1_000, rel_tol=0.0101)


@given(st.lists(st.floats(min_value=1e-5, max_value=10), min_size=1, max_size=200), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_quantile_is_the_ranked_latency_within_one_per_cent(latencies: list[float], q: float) -> None:
    ranked = sorted(latencies)[math.ceil(q * len(latencies)) - 1]
    found = _histogram(latencies).quantile_ms(q)
    assert found is not None
    assert math.isclose(found, ranked * 1_000, rel_tol=0.0101)


def test_nothing_counted_has_no_quantile() -> None:
    assert Histogram().quantile_ms(0.5) is None


@given(st.lists(st.floats(1e-5, 10)), st.lists(st.floats(1e-5, 10)))
def test_what_was_added_is_the_difference(before: list[float], added: list[float]) -> None:
    now = merged([_histogram(before), _histogram(added)])
    assert now.minus(_histogram(before)) == _histogram(added)


def test_a_counter_that_went_backwards_counts_from_zero() -> None:
    restarted = Histogram({5: 2})
    assert restarted.minus(Histogram({5: 9})) == restarted


@given(st.lists(st.floats(1e-5, 60), max_size=200))
def test_a_histogram_that_is_cut_counts_what_was_within_each_limit(latencies: list[float]) -> None:
    coarse = cut(_histogram(latencies))
    assert coarse.total == len(latencies)
    assert math.isclose(coarse.sum_s, sum(latencies), rel_tol=0.0101, abs_tol=1e-5)
    for limit_ms, within in zip(LIMITS_MS, coarse.within, strict=True):
        least, most = (sum(each * 1_000 <= limit_ms * factor for each in latencies) for factor in (0.98, 1.02))
        assert least <= within <= most


def _histogram(latencies: list[float]) -> Histogram:
    return merged(Histogram({bucket_of(latency): 1}) for latency in latencies)
