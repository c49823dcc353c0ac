"""Deadlines of requests, and whose fault a late look is."""

from __future__ import annotations

from typing import cast

import pytest

from scale_app.worker import virtual_user
from scale_app.worker.virtual_user import DeadlineSweep, VirtualUser

TIMEOUT_S = 5.0


class FakeUser:
    def __init__(self, sent_s: float) -> None:
        self.sent_s = sent_s
        self.timed_out = False

    def excuse(self, seconds: float) -> None:
        self.sent_s += seconds

    def time_out(self, sent_before_s: float) -> None:
        self.timed_out = self.sent_s < sent_before_s


class Clock:
    now_s = 100.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(virtual_user, "perf_counter", lambda: clock.now_s)
    return clock


def swept(clock: Clock, user: FakeUser, *times_s: float) -> bool:
    """Sweeps at these times. True when the request was ended by the last one."""
    sweep = DeadlineSweep({cast(VirtualUser, user)}, TIMEOUT_S)
    for at_s in times_s:
        clock.now_s = at_s
        sweep.sweep()
    return user.timed_out


def times(first_s: float, last_s: float) -> list[float]:
    return [first_s + step / 10 for step in range(round((last_s - first_s) * 10) + 1)]


def test_a_request_ends_at_its_deadline(clock: Clock) -> None:
    assert not swept(clock, FakeUser(100), *times(100.1, 105))


def test_a_request_ends_after_its_deadline(clock: Clock) -> None:
    assert swept(clock, FakeUser(100), *times(100.1, 105.1))


def test_while_this_process_stands_still_no_deadline_comes_nearer(clock: Clock) -> None:
    user = FakeUser(100)
    assert not swept(clock, user, *times(100.1, 102), *times(3_702.1, 3_704))
    assert swept(clock, user, *times(3_704.1, 3_706))


def test_a_sweep_that_is_a_little_late_excuses_nothing(clock: Clock) -> None:
    assert swept(clock, FakeUser(100), 100.1, 101, 102, 103, 104, 105, 105.9)
