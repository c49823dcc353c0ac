"""Samples in, events out: the states of a run, its snapshots, its alert and its end."""

import pytest

from scale_app.domain.events import (
    AlertCleared,
    AlertRaised,
    Event,
    GeneratorNoticed,
    PlanEdited,
    PodChanged,
    SnapshotTaken,
    StateChanged,
)
from scale_app.domain.plan import LoadPlan
from scale_app.domain.run import Run
from scale_app.domain.samples import (
    GeneratorNotice,
    LoadEnded,
    LoadReady,
    PlanChanged,
    PodCount,
    PodSeen,
    PodsSample,
    Sample,
    StopAsked,
    TrafficSample,
)
from scale_app.domain.snapshot import MOVES, RunState, Source
from tests.fakes_load import observed, traffic


def _run(plan: LoadPlan | None = None) -> Run:
    return Run("run-1", plan or LoadPlan(duration_s=60), Source.DEMO, epoch_offset_s=1_000.0)


def _play(run: Run, *samples: Sample) -> list[Event]:
    return observed(run, *samples)


def _states(events: list[Event]) -> list[RunState]:
    return [event.state for event in events if isinstance(event, StateChanged)]


def test_a_run_that_goes_as_planned_finishes_with_a_last_snapshot() -> None:
    run = _run()
    events = _play(run, LoadReady(100), traffic(101, a=50, b=50), LoadEnded(160))
    assert _states(events) == [RunState.RUNNING, RunState.FINISHED]
    last = events[-1]
    assert isinstance(last, SnapshotTaken)
    assert last.snapshot is run.last
    assert last.snapshot.state is RunState.FINISHED
    assert last.snapshot.balance.score == 1
    assert last.snapshot.remaining_s == 0
    assert last.snapshot.users == 0
    assert last.snapshot.at_epoch_s == 1_160


def test_every_snapshot_says_where_it_stands_among_the_events() -> None:
    run = _run()
    events = _play(run, LoadReady(0), traffic(1, a=5), traffic(2, a=9), LoadEnded(3))
    snapshots = [(at, event.snapshot.seq) for at, event in enumerate(events) if isinstance(event, SnapshotTaken)]
    assert len(snapshots) >= 3
    assert all(at == seq for at, seq in snapshots)


def test_a_snapshot_counts_from_the_first_user_not_from_the_start_of_the_process() -> None:
    run = _run()
    _play(run, LoadReady(100), traffic(110, a=5))
    assert run.last is not None
    assert (run.last.elapsed_s, run.last.remaining_s) == (10, 50)


def test_a_stop_waits_for_the_requests_in_flight() -> None:
    run = _run()
    events = _play(run, LoadReady(0), traffic(1, a=5), StopAsked(2), StopAsked(2), traffic(2.1, a=9), LoadEnded(2.2))
    assert _states(events) == [RunState.RUNNING, RunState.STOPPING, RunState.STOPPED]
    assert run.last is not None
    assert run.last.requests == 9


def test_a_stop_before_the_generator_is_ready_ends_as_stopped() -> None:
    run = _run()
    assert _states(_play(run, StopAsked(0), LoadReady(1), LoadEnded(2))) == [RunState.STOPPING, RunState.STOPPED]


@pytest.mark.parametrize("before", [[], [LoadReady(0)], [LoadReady(0), traffic(1, a=5)], [StopAsked(0)]])
def test_a_generator_that_fails_fails_the_run_whenever_it_happens(before: list[Sample]) -> None:
    run = _run()
    _play(run, *before, LoadEnded(5, "The worker was killed."))
    assert run.state is RunState.FAILED
    assert run.last is not None
    assert run.last.message == run.message == "The worker was killed."


def test_a_run_without_one_good_answer_fails_with_the_reason() -> None:
    run = _run()
    _play(run, LoadReady(0), TrafficSample(1, 5, 9, errors={"timeout": 9}), LoadEnded(3))
    assert run.state is RunState.FAILED
    assert "9 x timeout" in run.message


def test_load_on_a_target_that_never_answers_is_given_up() -> None:
    run = _run(LoadPlan(timeout_s=1))
    refused = [TrafficSample(second, 5, second * 9, errors={"timeout": second * 9}) for second in range(1, 11)]
    _play(run, LoadReady(0), *refused)
    assert run.state is RunState.FAILED
    assert run.last is not None
    assert run.last.state is RunState.FAILED


def test_nothing_happens_after_the_end() -> None:
    run = _run()
    _play(run, LoadReady(0), traffic(1, a=5), LoadEnded(2))
    assert _play(run, traffic(3, a=9), LoadEnded(4), StopAsked(5)) == []


def test_a_three_to_one_weight_is_alerted_within_ten_seconds_and_cleared_when_mended() -> None:
    run = _run()
    events = _play(run, LoadReady(0), *[traffic(s, a=s * 300, b=s * 100, c=s * 100) for s in range(1, 11)])
    raised = next(event for event in events if isinstance(event, AlertRaised))
    assert raised.elapsed_s <= 10
    assert run.last is not None
    assert run.last.alert == raised.alert
    fixed = [traffic(10 + s, a=3000 + s * 100, b=1000 + s * 100, c=1000 + s * 100) for s in range(1, 30)]
    events = _play(run, *fixed)
    cleared = [event.alert for event in events if isinstance(event, AlertCleared)]
    assert [(alert.rule, alert.raised_at_s) for alert in cleared] == [("verdict", raised.alert.raised_at_s)]
    assert run.last.alert is None


def test_nothing_is_alerted_inside_the_warm_up() -> None:
    run = _run(LoadPlan(duration_s=60, warm_up_s=20, max_failure_share=0.01))
    cold = [
        TrafficSample(s, 5, s * 420, {"a": PodCount(s * 300), "b": PodCount(s * 100)}, errors={"timeout": s * 20})
        for s in range(1, 20)
    ]
    events = _play(run, LoadReady(0), *cold)
    warm = [traffic(s, a=s * 100 + 6000, b=s * 100 + 2000) for s in range(20, 40)]
    events += _play(run, *warm)
    assert [event for event in events if isinstance(event, AlertRaised)] == []


def test_pods_that_come_and_go_are_events_on_the_runs_own_time() -> None:
    run = _run()
    pods = [PodsSample(100, (PodSeen("a"),)), LoadReady(100), PodsSample(104, (PodSeen("a"), PodSeen("b")))]
    assert [e for e in _play(run, *pods) if isinstance(e, PodChanged)] == [PodChanged(4, "b", "joined")]


def test_an_edit_is_an_event_and_the_runs_new_plan() -> None:
    run = _run()
    events = _play(run, LoadReady(0), PlanChanged(3, users=7, spawn_rate=2))
    assert events[-1] == PlanEdited(3, run.plan)
    assert (run.plan.users, run.plan.spawn_rate) == (7, 2)


def test_a_pod_that_stands_out_is_named_and_the_others_are_not() -> None:
    run = _run()
    pods = PodsSample(0, (PodSeen("a"), PodSeen("b"), PodSeen("c"), PodSeen("d")))
    _play(run, pods, LoadReady(0), traffic(5, a=1000, b=1000, c=1000, d=500))
    assert run.last is not None
    rows = {pod.name: pod for pod in run.last.pods}
    assert rows["d"].outlier
    assert rows["d"].against_fair == pytest.approx(500 / 875 - 1)
    assert rows["a"].share == pytest.approx(1000 / 3500)


def test_what_befell_the_generator_is_an_event_and_stays_said_after_the_end() -> None:
    run = _run()
    events = _play(run, LoadReady(0.0), traffic(1.0, a=5), GeneratorNotice(1.5, "One of 2 processes ended."))
    assert events[-1] == GeneratorNoticed(1.5, "One of 2 processes ended.")
    _play(run, traffic(2.0, a=9), LoadEnded(2.5))
    assert (run.state, run.message) == (RunState.FINISHED, "One of 2 processes ended.")
    assert run.last is not None
    assert run.last.message == "One of 2 processes ended."


def test_same_samples_same_events() -> None:
    samples = [LoadReady(0), *[traffic(s, a=s * 30, b=s * 11, c=s * 9) for s in range(1, 20)], LoadEnded(20)]
    assert _play(_run(), *samples) == _play(_run(), *samples)


def test_every_active_state_may_fail_and_ends_lead_nowhere() -> None:
    assert all(RunState.FAILED in MOVES[state] for state in RunState if state.active)
    assert all(state not in MOVES for state in RunState if not state.active)
