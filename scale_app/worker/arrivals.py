"""The open model: requests arrive at their times however slow the answers are, and the wait counts as latency.

A generator that waits for a slow answer before it sends on would leave out the very requests that would have been
slow (coordinated omission). Here an arrival without a free user waits in line, and its latency began when it was due.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import Literal

from scale_app.domain.histogram import Histogram, bucket_of
from scale_app.domain.pattern import Pattern
from scale_app.domain.samples import GeneratorHealth
from scale_app.domain.timetable import NEVER_S, Leg, Timetable
from scale_app.worker.alarms import Alarms
from scale_app.worker.slot import Slot
from scale_app.worker.turns import Share, Turns

MOST_WAITING = 100_000
OWN_LATENESS_S = 0.002
"""So late the event loop's own resolution may make us; the target is not blamed for it."""


class OpenPace:
    """Hands arrivals to free users in turn, so that all connections take part."""

    def __init__(self, alarms: Alarms, spacing: Literal["constant", "poisson"], pattern: Pattern) -> None:
        self._alarms = alarms
        self._table = Timetable(pattern)
        self._turns = Turns(spacing, Share())
        self._share: Share | None = None
        self._free: deque[Slot] = deque()
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
            self._turns.change(share)
            self._number = self._turns.after(self._passed(now_s))
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

    def begin(self, slot: Slot) -> None:
        """A user has started; the first one starts the arrivals: what was due before there was any is nobody's."""
        now_s = perf_counter()
        self.ready(slot, now_s)
        if not self._begun:
            self._begun = True
            self._number = self._turns.after(self._passed(now_s))
            self._plan()

    def ready(self, slot: Slot, now_s: float) -> None:
        if self._waiting:
            slot.fire(now_s, self._waiting.popleft())
        else:
            self._free.append(slot)

    def hurt(self, slot: Slot) -> None:
        """The plan's rate is the bound of what a failing target gets; only the call stack must not grow."""
        self._alarms.after(0.0, partial(self._again, slot))

    def _again(self, slot: Slot) -> None:
        if not slot.stopping:
            self.ready(slot, perf_counter())

    # -- the schedule

    def _passed(self, now_s: float) -> float:
        """Up to which number everything has been sent, or is nobody's any more."""
        return max(self._last, self._table.due(now_s - self._origin_s))

    def _plan(self) -> None:
        sending = self._begun and not self._over
        self._due_s = self._origin_s + self._table.time_of(self._number) if sending else NEVER_S
        if self._due_s < NEVER_S:
            self._alarms.at(self._due_s, self._tick)

    def _tick(self) -> None:
        now_s = perf_counter()
        if now_s >= self._due_s:  # else it is an alarm of an earlier plan
            self._send_due(now_s)
            self._plan()

    def _send_due(self, now_s: float) -> None:
        table, turns = self._table, self._turns
        while self._due_s <= now_s:
            self._arrive(self._due_s, now_s)
            self._last = self._number
            self._number = turns.after(self._last)
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
            slot = free.popleft()
            if not slot.stopping:
                slot.fire(now_s, due_s if lag_s > OWN_LATENESS_S else now_s)
                return
        if len(self._waiting) < MOST_WAITING:
            self._late += 1
            self._waiting.append(due_s)
        else:
            self._dropped += 1
