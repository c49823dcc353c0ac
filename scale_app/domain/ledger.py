"""What a source has counted since its first reading, pod by pod, whatever becomes of the counters meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

from scale_app.domain.samples import CountsSample


@dataclass(frozen=True, slots=True)
class _Reading:
    count: int
    since: str


class CounterLedger:
    """totals: {pod name: counted since the first reading}; a pod that is gone keeps what it had.

    A counter that is below its last reading, or whose `since` changed, began anew: its container restarted. A pod
    that the first reading did not list came later, so all that it has counted belongs to the run.
    """

    def __init__(self) -> None:
        self.totals: dict[str, int] = {}
        self._last: dict[str, _Reading] = {}
        self._base_unknown: set[str] = set()
        self._begun = False

    def observe(self, sample: CountsSample) -> None:
        """Take the next reading."""
        for pod, count in sample.requests.items():
            reading = _Reading(count, sample.since.get(pod, ""))
            self.totals[pod] = self.totals.get(pod, 0) + self._gained(pod, reading)
            self._last[pod] = reading
        if not self._begun:
            self._base_unknown = set(sample.unread)
        self._base_unknown -= sample.requests.keys()
        self._begun = True

    def _gained(self, pod: str, reading: _Reading) -> int:
        last = self._last.get(pod)
        if last is None:
            return reading.count if self._begun and pod not in self._base_unknown else 0
        restarted = reading.count < last.count or bool(last.since and reading.since and last.since != reading.since)
        return reading.count if restarted else reading.count - last.count
