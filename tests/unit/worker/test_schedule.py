"""Who gets which arrival, and what is said about those that had to wait. No loop: timers expire by hand."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import cast

import pytest

from scale_app.domain.pattern import Pattern
from scale_app.domain.samples import GeneratorHealth
from scale_app.domain.timetable import Leg
from scale_app.worker import schedule as module
from scale_app.worker.schedule import OpenModel, Timers
from scale_app.worker.steering import Share
from scale_app.worker.virtual_user import VirtualUser

STEADY = Pattern()


class FakeTimers:
    """Keeps what was asked for, in order."""

    def __init__(self) -> None:
        self.asked: list[tuple[float, Callable[[], None]]] = []

    def at(self, due_s: float, call: Callable[[], None]) -> None:
        self.asked.append((due_s, call))

    def after(self, delay_s: float, call: Callable[[], None]) -> None:
        self.at(perf_counter() + delay_s, call)


class FakeUser:
    def __init__(self) -> None:
        self.stopping = False
        self.fired: list[tuple[float, float]] = []

    def fire(self, now_s: float, intended_s: float) -> None:
        self.fired.append((now_s, intended_s))


class Clock:
    now_s = 100.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "perf_counter", lambda: clock.now_s)
    return clock


BEGAN_S = 100.0


def schedule_of(rate_per_s: float, pattern: Pattern = STEADY) -> tuple[OpenModel, FakeTimers]:
    timers = FakeTimers()
    schedule = OpenModel(cast(Timers, timers), "constant", pattern)
    schedule.follow(Leg(per_s=rate_per_s), Share(), BEGAN_S)
    return schedule, timers


def begin(schedule: OpenModel, user: FakeUser) -> None:
    schedule.begin(cast(VirtualUser, user))


def expire(timers: FakeTimers, clock: Clock, at_s: float) -> None:
    """Let time pass and let everything expire that is due by then."""
    clock.now_s = at_s
    due = [call for due_s, call in timers.asked if due_s <= at_s]
    timers.asked = [(due_s, call) for due_s, call in timers.asked if due_s > at_s]
    for call in due:
        call()


def test_arrivals_go_to_the_user_that_has_been_free_for_longest(clock: Clock) -> None:
    schedule, timers = schedule_of(10)
    users = [FakeUser(), FakeUser(), FakeUser()]
    for user in users:
        begin(schedule, user)
    for at_s in (100.1001, 100.2001):
        expire(timers, clock, at_s)
    assert [len(user.fired) for user in users] == [1, 1, 0]


def test_an_arrival_without_a_free_user_waits_and_counts_from_when_it_was_due(clock: Clock) -> None:
    schedule, timers = schedule_of(10)
    user = FakeUser()
    begin(schedule, user)
    expire(timers, clock, 100.35)
    assert user.fired == [(100.35, pytest.approx(100.1))]  # nobody was busy, but we were late ourselves
    schedule.ready(cast(VirtualUser, user), 100.4)
    assert user.fired[1] == (100.4, pytest.approx(100.2))
    health = schedule.take(GeneratorHealth())
    assert (health.arrivals, health.late_arrivals, health.dropped_arrivals) == (3, 2, 0)
    assert health.schedule_lag_max_ms == pytest.approx(250)
    later = schedule.take(GeneratorHealth())
    assert (later.arrivals, later.schedule_lag_max_ms, later.schedule_lag_p99_ms) == (3, 0, 0)


def test_the_loop_s_own_lateness_is_not_the_target_s(clock: Clock) -> None:
    schedule, timers = schedule_of(10)
    user = FakeUser()
    begin(schedule, user)
    expire(timers, clock, 100.101)
    assert user.fired == [(100.101, 100.101)]


def test_a_stopped_user_gets_nothing(clock: Clock) -> None:
    schedule, timers = schedule_of(10)
    stopped, user = FakeUser(), FakeUser()
    begin(schedule, stopped)
    begin(schedule, user)
    stopped.stopping = True
    expire(timers, clock, 100.1001)
    assert (len(stopped.fired), len(user.fired)) == (0, 1)


def test_arrivals_that_still_wait_at_the_end_are_dropped(clock: Clock) -> None:
    schedule, timers = schedule_of(10)
    begin(schedule, FakeUser())
    expire(timers, clock, 100.45)
    schedule.end()
    expire(timers, clock, 200)
    health = schedule.take(GeneratorHealth())
    assert (health.arrivals, health.dropped_arrivals) == (4, 3)


def test_the_last_samples_still_tell_how_late_the_last_arrivals_were(clock: Clock) -> None:
    schedule, timers = schedule_of(10)
    begin(schedule, FakeUser())
    expire(timers, clock, 100.35)
    schedule.take(GeneratorHealth())
    schedule.end()
    last = [schedule.take(GeneratorHealth()) for _ in range(2)]
    assert [health.schedule_lag_max_ms for health in last] == pytest.approx([250, 250])
    assert last[0].schedule_lag_p99_ms > 0


def test_a_line_of_waiting_arrivals_is_bounded(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 5)
    schedule, timers = schedule_of(10)
    begin(schedule, FakeUser())
    expire(timers, clock, 101.05)
    health = schedule.take(GeneratorHealth())
    assert (health.arrivals, health.late_arrivals, health.dropped_arrivals) == (10, 5, 4)


def test_a_new_rate_holds_from_now_on_and_sends_nothing_twice(clock: Clock) -> None:
    schedule, timers = schedule_of(1)
    begin(schedule, FakeUser())
    clock.now_s = 100.5
    for per_s in (10, 0, 10):
        schedule.follow(Leg(0.5, 0.5, per_s), Share(), BEGAN_S)
    for step in range(1, 101):
        expire(timers, clock, 100.5 + step / 100)
    assert schedule.take(GeneratorHealth()).arrivals == 10
    assert len(timers.asked) == 1  # those of earlier rates have gone


def test_what_is_due_when_a_word_of_a_new_rate_comes_is_sent_by_the_old_one(clock: Clock) -> None:
    schedule, _ = schedule_of(100)
    begin(schedule, FakeUser())
    clock.now_s = 101.0001
    schedule.follow(Leg(1, 100, 0), Share(), BEGAN_S)
    assert schedule.take(GeneratorHealth()).arrivals == 100


def test_arrivals_come_closer_on_a_ramp_from_nothing(clock: Clock) -> None:
    schedule, timers = schedule_of(10, Pattern("ramp", low=0, period_s=20))
    begin(schedule, FakeUser())
    counts = []
    for at_s in (105, 110, 120, 130):
        expire(timers, clock, at_s + 1e-6)
        counts.append(schedule.take(GeneratorHealth()).arrivals)
    assert counts == [6, 25, 100, 200]


def test_arrivals_cease_after_a_spike(clock: Clock) -> None:
    schedule, timers = schedule_of(10, Pattern("spike", low=0, begins_s=2, period_s=3))
    begin(schedule, FakeUser())
    assert timers.asked[0][0] == pytest.approx(102.1)
    expire(timers, clock, 110)
    assert (schedule.take(GeneratorHealth()).arrivals, timers.asked) == (30, [])


def test_what_was_due_before_the_first_user_is_nobody_s(clock: Clock) -> None:
    schedule, timers = schedule_of(10)
    clock.now_s = 100.75
    begin(schedule, FakeUser())
    expire(timers, clock, 101.05)
    assert schedule.take(GeneratorHealth()).arrivals == 3


def test_users_that_are_there_before_the_first_word_of_a_rate_send_only_from_then_on(clock: Clock) -> None:
    timers = FakeTimers()
    schedule = OpenModel(cast(Timers, timers), "constant", STEADY)
    begin(schedule, FakeUser())
    clock.now_s = 100.75
    schedule.follow(Leg(per_s=10), Share(), BEGAN_S)
    expire(timers, clock, 101.05)
    assert schedule.take(GeneratorHealth()).arrivals == 3


def test_another_share_holds_from_its_number_on(clock: Clock) -> None:
    schedule, timers = schedule_of(10)
    begin(schedule, FakeUser())
    expire(timers, clock, 100.35)
    schedule.follow(Leg(per_s=10), Share(place=1, of=2, since=5.2), BEGAN_S)
    expire(timers, clock, 101.05)
    assert schedule.take(GeneratorHealth()).arrivals == 5 + 3  # 1 to 5, then 6, 8, 10
