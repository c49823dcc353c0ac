"""How many requests of ours had ended at a moment between two samples."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque

KEPT_S = 120.0


class Timeline:
    """The generator's requests over time, of the last KEPT_S seconds; straight lines between the samples."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, int]] = deque()

    @property
    def newest_s(self) -> float | None:
        """Time of the newest point, None without any."""
        return self._points[-1][0] if self._points else None

    @property
    def newest(self) -> int:
        """Requests at the newest point, 0 without any."""
        return self._points[-1][1] if self._points else 0

    def observe(self, at_s: float, requests: int) -> None:
        """At this time, later than those before, so many requests had ended."""
        self._points.append((at_s, requests))
        while len(self._points) > 2 and self._points[1][0] < at_s - KEPT_S:
            self._points.popleft()

    def at(self, at_s: float) -> float:
        """Requests that had ended then, 0 without any point; before the first and after the last as there."""
        points = list(self._points)
        i = bisect_left(points, (at_s, -1))
        if i == 0 or i == len(points):
            return float(points[min(i, len(points) - 1)][1]) if points else 0.0
        (before_s, before), (after_s, after) = points[i - 1], points[i]
        return before + (after - before) * (at_s - before_s) / (after_s - before_s)
