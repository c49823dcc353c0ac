"""Many waits on one timer of the event loop: thinking, backing off and arriving cost a heap entry each, no greenlet."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from time import perf_counter
from typing import Any

SHORTEST_WAIT_S = 0.0005
"""Alarms that are closer together ring in one turn of the loop, whose own resolution is a millisecond."""


class Alarms:
    """Calls back after a delay. An alarm cannot be taken back: what it calls must know whether it still matters."""

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
        self._timer.start(self._ring)

    def _ring(self) -> None:
        waiting, now_s = self._waiting, perf_counter()
        self._armed_for_s = 0.0  # nobody arms while these are called
        while waiting and waiting[0][0] <= now_s:
            heappop(waiting)[2]()
        self._armed_for_s = float("inf")
        if waiting:
            self._arm(waiting[0][0])
