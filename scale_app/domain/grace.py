"""Patience with normal change: pods that have just become ready, or begun to end.

kube-proxy and other proxies learn of an endpoint up to some seconds after the cluster does, and connections that are
open stay where they are. So a pod that became ready is expected to share once it has got about its share, and a pod
that ends is expected to get nothing once that time is over; both after GRACE_S at the latest.
"""

from __future__ import annotations

from collections.abc import Mapping

from scale_app.domain.events import PodChange
from scale_app.domain.samples import PodSeen

GRACE_S = 10.0
ITS_SHARE_FROM = 0.9


class Grace:
    """Which pods are in their grace. Times (at_s) are those of samples."""

    def __init__(self) -> None:
        self._came_s: dict[str, float] = {}
        self._ends_s: dict[str, float] = {}

    @property
    def pods(self) -> frozenset[str]:
        return frozenset((*self._came_s, *self._ends_s))

    @property
    def arriving(self) -> int:
        """How many of them became ready."""
        return len(self._came_s)

    def changed(self, at_s: float, name: str, change: PodChange, pod: PodSeen | None) -> None:
        """Take a change of a pod, which is None when it is not listed any more."""
        if pod is None or pod.terminating or not pod.ready:
            self._came_s.pop(name, None)
            if change in ("terminating", "unready", "left"):
                self._ends_s.setdefault(name, at_s)
        else:
            self._ends_s.pop(name, None)
            self._came_s[name] = at_s

    def excused(self, at_s: float, got: Mapping[str, int], due: Mapping[str, float]) -> dict[str, float]:
        """What pods in grace expect of an interval that ends at this time: what they got.

        due: what each ready pod would expect without grace; who got about that needs no more patience afterwards.
        """
        for since_s in (self._came_s, self._ends_s):
            for name in [name for name, began_s in since_s.items() if at_s - began_s > GRACE_S]:
                del since_s[name]
        excused = {name: float(got.get(name, 0)) for name in self.pods}
        for name in [name for name in self._came_s if 0 < ITS_SHARE_FROM * due.get(name, 0.0) <= excused[name]]:
            del self._came_s[name]
        return excused
