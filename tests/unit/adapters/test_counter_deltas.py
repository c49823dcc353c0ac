"""What pods' counters gained, through restarts that the page and the cluster tell of at different moments."""

import pytest

from scale_app.adapters.kubernetes.counters.counter_deltas import CounterDeltas
from scale_app.adapters.kubernetes.counters.pods import CountedPod
from scale_app.readings.counters import Page

NAME = "http_requests_total"
Look = tuple[int, int, str]
"""What the counter says, the restarts that the cluster tells of, and the process' start."""


def _counted(*looks: Look, listed: bool = True) -> CounterDeltas:
    deltas = CounterDeltas(NAME, "/")
    for count, restarts, started in looks:
        pod = CountedPod("shop", "cart-1", uid="u", restarts=restarts) if listed else None
        deltas.observe({"cart-1": (pod, Page({(NAME, ()): float(count)}, started))}, sent=0)
    return deltas


@pytest.mark.parametrize(
    "looks",
    [
        pytest.param([(100, 0, "1.0"), (150, 0, "1.0"), (10, 1, "9.0"), (30, 1, "9.0")], id="both tell at once"),
        pytest.param([(100, 0, "1.0"), (150, 0, "1.0"), (10, 0, "9.0"), (30, 1, "9.0")], id="the page tells first"),
        pytest.param([(100, 0, "1.0"), (150, 1, "1.0"), (30, 1, "9.0")], id="the cluster tells first"),
        pytest.param([(100, 0, ""), (150, 0, ""), (10, 0, ""), (30, 1, "")], id="the count fell first"),
        pytest.param([(100, 0, ""), (150, 0, ""), (10, 1, ""), (30, 1, "")], id="the count fell at once"),
    ],
)
def test_a_restart_is_counted_once_whoever_tells_of_it_first(looks: list[Look]) -> None:
    counted = _counted(*looks).counted()
    assert counted.requests == {"cart-1": 50 + 30}
    assert counted.restarted == ("cart-1",)


def test_a_second_restart_is_a_second_one_though_the_first_was_told_late() -> None:
    looks = [(100, 0, ""), (10, 0, ""), (30, 1, ""), (40, 2, "")]
    assert _counted(*looks).counted().requests == {"cart-1": 10 + 20 + 40}


def test_a_count_that_passed_the_one_before_by_the_next_look_began_anew_all_the_same() -> None:
    assert _counted((100, 0, "1.0"), (130, 1, "9.0")).counted().requests == {"cart-1": 130}
    assert _counted((100, 0, ""), (130, 1, "")).counted().requests == {"cart-1": 130}


def test_a_pod_that_the_cluster_lists_no_more_did_not_restart() -> None:
    deltas = _counted((100, 3, ""))
    deltas.observe({"cart-1": (None, Page({(NAME, ()): 120.0}))}, sent=0)
    assert deltas.counted().requests == {"cart-1": 20}
    assert deltas.counted().restarted == ()
