"""More even than chance, told while one watches."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scale_app.domain.evidence import log_regular
from scale_app.domain.picks import kept
from scale_app.domain.samples import PodCount

ALIKE = {"a": 1.0, "b": 1.0, "c": 1.0}


def gained(requests: list[int], connections: list[int] | None = None) -> dict[str, PodCount]:
    opened = connections or [0] * len(requests)
    return {chr(97 + i): PodCount(n, connections=c) for i, (n, c) in enumerate(zip(requests, opened, strict=True))}


def test_equal_counts_are_evidence_and_uneven_ones_are_against_it() -> None:
    equal, fair, uneven = (
        log_regular(gained(counts), ALIKE, None) for counts in ([40] * 3, [46, 40, 34], [80, 20, 20])
    )
    assert equal == pytest.approx(math.log(2))
    assert fair < equal
    assert uneven < -5


def test_kept_connections_are_no_new_picks_second_after_second() -> None:
    assert log_regular(gained([400] * 3), ALIKE, {kept(40, before=True): 30}) == 0.0


def test_new_connections_are_and_so_is_each_request_at_layer_7() -> None:
    by_connection = log_regular(gained([53, 40, 27], [10, 10, 10]), ALIKE, {kept(4): 30})
    by_request = log_regular(gained([40] * 3, [10, 0, 0]), ALIKE, {kept(12, 8, before=True): 10})
    assert by_connection == by_request == pytest.approx(math.log(2))


@pytest.mark.parametrize("pods", [2, 3, 5, 20])
@pytest.mark.parametrize("picks", [1, 2, 3, 5, 20])
def test_a_fair_balancer_brings_no_evidence_on_average(pods: int, picks: int) -> None:
    rng = np.random.default_rng([pods, picks])
    names = {f"p{i}": 1.0 for i in range(pods)}
    told = [
        math.exp(log_regular({f"p{i}": PodCount(n) for i, n in enumerate(row)}, names, None))
        for row in rng.multinomial(picks, [1 / pods] * pods, size=4_000).tolist()
    ]
    assert np.mean(told) <= 1 + 3 * np.std(told) / math.sqrt(len(told))


def test_small_shares_wait_for_enough_picks() -> None:
    assert log_regular(gained([9, 1, 0]), {"a": 0.9, "b": 0.09, "c": 0.01}, None) == 0.0
    assert log_regular(gained([900, 90, 10]), {"a": 0.9, "b": 0.09, "c": 0.01}, None) > 0.0


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**6), st.floats(0, 1e9)), max_size=8))
def test_whatever_is_gained_gives_a_number(rows: list[tuple[int, int, float]]) -> None:
    counts = {f"p{i}": PodCount(requests, connections=opened) for i, (requests, opened, _) in enumerate(rows)}
    due = {f"p{i}": expected for i, (_, _, expected) in enumerate(rows)}
    for loads in (None, {}, {kept(5, 3): 4}):
        assert math.isfinite(log_regular(counts, due, loads))
