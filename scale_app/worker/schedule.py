"""When virtual users send: the closed model and the open one, both on one timer of the event loop.

In the closed model a user thinks after each answer and waits longer and longer after each failure. In the open model
requests arrive at their times however slow the answers are, and the wait counts as latency: a generator that waits for
a slow answer before it sends on would leave out the very requests that would have been slow (coordinated omission).
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from heapq import heappop, heappush
from itertools import count
from time import perf_counter
from typing import Any, Literal

from scale_app.domain.histogram import Histogram, bucket_of
from scale_app.domain.pattern import NEVER_S, Pattern
from scale_app.domain.samples import GeneratorHealth
from scale_app.domain.timetable import Leg, Timetable
from scale_app.worker.steering import ALL_ARRIVALS, OwnArrivals, Share
from scale_app.worker.virtual_user import VirtualUser

SHORTEST_WAIT_S = 0.0005
"""Timers that are closer together expire in one turn of the loop, whose own resolution is a millisecond."""
BACKOFF_FIRST_S = 0.1
BACKOFF_MOST_S = 2.0
MOST_SPREAD_S = 1.0
MOST_WAITING = 100_000
OWN_LATENESS_S = 0.002
"""So late the event loop's own resolution may make us; the target is not blamed for it."""


class Timers:
    """Many waits on one timer of the event loop: each costs a heap entry, no greenlet.

    Calls back after a delay. A timer cannot be taken back: what it calls must know whether it still matters."""

    __slots__ = ("_armed_for_s", "_loop", "_order", "_timer", "_waiting")

    def __init__(self, loop: Any) -> None:
        self._loop = loop
        self._waiting: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._timer: Any = None
        self._armed_for_s = float("inf")

    def after(self, delay_s: float, call: Callable[[], None]) -> None:
        """Call once after the delay (seconds), never from inside this method."""
        self.at(perf_counter() + delay_s, call)

    def at(self, due_s: float, call: Callable[[], None]) -> None:
        """Call once when `perf_counter()` has reached this time."""
        heappush(self._waiting, (due_s, next(self._order), call))
        if due_s < self._armed_for_s:
            self._arm(due_s)

    def _arm(self, due_s: float) -> None:
        if self._timer is not None:
            self._timer.close()
        self._armed_for_s = due_s
        self._timer = self._loop.timer(max(due_s - perf_counter(), SHORTEST_WAIT_S))
        self._timer.start(self._expire)

    def _expire(self) -> None:
        waiting, now_s = self._waiting, perf_counter()
        self._armed_for_s = 0.0  # nobody arms while these are called
        while waiting and waiting[0][0] <= now_s:
            heappop(waiting)[2]()
        self._armed_for_s = float("inf")
        if waiting:
            self._arm(waiting[0][0])


class ClosedModel:
    """The closed model: every user sends after its own last answer, so that a slow target gets fewer requests."""

    def __init__(self, timers: Timers, think_time_s: float) -> None:
        self._timers = timers
        self._think_time_s = think_time_s

    def begin(self, user: VirtualUser) -> None:
        """A user's first request.

        Locust starts a second's users in one instant; without a spread they would stay in step and wait for one
        another, which is no latency of the target.
        """
        self._timers.after(random.uniform(0, min(self._think_time_s, MOST_SPREAD_S)), user.wake)

    def ready(self, user: VirtualUser, now_s: float) -> None:
        if self._think_time_s:
            self._timers.at(now_s + self._think_time_s, user.wake)
        else:
            user.fire(now_s, now_s)

    def failed(self, user: VirtualUser) -> None:
        """No hot loop against a target that refuses."""
        self._timers.after(min(BACKOFF_FIRST_S * 2 ** min(user.failures - 1, 10), BACKOFF_MOST_S), user.wake)


class OpenModel:
    """The open model: gives arrivals to free users in turn, so that all connections take part.

    An arrival without a free user waits in line, and its latency began when it was due.
    """

    def __init__(self, timers: Timers, spacing: Literal["constant", "poisson"], pattern: Pattern) -> None:
        self._timers = timers
        self._table = Timetable(pattern)
        self._own = OwnArrivals(spacing, ALL_ARRIVALS)
        self._share: Share | None = None
        self._free: deque[VirtualUser] = deque()
        self._waiting: deque[float] = deque()
        self._origin_s = 0.0
        self._number = self._last = 0.0
        self._due_s = NEVER_S
        self._begun = self._over = False
        self._arrivals = self._late = self._dropped = 0
        self._lags: dict[int, int] = {}
        self._worst_lag_s = 0.0
        self._told_ms = (0.0, 0.0)

    def follow(self, leg: Leg, share: Share, origin_s: float) -> None:
        """From the leg's begin on its rate holds, and this share of it is ours. origin_s: perf_counter() at the run's.

        What was due before stays due.
        """
        now_s = perf_counter()
        self._send_due(now_s)
        self._table.follow(leg)
        self._origin_s = origin_s
        if share != self._share:
            self._share = share
            self._own.change(share)
            self._number = self._own.after(self._passed(now_s))
        self._plan()

    def take(self, health: GeneratorHealth) -> GeneratorHealth:
        """The health with what is known here; lags are those since the last call.

        When the arrivals have ended and none came since, those told last stay: the last sample is the one that is kept.
        """
        if self._lags or not self._over:
            worst_ms = self._worst_lag_s * 1_000
            self._told_ms = min(Histogram(self._lags).quantile_ms(0.99) or 0.0, worst_ms), worst_ms
        self._lags, self._worst_lag_s = {}, 0.0
        lag_ms, worst_ms = self._told_ms
        return replace(
            health,
            arrivals=self._arrivals,
            late_arrivals=self._late,
            dropped_arrivals=self._dropped,
            schedule_lag_p99_ms=lag_ms,
            schedule_lag_max_ms=worst_ms,
        )

    def end(self) -> None:
        """No more arrivals; those that still wait are given up."""
        self._over = True
        self._plan()
        self._dropped += len(self._waiting)
        self._waiting.clear()

    # -- what users tell

    def begin(self, user: VirtualUser) -> None:
        """A user has started; the first one starts the arrivals: what was due before there was any is nobody's."""
        now_s = perf_counter()
        self.ready(user, now_s)
        if not self._begun:
            self._begun = True
            self._number = self._own.after(self._passed(now_s))
            self._plan()

    def ready(self, user: VirtualUser, now_s: float) -> None:
        if self._waiting:
            user.fire(now_s, self._waiting.popleft())
        else:
            self._free.append(user)

    def failed(self, user: VirtualUser) -> None:
        """The plan's rate is the bound of what a failing target gets; only the call stack must not grow."""
        self._timers.after(0.0, partial(self._again, user))

    def _again(self, user: VirtualUser) -> None:
        if not user.stopping:
            self.ready(user, perf_counter())

    # -- the schedule

    def _passed(self, now_s: float) -> float:
        """Up to which number everything has been sent, or is nobody's any more."""
        return max(self._last, self._table.due(now_s - self._origin_s))

    def _plan(self) -> None:
        sending = self._begun and not self._over
        self._due_s = self._origin_s + self._table.time_of(self._number) if sending else NEVER_S
        if self._due_s < NEVER_S:
            self._timers.at(self._due_s, self._tick)

    def _tick(self) -> None:
        now_s = perf_counter()
        if now_s >= self._due_s:  # else it is a timer of an earlier plan
            self._send_due(now_s)
            self._plan()

    def _send_due(self, now_s: float) -> None:
        table, own = self._table, self._own
        while self._due_s <= now_s:
            self._arrive(self._due_s, now_s)
            self._last = self._number
            self._number = own.after(self._last)
            self._due_s = self._origin_s + table.time_of(self._number)

    def _arrive(self, due_s: float, now_s: float) -> None:
        self._arrivals += 1
        lag_s = now_s - due_s
        bucket = bucket_of(lag_s)
        self._lags[bucket] = self._lags.get(bucket, 0) + 1
        if lag_s > self._worst_lag_s:
            self._worst_lag_s = lag_s
        free = self._free
        while free:
            user = free.popleft()
            if not user.stopping:
                user.fire(now_s, due_s if lag_s > OWN_LATENESS_S else now_s)
                return
        if len(self._waiting) < MOST_WAITING:
            self._late += 1
            self._waiting.append(due_s)
        else:
            self._dropped += 1
