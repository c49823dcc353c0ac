"""Whose requests the pods answered beside ours: their own counts against those of the load generator.

The two are never read at the same moment. So a pod's count is compared with what the generator had counted *later*:
requests of ours can then be missing from the excess, but never be taken for somebody else's.
"""

from __future__ import annotations

from collections.abc import Mapping

from scale_app.domain.samples import PodsSample, TrafficSample


class ForeignTraffic:
    """excess: {pod name: requests beyond ours since the first count, at least}, None while nothing can be said."""

    def __init__(self) -> None:
        self.excess: Mapping[str, int] | None = None
        self._before: Mapping[str, int] | None = None
        self._waiting: PodsSample | None = None

    def pods_seen(self, sample: PodsSample) -> None:
        """Take the pods' own counts, if the sample has them; the first ones are where counting begins."""
        if sample.answered is None:
            return
        if self._before is None:
            self._before = sample.answered
        elif self._waiting is None:
            self._waiting = sample

    def traffic_seen(self, sample: TrafficSample) -> None:
        """Compare the pods' counts that are waiting, once ours are the later ones."""
        waiting = self._waiting
        if waiting is None or waiting.answered is None or sample.at_s < waiting.at_s:
            return
        before = self._before or {}
        ours = {name: count.requests for name, count in sample.pods.items()}
        self.excess = {
            name: max(0, answered - before.get(name, 0) - ours.get(name, 0))
            for name, answered in waiting.answered.items()
        }
        self._waiting = None
