"""A run that sends nothing: the pods' directory and a source of counts are its only observers."""

from __future__ import annotations

import pytest

from scale_app.domain.events import AlertRaised, Event, StateChanged
from scale_app.domain.plan import LoadPlan
from scale_app.domain.run import Run
from scale_app.domain.samples import CountsSample, PodSeen, PodsSample, StopAsked, Tick
from scale_app.domain.snapshot import RunState, Snapshot
from scale_app.domain.source import Source
from scale_app.domain.verdict import VerdictKind

EVEN, HOT = {"a": 400, "b": 400, "c": 400, "d": 400}, {"a": 800, "b": 300, "c": 300, "d": 300}
COUNTED_BEFORE = 12_345


def observed(per_s: dict[str, int], seconds: int, source: Source = Source.PROMETHEUS) -> tuple[Run, list[Event]]:
    """Pods that answer so many requests a second of whoever asks, read once a second."""
    run = Run("run-1", LoadPlan("http://cart.shop.svc/", duration_s=20), Source.HEADER, 0.0, loaded=False)
    events = run.observe(PodsSample(0.0, tuple(PodSeen(name) for name in per_s)))
    for second in range(seconds + 1):
        counts = {name: COUNTED_BEFORE + n * second for name, n in per_s.items()}
        events += run.observe(CountsSample(float(second), source, counts))
        events += run.observe(Tick(second + 0.1))
    return run, events


def last_of(run: Run) -> Snapshot:
    assert run.last is not None
    return run.last


@pytest.mark.parametrize(
    ("per_s", "source", "kind"),
    [
        (EVEN, Source.PROMETHEUS, VerdictKind.EVEN),
        (HOT, Source.PROMETHEUS, VerdictKind.UNEVEN),
        (HOT, Source.PROXY, VerdictKind.UNEVEN),
    ],
)
def test_windows_and_verdict_come_of_what_the_pods_counted(
    per_s: dict[str, int], source: Source, kind: VerdictKind
) -> None:
    run, events = observed(per_s, 15, source)
    last = last_of(run)
    assert (run.state, last.source, last.verdict.kind) == (RunState.RUNNING, source, kind)
    assert last.requests == 15 * sum(per_s.values())
    assert {pod.name: pod.requests for pod in last.pods} == {name: 15 * n for name, n in per_s.items()}
    assert last.requests_per_s == pytest.approx(sum(per_s.values()))
    assert last.recent_balance.requests == 10 * sum(per_s.values())
    assert (last.unattributed, last.users, last.failures) == (0, 0, 0)
    assert [event for event in events if isinstance(event, AlertRaised)] != [] or kind is VerdictKind.EVEN


def test_it_begins_with_its_first_tick_and_ends_after_its_time() -> None:
    run, events = observed(EVEN, 20)
    states = [(event.elapsed_s, event.state) for event in events if isinstance(event, StateChanged)]
    assert states == [(0, RunState.RUNNING), (20, RunState.FINISHED)]
    assert last_of(run).requests == 20 * sum(EVEN.values())


def test_a_stop_ends_it_at_the_next_tick() -> None:
    run, _ = observed(EVEN, 5)
    run.observe(StopAsked(5.5))
    run.observe(Tick(6.1))
    assert (run.state, last_of(run).requests) == (RunState.STOPPED, 5 * sum(EVEN.values()))


def test_a_source_that_counts_nothing_leaves_a_run_without_data_that_fails_with_a_sentence() -> None:
    run, _ = observed({}, 20)
    assert run.state is RunState.FAILED
    assert run.message != ""
    assert last_of(run).verdict.kind is VerdictKind.NO_DATA


def test_bytes_are_not_taken_for_requests() -> None:
    run, _ = observed(EVEN, 3)
    run.observe(CountsSample(3.5, Source.NETWORK, {"a": 10**9, "b": 0}, approximate=True))
    run.observe(Tick(4.1))
    assert last_of(run).requests == 3 * sum(EVEN.values())
