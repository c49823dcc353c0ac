"""A share that grows steadily is told from one that jumps, once or twice, and from one that stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from scale_app.domain.events import SnapshotTaken
from scale_app.domain.findings.connections import TWO_JUMPS_FROM
from scale_app.domain.findings.facts import GREW_FROM
from scale_app.domain.plan import LoadPlan
from scale_app.domain.rise import MOST_PARTS, Rise, Steady
from scale_app.domain.run import Run
from scale_app.domain.samples import (
    ConnectionLoads,
    LoadReady,
    PodCount,
    PodSeen,
    PodsSample,
    Sample,
    TrafficSample,
)
from scale_app.domain.snapshot import Snapshot, Source
from tests.fakes_load import observed

PODS, DUE, CAME_S = "abcde", 50.0, 10
TRIALS = 40

Weight = Callable[[float], float]
"""Of the new pod, by the seconds since it came."""


def slowly(window_s: float) -> Weight:
    return lambda s: min(1.0, max(0.1, s / window_s))


def at_once(after_s: float) -> Weight:
    return lambda s: 1.0 if s > after_s else 0.0


def twice(first_s: float, second_s: float) -> Weight:
    return lambda s: 0.5 * (s > first_s) + 0.5 * (s > second_s)


def always(weight: float) -> Weight:
    return lambda _: weight


def share_of(weight: float) -> float:
    """Over the fair one."""
    return len(PODS) * weight / (len(PODS) - 1 + weight)


def grown(weight: Weight, seconds: int, due: float = DUE, seed: int | None = None) -> Steady | None:
    """As it is told after so many seconds. seed: of a balancer that picks at random; None for one that takes turns."""
    rise, rng = Rise(0.0), np.random.default_rng(seed)
    for second in range(1, seconds + 1):
        mean = due * share_of(weight(second - 0.5))
        rise.add(float(second), mean if seed is None else float(rng.poisson(mean)), due)
    return rise.steady(len(PODS), 1.0)


@pytest.mark.parametrize("window_s", [24.0, 60.0, 300.0])
@pytest.mark.parametrize("seed", [None, 1, 2])
def test_the_window_of_a_slow_start_is_told_while_it_lasts(window_s: float, seed: int | None) -> None:
    steady = grown(slowly(window_s), round(window_s), seed=seed)
    assert steady is not None
    assert steady.log_one_jump > GREW_FROM
    assert steady.window_s == pytest.approx(window_s, rel=0.25)


def test_long_after_it_is_still_known() -> None:
    steady = grown(slowly(24.0), 200, seed=1)
    assert steady is not None
    assert steady.log_two_jumps > TWO_JUMPS_FROM
    assert steady.window_s == pytest.approx(24.0, rel=0.25)


@pytest.mark.parametrize("weight", [at_once(0.0), at_once(3.4), at_once(13.0), always(0.5), always(0.1), always(2.0)])
def test_what_is_taken_up_at_once_or_stays_has_not_grown_steadily(weight: Weight) -> None:
    for seed in range(TRIALS):
        steady = grown(weight, 12 + seed % 30, due=10.0 * (1 + seed % 9), seed=seed)
        assert steady is None or steady.log_one_jump < GREW_FROM


@pytest.mark.parametrize("weight", [twice(2.0, 9.0), twice(0.0, 14.0), twice(5.5, 6.5)])
def test_two_jumps_are_not_likely_to_be_a_slow_start(weight: Weight) -> None:
    for seed in range(TRIALS):
        steady = grown(weight, 12 + seed % 30, due=10.0 * (1 + seed % 9), seed=seed)
        assert steady is None or steady.log_two_jumps < TWO_JUMPS_FROM


def test_as_little_is_kept_however_long_it_takes() -> None:
    rise = Rise(100.0)
    for second in range(101, 1_101):
        rise.add(float(second), 1.0, 2.0)
    assert (len(rise.got), rise.part_s) == (15, 64.0)
    assert len(rise.got) <= MOST_PARTS
    assert (sum(rise.got), sum(rise.due)) == (900, 1_800)


def samples(weight: Weight, seconds: int) -> Iterator[Sample]:
    """Five pods share 250 requests a second, each on a connection of its own; e comes after some seconds."""
    counts, carry = dict.fromkeys(PODS, 0), 0.0
    for second in range(seconds + 1):
        there = PODS if second >= CAME_S else PODS[:-1]
        if second in (0, CAME_S):
            yield PodsSample(float(second), tuple(PodSeen(name) for name in there))
        if not second:
            yield LoadReady(0.0)
            continue
        carry += DUE * share_of(weight(second - CAME_S - 0.5)) if second > CAME_S else 0.0
        new, carry = int(carry), carry - int(carry)
        for turn in range(round(DUE * len(PODS)) - new):
            counts["abcd"[(turn + second) % 4]] += 1
        counts["e"] += new
        answered = {name: PodCount(count, connections=count) for name, count in counts.items() if count}
        total = sum(counts.values())
        yield TrafficSample(float(second), 20, total, answered, loads=ConnectionLoads({1: total}, switches={}))


def told(weight: Weight, seconds: int = 40) -> list[Snapshot]:
    run = Run("run-1", LoadPlan(users=20, duration_s=90, requests_per_connection=1), Source.HEADER, 0.0)
    events = observed(run, *samples(weight, seconds))
    return [event.snapshot for event in events if isinstance(event, SnapshotTaken)]


def codes(snapshots: list[Snapshot]) -> set[str]:
    return {finding.code for snapshot in snapshots for finding in snapshot.findings}


def test_a_slow_start_is_named_with_its_window() -> None:
    snapshots = told(slowly(30.0))
    cause = next(finding for finding in snapshots[-1].findings if finding.code == "slow_start")
    assert (cause.certainty, cause.pods) == ("likely", ("e",))
    assert "e became ready after 10 s; in 30 s its share grew steadily from " in cause.evidence
    assert "as with a slow start of about 3" in cause.evidence
    assert not {"taken_up_late", "late_pods"} & codes(snapshots)
    assert "uneven_connections" not in {finding.code for finding in snapshots[-1].findings}


@pytest.mark.parametrize("weight", [always(1.0), at_once(13.0), at_once(14.5), always(0.5), slowly(6.0)])
def test_no_slow_start_is_seen_where_there_is_none_or_patience_covers_it(weight: Weight) -> None:
    assert "slow_start" not in codes(told(weight))


def test_a_pod_that_is_taken_up_late_is_so() -> None:
    assert "taken_up_late" in codes(told(at_once(14.5)))
