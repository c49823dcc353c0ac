"""Which snapshots are kept whole."""

from dataclasses import replace

import pytest

from scale_app.adapters.store.upkeep import Thinned
from scale_app.domain.alert import Alert
from scale_app.domain.events import AlertCleared, AlertRaised, PlanEdited, PodChanged, SnapshotTaken, StateChanged
from scale_app.domain.plan import LoadPlan
from scale_app.domain.snapshot import RunState
from tests.fakes import a_snapshot

ALERT = Alert("verdict", 0.8, 0.95, "Uneven.", 3.0)


def second(n, state=RunState.RUNNING):
    return SnapshotTaken(float(n), replace(a_snapshot(seq=n), state=state))


def kept(events, batch):
    thinned, whole = Thinned(), []
    for first in range(0, len(events), batch):
        some, thinned = thinned.and_then(events[first : first + batch])
        whole.extend(some)
    return [event.elapsed_s for event, kept in zip(events, whole, strict=True) if kept]


@pytest.mark.parametrize("batch", [1, 3, 99])
def test_one_in_ten_seconds_is(batch):
    assert kept([second(n) for n in range(1, 33)], batch) == [1, 11, 21, 31]


@pytest.mark.parametrize("batch", [1, 3, 99])
@pytest.mark.parametrize(
    "turn",
    [
        AlertRaised(4.5, ALERT),
        AlertCleared(4.5, ALERT),
        PlanEdited(4.5, LoadPlan()),
        StateChanged(4.5, RunState.STOPPING),
    ],
)
def test_the_next_one_after_a_turn_is(batch, turn):
    events = [*(second(n) for n in range(1, 5)), turn, *(second(n) for n in range(5, 8))]
    assert kept(events, batch) == [1, 4.5, 5]


def test_a_pod_that_comes_or_goes_is_no_turn():
    assert kept([second(1), PodChanged(1.5, "pod-0", "left"), second(2)], 1) == [1, 1.5]


def test_every_one_of_a_run_that_begins_or_ends_is():
    assert kept([second(1), second(2, RunState.STOPPING), second(3, RunState.FINISHED)], 1) == [1, 2, 3]


def test_a_clock_that_went_back_starts_anew():
    assert kept([second(20), second(3), second(4)], 1) == [20, 3]
