"""Differences of counters: since the start and of the last ten seconds."""

import pytest

from scale_app.domain.histogram import Histogram
from scale_app.domain.picks import kept
from scale_app.domain.roster import Roster
from scale_app.domain.samples import ConnectionLoads, PodCount, PodSeen, PodsSample, TrafficSample
from scale_app.domain.verdict import VerdictKind
from scale_app.domain.windows import Windows
from tests.fakes_load import traffic


def _windows(*pods: str) -> tuple[Windows, Roster]:
    roster = Roster()
    if pods:
        roster.observe(PodsSample(0, tuple(PodSeen(name) for name in pods)))
    windows = Windows(roster)
    windows.begin(0)
    return windows, roster


def test_whole_and_recent_window_count_from_their_own_beginning() -> None:
    windows, _ = _windows("a", "b")
    for second in range(1, 31):
        windows.observe(traffic(second, a=second * 10, b=second * 30))
    figures = windows.figures()
    assert (figures.whole.pods["a"].requests, figures.whole.pods["b"].requests) == (300, 900)
    assert (figures.recent.pods["a"].requests, figures.recent.pods["b"].requests) == (100, 300)
    assert figures.recent.seconds == pytest.approx(10)


def test_a_pod_without_a_request_counts_among_those_that_should_share() -> None:
    windows, _ = _windows("a", "b")
    windows.observe(traffic(1, a=100))
    figures = windows.figures()
    assert figures.balance.pods == 2
    assert figures.balance.score == 0


def test_without_a_directory_the_pods_are_those_that_answered() -> None:
    windows, _ = _windows()
    windows.observe(traffic(1, a=50, b=50))
    assert windows.figures().balance.score == 1


def test_a_replaced_pod_and_its_successor_each_expect_their_own_time() -> None:
    windows, roster = _windows("a", "b")
    windows.observe(traffic(10, a=100, b=100))
    roster.observe(PodsSample(10, (PodSeen("a"), PodSeen("c"))))
    windows.observe(traffic(20, a=200, b=100, c=100))
    figures = windows.figures()
    assert figures.whole.expected == pytest.approx({"a": 200, "b": 100, "c": 100})
    assert figures.balance.score == pytest.approx(1)


def test_requests_to_a_pod_that_should_not_get_any_are_no_part_of_the_balance() -> None:
    windows, roster = _windows("a", "b", "c")
    windows.observe(traffic(1, a=10, b=10, c=10))
    roster.observe(PodsSample(1, (PodSeen("a"), PodSeen("b"), PodSeen("c", ready=False))))
    for second in range(2, 15):
        windows.observe(traffic(second, a=second * 10, b=second * 10, c=40))
    recent = windows.figures().recent
    assert recent.eligible == ["a", "b"]


def test_a_pod_whose_counter_restarts_counts_from_zero_again() -> None:
    windows, _ = _windows("a")
    windows.observe(traffic(1, a=50))
    for second in range(2, 20):
        windows.observe(traffic(second, a=second))
    assert windows.figures().recent.pods["a"].requests >= 0


def test_connections_carry_their_requests_of_the_window() -> None:
    windows, _ = _windows("a")
    for second in range(1, 21):
        windows.observe(
            TrafficSample(
                second, 1, second * 7, {"a": PodCount(second * 7)}, loads=ConnectionLoads(long={1: second * 7})
            )
        )
    figures = windows.figures()
    assert figures.whole.loads == {kept(140): 1}
    assert figures.recent.loads == {kept(70, before=True): 1}


def test_a_generator_that_knows_no_connections_leaves_them_unknown() -> None:
    windows, _ = _windows("a")
    windows.observe(traffic(1, a=5))
    assert windows.figures().whole.loads is None


def test_latency_is_of_the_recent_window() -> None:
    windows, _ = _windows("a")
    windows.observe(TrafficSample(1, 1, 5, {"a": PodCount(5, latency=Histogram({10: 5}))}))
    for second in range(2, 12):
        count = PodCount(6, latency=Histogram({10: 5, 400: 1}))
        windows.observe(TrafficSample(second, 1, 6, {"a": count}))
    assert windows.figures().recent.latency == Histogram({400: 1})


def test_marks_are_let_go_after_the_longest_window() -> None:
    windows, _ = _windows("a")
    for second in range(1, 1_000):
        windows.observe(traffic(second, a=second))
    assert len(windows._marks) <= 62


def test_the_minute_is_longer_than_the_recent_window_and_shorter_than_the_run() -> None:
    windows, _ = _windows("a", "b")
    for second in range(1, 121):
        windows.observe(traffic(second, a=min(second, 30), b=second))
    figures = windows.figures()
    assert (figures.balance.requests, figures.minute.balance.requests, figures.recent.balance.requests) == (150, 60, 10)


def test_the_warm_up_is_left_out_of_every_window() -> None:
    roster = Roster()
    roster.observe(PodsSample(0, (PodSeen("a"), PodSeen("b"))))
    windows = Windows(roster, warm_up_s=5)
    windows.begin(0)
    for second in range(1, 9):
        loads = ConnectionLoads(long={1: second * 100})
        pods = {"a": PodCount(second * 90), "b": PodCount(second * 10 if second <= 5 else 50 + (second - 5) * 90)}
        requests = sum(count.requests for count in pods.values())
        windows.observe(TrafficSample(second, 1, requests, pods, loads=loads))
    figures = windows.figures()
    assert figures.balance.score == 1
    assert figures.whole.loads == {kept(300, before=True): 1}
    assert figures.whole.seconds == figures.recent.seconds == 3


def test_before_the_first_sample_nothing_is_judged() -> None:
    windows, _ = _windows("a")
    assert windows.figures().balance.score is None


@pytest.mark.parametrize(
    ("errors", "said"),
    [
        ({}, "No data: 500 requests were answered, but none named a pod. Let each pod send its name"),
        ({"connection refused": 500}, "No data: no pod has answered a request."),
    ],
)
def test_answers_that_name_no_pod_are_told_from_none(errors: dict[str, int], said: str) -> None:
    windows, _ = _windows("a", "b")
    windows.observe(TrafficSample(1, 1, 500, unnamed=PodCount(500 - sum(errors.values())), errors=errors))
    verdict = windows.figures().verdict
    assert verdict.kind is VerdictKind.NO_DATA
    assert verdict.sentence.startswith(said)


def test_redirects_in_the_pods_place_are_told_with_what_to_do() -> None:
    windows, _ = _windows("a", "b")
    windows.observe(TrafficSample(1, 1, 500, unnamed=PodCount(500), redirects=490))
    assert windows.figures().verdict.sentence.startswith(
        "No data: 490 of 500 answers were redirects, and none named a pod. Scale follows none: a sign-in in front of"
    )
    windows.observe(TrafficSample(2, 1, 1_500, unnamed=PodCount(1_500), redirects=490))
    assert "Let each pod send its name" in windows.figures().verdict.sentence


def test_where_too_few_answers_name_a_pod_there_is_neither_verdict_nor_score() -> None:
    windows, _ = _windows("a", "b")
    pods = {"a": PodCount(200), "b": PodCount(190)}
    windows.observe(TrafficSample(1, 1, 500, pods, unnamed=PodCount(110)))
    figures = windows.figures()
    assert figures.verdict.kind is VerdictKind.NO_DATA
    assert (figures.balance.score, figures.balance.grade, figures.balance.requests) == (None, None, 390)
