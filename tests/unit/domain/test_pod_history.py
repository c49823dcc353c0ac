"""Pods over time: nothing counted is lost, nothing grows without bound."""

from dataclasses import replace

import numpy as np
import pytest

from scale_app.domain.events import SnapshotTaken
from scale_app.domain.plan import LoadPlan
from scale_app.domain.pod_history import MOST_COLUMNS, MOST_PODS, PodHistory, fair_shares, spread
from scale_app.domain.run import Run
from scale_app.domain.samples import LoadReady, PodSeen, PodsSample
from scale_app.domain.snapshot import Source
from tests.fakes_load import observed, traffic
from tests.unit.ui.samples import pods, snapshot


def at(elapsed_s, *requests):
    return snapshot(*requests, elapsed_s=float(elapsed_s))


def test_each_second_holds_what_was_counted_in_it_and_the_fair_part_of_that():
    times = PodHistory([at(1, 10, 10), at(2, 40, 20)]).times()
    assert times.names == ("api-7d9c6b5f4-p0000", "api-7d9c6b5f4-p0001")
    assert times.requests.tolist() == [[10, 30], [10, 10]]
    assert times.expected == pytest.approx(np.array([[10, 20], [10, 20]]))


@pytest.mark.parametrize("end_s", [3.0, 3.07, 3.4])
def test_a_last_second_that_comes_late_leaves_no_second_empty(end_s):
    times = PodHistory([at(1, 10, 10), at(2, 20, 20), at(end_s, 30, 30)]).times()
    assert times.requests.tolist() == [[10, 10, 10], [10, 10, 10]]


@pytest.mark.parametrize("late_s", [1.9, 2.2, 3.0, 4.4])
def test_moments_that_are_further_apart_than_a_second_leave_none_of_the_seconds_between_them_empty(late_s):
    """On a busy machine: what two seconds brought stood in one of them, double, and the other was blank."""
    moments = [at(1, 10, 30), at(2, 20, 60), at(2 + late_s, 20 + 10 * late_s, 60 + 30 * late_s)]
    after = [at(2 + late_s + more, 20 + 10 * (late_s + more), 60 + 30 * (late_s + more)) for more in (1, 2)]
    times = PodHistory([*moments, *after]).times()
    assert (times.expected > 0).all()
    assert times.requests.sum(axis=1).tolist() == pytest.approx([20 + 10 * (late_s + 2), 60 + 30 * (late_s + 2)])
    assert times.requests[0].max() < 20


def test_a_last_look_at_which_nothing_more_was_counted_is_no_second_without_ready_pods():
    times = PodHistory([at(1, 10, 10), at(2, 20, 20), at(3, 20, 20), at(4, 30, 30), at(6, 30, 30)]).times()
    assert times.requests.tolist() == [[10, 10, 0, 10], [10, 10, 0, 10]]


def test_a_long_run_keeps_every_request_in_longer_spans():
    history = PodHistory(at(second, 3 * second, second) for second in range(1, 3_601))
    times = history.times()
    assert times.requests.shape[1] <= MOST_COLUMNS
    assert times.span_s == 32
    assert times.requests.sum(axis=1).tolist() == [10_800, 3_600]
    assert times.requests[:, 5].tolist() == [96, 32]


def test_a_pod_that_comes_later_has_nothing_before():
    late = PodHistory([at(1, 10), at(2, 20, 10)]).times()
    assert late.requests.tolist() == [[10, 10], [0, 10]]
    assert late.expected[1, 0] == 0


def test_the_end_of_a_warm_up_begins_anew():
    times = PodHistory([at(1, 100, 100), at(2, 4, 6)]).times()
    assert times.requests.tolist() == [[100, 4], [100, 6]]


def test_a_pod_that_is_gone_expects_nothing_more():
    gone = replace(at(3, 10, 30), pods=pods(10, 30))
    both = replace(at(2, 10, 10), pods=pods(10, 10))
    uneven = [
        replace(pod, against_fair=pod.share / fair - 1) for pod, fair in zip(gone.pods, (0.25, 0.75), strict=True)
    ]
    times = PodHistory([both, replace(gone, pods=tuple(uneven))]).times()
    assert times.expected[:, -1] == pytest.approx([0, 20])


def test_pods_without_end_are_not_remembered_without_end():
    history = PodHistory()
    for second in range(1, 5):
        row = pods(*[5] * 1_000)
        named = tuple(replace(pod, name=f"{pod.name}-{second}") for pod in row)
        history.take(replace(at(second, 5), pods=named))
    assert len(history.times().names) == MOST_PODS


def test_no_pod_yet_is_no_row():
    times = PodHistory([replace(at(1, 1), pods=())]).times()
    assert times.requests.shape == (0, 1)


def test_fair_shares_of_pods_without_a_request_are_what_is_left():
    row = pods(3, 1, 0, 0)
    assert fair_shares(row) == pytest.approx([0.25] * 4)


@pytest.mark.parametrize(("count", "most", "wanted"), [(0, 3, []), (1, 3, [0]), (5, 3, [0, 2, 4]), (3, 9, [0, 1, 2])])
def test_spread_takes_both_ends(count, most, wanted):
    assert spread(count, most) == wanted


def played(*samples, roster=()):
    """The snapshots of a run with these samples, and the names of its pods in the order of the history's rows."""
    run = Run("r1", LoadPlan(duration_s=60), Source.HEADER, 0.0)
    history = PodHistory()
    for sample in [*roster, LoadReady(0.0), *samples]:
        for event in observed(run, sample):
            if isinstance(event, SnapshotTaken):
                history.take(event.snapshot)
    return history.times()


def test_pods_that_never_became_ready_leave_the_others_their_fair_share():
    """Eight pods that crash again and again beside four that work: each of the four is due a quarter, not 1 in 12."""
    listed = tuple(PodSeen(name, ready=name in "abcd") for name in "abcdefghijkl")
    # d, though ready, answers nothing before the third second
    samples = [traffic(s, a=40 * s, b=40 * s, c=40 * s, **({"d": 1} if s > 2 else {})) for s in range(1, 6)]
    times = played(*samples, roster=[PodsSample(0.0, listed)])
    due = dict(zip(times.names, (times.expected / times.requests.sum(axis=0)).tolist(), strict=True))
    assert due["a"] == pytest.approx([0.25] * 5, abs=1e-3)
    assert due["d"] == pytest.approx([0.25] * 5, abs=1e-3)
    assert due["e"] == [0] * 5


def test_the_fair_part_does_not_jump_when_a_pod_leaves():
    before = [traffic(s, a=30 * s, b=30 * s, c=30 * s) for s in range(1, 4)]
    pods = [PodSeen(name) for name in "abc"]
    left = PodsSample(3.0, tuple(pods[:2]))
    after = [traffic(s, a=90 + 45 * (s - 3), b=90 + 45 * (s - 3), c=90) for s in range(4, 8)]
    times = played(*before, left, *after, roster=[PodsSample(0.0, tuple(pods))])
    assert times.expected == pytest.approx(
        np.array([[30] * 3 + [45] * 4, [30] * 3 + [45] * 4, [30] * 3 + [0] * 4]), abs=0.1
    )


def test_a_snapshot_of_an_earlier_version_says_nothing_of_what_was_due_and_is_read_back():
    assert all(pod.expected is None for pod in pods(10, 30))
    assert PodHistory([at(1, 10, 30)]).times().expected == pytest.approx(np.array([[20], [20]]))
