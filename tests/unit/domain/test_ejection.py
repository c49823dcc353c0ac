"""Pods that failed and were left out after that, told from pods that fail and are not, or are left out without it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import pytest

from scale_app.domain.events import SnapshotTaken
from scale_app.domain.plan import LoadPlan
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
from scale_app.domain.snapshot import Finding, Snapshot, Source
from tests.fakes_load import observed

PODS, EACH = "abcde", 50
"""Answers of each pod in a second, all of them those of users who pick a pod for each request."""
PLAN = LoadPlan(users=20, duration_s=60, requests_per_connection=1)


@dataclass(frozen=True, slots=True)
class Second:
    """What pod a did in one second. lost: requests that a proxy answered in its place. ready: by its cluster."""

    requests: int = EACH
    failures: int = 0
    lost: int = 0
    ready: bool = True


Play = Callable[[int], Second]


def samples(play: Play, seconds: int) -> Iterator[Sample]:
    """The others do what a does not, and fail now and then."""
    counts, lost, was_ready = dict.fromkeys(PODS, (0, 0)), 0, True
    yield _listed(0, ready=True)
    yield LoadReady(0.0)
    for second in range(1, seconds + 1):
        now = play(second)
        if now.ready != was_ready:
            yield _listed(second, ready=now.ready)
        lost, was_ready = lost + now.lost, now.ready
        more = (EACH - now.requests - now.lost) // 4
        gained = dict.fromkeys(PODS, (EACH + more, second % 5 == 0)) | {"a": (now.requests, now.failures)}
        counts = {name: (got + gained[name][0], bad + gained[name][1]) for name, (got, bad) in counts.items()}
        yield _traffic(second, counts, lost)


def _listed(second: int, *, ready: bool) -> PodsSample:
    return PodsSample(float(second), tuple(PodSeen(name, ready=ready or name != "a") for name in PODS))


def _traffic(second: int, counts: Mapping[str, tuple[int, int]], lost: int) -> TrafficSample:
    total = lost + sum(requests for requests, _ in counts.values())
    return TrafficSample(
        float(second),
        20,
        total,
        {name: PodCount(requests, bad, requests) for name, (requests, bad) in counts.items() if requests},
        unnamed=PodCount(lost, lost),
        errors={"HTTP 503": lost + sum(bad for _, bad in counts.values())},
        connections=total,
        loads=ConnectionLoads({1: total}, switches={}),
    )


def told(play: Play, seconds: int = 25) -> list[Snapshot]:
    run = Run("run-1", PLAN, Source.HEADER, 0.0)
    events = observed(run, *samples(play, seconds))
    return [event.snapshot for event in events if isinstance(event, SnapshotTaken)]


def ejected(snapshots: list[Snapshot]) -> list[Finding | None]:
    """The finding at each second."""
    return [next((each for each in now.findings if each.code == "layer7_ejected"), None) for now in snapshots]


def codes(snapshots: list[Snapshot]) -> set[str]:
    return {finding.code for now in snapshots for finding in now.findings}


def fails_and_is_left_out(second: int) -> Second:
    return Second() if second < 8 else Second(20, 6) if second == 8 else Second(0)


def test_a_pod_that_fails_and_then_gets_nothing_is_named_with_its_failures() -> None:
    snapshots = told(fails_and_is_left_out)
    found = ejected(snapshots)
    assert [second for second, finding in enumerate(found, 1) if finding] == list(range(10, 26))
    last = found[-1]
    assert last is not None
    assert (last.certainty, last.pods) == ("likely", ("a",))
    assert last.evidence.startswith(
        "a failed 6 of 70 requests in the last 2 s until 8 s, and got none since; 843 were due"
    )
    assert codes(snapshots) == {"layer7_ejected"}


def test_a_pod_that_is_ejected_again_and_again_stays_named_while_it_lacks_what_it_missed() -> None:
    def again(second: int) -> Second:
        return Second() if second < 8 else Second(10, 10) if second in (8, 13, 22) else Second(0)

    found = ejected(told(again))
    assert all(found[11:])
    last = found[-1]
    assert last is not None
    assert "got none since (3 such times so far)" in last.evidence


def test_a_pod_whose_connections_are_reset_when_it_stops_may_have_been_ejected() -> None:
    def resets(second: int) -> Second:
        return Second() if second < 8 else Second(20, lost=6) if second == 8 else Second(0)

    snapshots = told(resets)
    last = ejected(snapshots)[-1]
    assert last is not None
    assert last.certainty == "possible"
    assert "a answered until 8 s, when 6 requests got no answer from a pod, and got none since" in last.evidence
    assert {finding.code for finding in snapshots[-1].findings} == {"layer7_ejected"}


def _never(second: int) -> Second:
    return Second()


def _fails_on(second: int) -> Second:
    return Second(EACH, EACH if second >= 8 else 0)


def _is_left_out(second: int) -> Second:
    return Second(EACH if second < 8 else 0)


def _as_all_fail(second: int) -> Second:
    return Second(EACH if second < 11 else 0, second % 5 == 0)


def _long_before(second: int) -> Second:
    return Second(EACH if second < 18 else 0, 6 if second == 3 else 0)


def _is_not_ready(second: int) -> Second:
    return Second(0, ready=False) if second > 8 else Second(20, 6) if second == 8 else Second()


def _never_answers(second: int) -> Second:
    return Second() if second < 8 else Second(0, lost=EACH)


def _losses_are_older(second: int) -> Second:
    return Second(EACH - 5, lost=5) if second < 8 else Second(0, lost=5)


@pytest.mark.parametrize(
    "play",
    [
        _never,
        _fails_on,
        _is_left_out,
        _as_all_fail,
        _long_before,
        _is_not_ready,
        _never_answers,
        _losses_are_older,
    ],
)
def test_nobody_is_said_to_be_ejected_otherwise(play: Play) -> None:
    assert not any(ejected(told(play)))


def test_a_pod_that_is_left_out_without_failing_is_left_out() -> None:
    """At layer 7, which kept connections show."""
    run = Run("run-1", LoadPlan(users=20, duration_s=60, requests_per_connection=None), Source.HEADER, 0.0)
    by_request = (_by_request(sample) for sample in samples(_is_left_out, 25))
    events = observed(run, *by_request)
    last = next(event.snapshot for event in reversed(events) if isinstance(event, SnapshotTaken))
    assert [finding.code for finding in last.findings] == ["layer7_left_out"]


def _by_request(sample: Sample) -> Sample:
    if not isinstance(sample, TrafficSample):
        return sample
    each = sample.requests // 20
    loads = ConnectionLoads({}, dict.fromkeys(range(20), each), 20, switches=dict.fromkeys(range(20), each * 4 // 5))
    return replace(sample, connections=20, loads=loads)
