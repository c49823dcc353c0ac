"""Requests of others are the pods' own counts beyond ours, and never our own."""

from scale_app.domain.counters import ForeignTraffic
from scale_app.domain.samples import PodSeen, PodsSample
from tests.fakes_load import traffic


def _pods(at_s: float, **answered: int) -> PodsSample:
    return PodsSample(at_s, tuple(PodSeen(name) for name in answered), answered=answered)


def test_without_the_pods_own_counts_nothing_can_be_said() -> None:
    foreign = ForeignTraffic()
    foreign.pods_seen(PodsSample(0, (PodSeen("a"),)))
    foreign.traffic_seen(traffic(1, a=5))
    assert foreign.excess is None


def test_requests_beyond_ours_since_the_first_count_are_somebody_elses() -> None:
    foreign = ForeignTraffic()
    foreign.pods_seen(_pods(0, a=1_000, b=1_000))
    foreign.pods_seen(_pods(1, a=1_050, b=1_010))
    foreign.traffic_seen(traffic(2, a=10, b=10))
    assert foreign.excess == {"a": 40, "b": 0}


def test_our_own_requests_are_never_taken_for_anothers_though_read_at_another_moment() -> None:
    foreign = ForeignTraffic()
    foreign.pods_seen(_pods(0, a=0))
    for second in range(1, 20):
        foreign.pods_seen(_pods(second + 0.5, a=second * 10 + 5))
        foreign.traffic_seen(traffic(second, a=second * 10))
        foreign.traffic_seen(traffic(second + 0.9, a=second * 10 + 9))
        assert not sum((foreign.excess or {}).values())


def test_a_count_that_waits_for_ours_is_not_pushed_out_by_the_next() -> None:
    foreign = ForeignTraffic()
    foreign.pods_seen(_pods(0, a=0))
    foreign.pods_seen(_pods(1, a=150))
    foreign.pods_seen(_pods(2, a=250))
    foreign.traffic_seen(traffic(1.9, a=100))
    assert foreign.excess == {"a": 50}
