"""The closed model: a user thinks after each answer, and waits longer and longer after each failure."""

from __future__ import annotations

import random

from scale_app.worker.alarms import Alarms
from scale_app.worker.slot import Slot

BACKOFF_FIRST_S = 0.1
BACKOFF_MOST_S = 2.0
MOST_SPREAD_S = 1.0


class ClosedPace:
    """Every user sends after its own last answer, so that a slow target gets fewer requests."""

    def __init__(self, alarms: Alarms, think_time_s: float) -> None:
        self._alarms = alarms
        self._think_time_s = think_time_s

    def begin(self, slot: Slot) -> None:
        """A user's first request.

        Locust starts a second's users in one instant; without a spread they would stay in step and wait for one
        another, which is no latency of the target.
        """
        self._alarms.after(random.uniform(0, min(self._think_time_s, MOST_SPREAD_S)), slot.wake)

    def ready(self, slot: Slot, now_s: float) -> None:
        if self._think_time_s:
            self._alarms.at(now_s + self._think_time_s, slot.wake)
        else:
            slot.fire(now_s, now_s)

    def hurt(self, slot: Slot) -> None:
        """No hot loop against a target that refuses."""
        self._alarms.after(min(BACKOFF_FIRST_S * 2 ** min(slot.failures - 1, 10), BACKOFF_MOST_S), slot.wake)
