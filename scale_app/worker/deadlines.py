"""Ends requests at their deadline; time in which this process stood still is not counted against the target."""

from __future__ import annotations

from time import perf_counter

from scale_app.worker.slot import Slot

SWEEPS_PER_TIMEOUT = 10
SHORTEST_SWEEP_S = 0.02
LONGEST_SWEEP_S = 0.1
STOOD_STILL_S = 1.0
"""A sweep that is so late shows that this process was stopped, or that the machine slept."""


class Sweep:
    """every_s: how often to call `sweep`. slots: of all users, also of those to come. timeout_s: of a request."""

    def __init__(self, slots: set[Slot], timeout_s: float) -> None:
        self.every_s = max(SHORTEST_SWEEP_S, min(timeout_s / SWEEPS_PER_TIMEOUT, LONGEST_SWEEP_S))
        self._slots = slots
        self._timeout_s = timeout_s
        self._swept_s = perf_counter()

    def sweep(self) -> None:
        """End what is over its deadline now."""
        now_s, slots = perf_counter(), tuple(self._slots)
        late_s, self._swept_s = now_s - self._swept_s, now_s
        if late_s > STOOD_STILL_S:
            for slot in slots:
                slot.excuse(late_s)
        for slot in slots:
            slot.time_out(now_s - self._timeout_s)
