"""Waiting for a sign of life, measured so that our own sleep is nobody's silence. Pure."""

from __future__ import annotations

MOST_LOOKS = 2


class Lookout:
    """Adds up the seconds for which somebody was waited for.

    We look every `every_s` seconds. When we come much later than that, we stood still ourselves: we were stopped, the
    machine slept, or others had the CPU. Nobody can have been heard meanwhile, so that time counts as two looks.
    """

    def __init__(self, every_s: float, now_s: float) -> None:
        self._most_s = MOST_LOOKS * every_s
        self._looked_s = now_s

    def passed_s(self, now_s: float) -> float:
        """Seconds since the last look that count."""
        passed_s, self._looked_s = now_s - self._looked_s, now_s
        return min(max(passed_s, 0.0), self._most_s)
