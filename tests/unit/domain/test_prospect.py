"""What an undecided run says would decide it: what will come, or what to change, and how long that takes."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from statistics import median

import numpy as np
import pytest

from scale_app.domain.plan import LoadPlan
from scale_app.domain.prospect import requests_per_s_with
from scale_app.domain.recording import Began, replayed
from scale_app.domain.run import Run
from scale_app.domain.samples import (
    ConnectionLoads,
    LoadEnded,
    LoadReady,
    PodCount,
    PodSeen,
    PodsSample,
    Sample,
    TrafficSample,
)
from scale_app.domain.snapshot import Source
from scale_app.domain.verdict import Verdict, VerdictKind
from tests.fakes_load import observed
from tests.recorded import analysed

KEPT = LoadPlan(users=50, duration_s=600, requests_per_connection=None, think_time_s=0.1)
BY_CHANCE = (13, 9, 11, 8, 9)


def kept_open(connections: tuple[int, ...], second: int, per_s: int) -> TrafficSample:
    """Connections that stay on their pods and carry so many requests a second each."""
    each = second * per_s
    pods = {f"pod-{i}": PodCount(n * each, connections=n) for i, n in enumerate(connections)}
    long = dict.fromkeys(range(sum(connections)), each)
    users, total = sum(connections), sum(connections) * each
    return TrafficSample(second, users, total, pods, connections=users, loads=ConnectionLoads(long=long, switches={}))


def renewed(per_s: int, every: int, fair: tuple[float, ...] = (0.2,) * 5) -> list[TrafficSample]:
    """20 s of a new connection every so many requests, by a fair random balancer. per_s: connections a second."""
    rng, picked, traffic = np.random.default_rng(3), np.zeros(len(fair), dtype=int), []
    for second in range(1, 21):
        picked = picked + rng.multinomial(per_s, fair)
        pods = {f"pod-{i}": PodCount(int(n) * every, connections=int(n)) for i, n in enumerate(picked) if n}
        opened = second * per_s
        loads = ConnectionLoads({every: opened}, switches={})
        traffic.append(TrafficSample(second, 50, opened * every, pods, connections=opened, loads=loads))
    return traffic


def by_request(parts: tuple[int, ...], second: int) -> TrafficSample:
    """50 kept connections, of which each answer is a pick of its own. parts: requests a second to each pod."""
    pods = {f"pod-{i}": PodCount(n * second, connections=50) for i, n in enumerate(parts)}
    each = sum(parts) * second // 50
    switches = {number: round(0.8 * each) for number in range(50)}
    loads = ConnectionLoads(long=dict.fromkeys(range(50), each), switches=switches)
    return TrafficSample(second, 50, sum(parts) * second, pods, connections=50, loads=loads)


def ended(plan: LoadPlan, traffic: list[TrafficSample]) -> Verdict:
    """The verdict at the end, live and of the recording judged again."""
    names = sorted(traffic[-1].pods)
    samples: list[Sample] = [PodsSample(0.0, tuple(PodSeen(name) for name in names)), LoadReady(0.0)]
    whole = analysed(Began(plan, Source.HEADER, 0.0), [*samples, *traffic, LoadEnded(traffic[-1].at_s + 0.1)])
    assert replayed(whole) == whole
    assert whole.record.last is not None
    return whole.record.last.verdict


def test_kept_connections_are_told_to_reconnect_and_how_long_that_takes() -> None:
    verdict = ended(KEPT, [kept_open(BY_CHANCE, second, 8) for second in range(1, 21)])
    assert verdict.sentence == (
        "Undecided after 50 connections: a fair random balancer would score about 0.43. "
        "With 5 requests per connection instead of keep-alive, about 250 s would decide if it is even, less if it is "
        "not."
    )
    assert verdict.picks_to_decide is None  # no connection will come


def test_round_robin_over_kept_connections_needs_a_few_seconds_more() -> None:
    verdict = ended(KEPT, [kept_open((10,) * 5, second, 8) for second in range(1, 21)])
    assert "spread more evenly than chance" in verdict.sentence
    assert "more connection" not in verdict.sentence
    assert verdict.sentence.endswith("With 5 requests per connection instead of keep-alive, about 2 s would decide.")


def test_users_that_are_still_to_come_bring_connections() -> None:
    plan = replace(KEPT, users=20_000)
    verdict = ended(plan, [kept_open(tuple(n * second for n in BY_CHANCE), second, 1) for second in range(1, 4)])
    assert "more connections would decide" in verdict.sentence


def test_connections_that_come_fast_are_waited_for() -> None:
    plan = replace(KEPT, requests_per_connection=5)
    verdict = ended(plan, renewed(100, 5))
    assert verdict.picks_to_decide is not None
    assert "more connections would decide if it is even, fewer if it is not: about" in verdict.sentence
    assert verdict.sentence.endswith(" s at this rate.")


def test_connections_that_come_slowly_are_told_to_come_faster() -> None:
    plan = replace(KEPT, requests_per_connection=100)
    verdict = ended(plan, renewed(5, 100))
    assert "With 5 requests per connection instead of 100, about" in verdict.sentence


def test_a_layer7_balancer_is_waited_for_and_not_told_to_reconnect() -> None:
    verdict = ended(KEPT, [by_request((11, 9, 10, 10, 10), second) for second in range(1, 21)])
    assert verdict.unit == "request"
    assert "more requests would decide" in verdict.sentence
    assert "per connection" not in verdict.sentence


def test_where_nobody_can_wait_the_rate_that_would_do_is_said() -> None:
    plan = replace(KEPT, users=2, requests_per_connection=1, think_time_s=1.0)
    verdict = ended(plan, renewed(2, 1))
    assert "requests/s, each on a connection of its own, would decide within 10 min" in verdict.sentence
    assert verdict.sentence.endswith("now it is 2 requests/s.")


def test_a_score_close_to_the_threshold_asks_for_no_millions_of_connections() -> None:
    plan = replace(KEPT, requests_per_connection=1)
    verdict = ended(plan, renewed(1_000, 1, fair=(0.5085, 0.4915)))
    assert verdict.kind is VerdictKind.UNDECIDED
    assert verdict.picks_to_decide is None
    assert "so close to 0.95 that more connections will hardly decide" in verdict.sentence


def test_what_luck_left_open_is_not_one_connection_away() -> None:
    verdict = ended(replace(KEPT, requests_per_connection=1), renewed(1_000, 1, fair=(0.506, 0.494)))
    assert verdict.picks_to_decide == pytest.approx(157_000, rel=0.01)


EVERY_S, STEADY_S = 500, 60


def told_each_second(cv: float, seed: int) -> list[int | None]:
    """Connections that the run says it takes in all, second by second until it is decided."""
    rng, picked, totals = np.random.default_rng(seed), np.zeros(5, dtype=int), list[int | None]()
    shape = np.array([2.0, -0.5, -0.5, -0.5, -0.5])
    run = Run("run-1", replace(KEPT, requests_per_connection=1), Source.HEADER, 0.0)
    observed(run, PodsSample(0.0, tuple(PodSeen(f"pod-{i}") for i in range(5))), LoadReady(0.0))
    for second in range(1, STEADY_S + 1):
        picked = picked + rng.multinomial(EVERY_S, 0.2 * (1 + cv * shape))
        pods = {f"pod-{i}": PodCount(int(n), connections=int(n)) for i, n in enumerate(picked)}
        opened = second * EVERY_S
        loads = ConnectionLoads({1: opened}, switches={})
        observed(run, TrafficSample(float(second), 50, opened, pods, connections=opened, loads=loads))
        assert run.last is not None
        if run.last.verdict.kind is not VerdictKind.UNDECIDED:
            break
        more = run.last.verdict.picks_to_decide
        totals.append(None if more is None else opened + more)
    return totals


@pytest.mark.parametrize("cv", [0.0, 0.02, 0.03, 0.04])
def test_what_would_decide_is_steady_from_second_to_second(cv: float) -> None:
    for seed in range(2):
        totals = told_each_second(cv, seed)
        steps = [now / before for before, now in pairwise(totals) if before and now]
        assert steps
        assert max(max(steps), 1 / min(steps)) < 1.25


def test_a_steady_estimate_is_not_far_from_the_truth() -> None:
    """19,200 picks decide half of the fair balancers of five pods (`evidence.deciding_picks`)."""
    totals = [each for seed in range(3) for each in told_each_second(0.0, seed)[5:] if each]
    assert totals
    assert median(totals) == pytest.approx(19_200, rel=0.3)


def test_a_decided_run_is_told_nothing() -> None:
    plan = replace(KEPT, requests_per_connection=1)
    verdict = ended(plan, renewed(4_000, 1))
    assert verdict.kind is VerdictKind.EVEN
    assert "would decide" not in verdict.sentence


@pytest.mark.parametrize(("arrivals", "rate"), [(None, 166.7), (500.0, 300.0)])
def test_new_connections_slow_users_down_but_no_arrivals(arrivals: float | None, rate: float) -> None:
    plan = LoadPlan(users=50, think_time_s=0.1, arrivals_per_s=arrivals)
    assert requests_per_s_with(plan, 300.0, 1) == pytest.approx(rate, abs=0.1)
