"""Patience with normal change: pods that have just become ready, or begun to end.

kube-proxy and other proxies learn of an endpoint up to some seconds after the cluster does, and connections that are
open stay where they are. So a pod that became ready is expected to share once it has got about its share, and a pod
that ends is expected to get nothing once that time is over; both after GRACE_S at the latest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scale_app.domain.events import PodChange
from scale_app.domain.rise import Rise
from scale_app.domain.samples import PodSeen

GRACE_S = 10.0
ITS_SHARE_FROM = 0.9
IDLE_BELOW = 0.1


@dataclass(slots=True)
class Late:
    """A pod that came and did not get its share at once. Times as those of samples.

    got, due: requests from its coming until taken_s, when it got about its share for the first time; None for not yet.
    """

    came_s: float
    got: float = 0.0
    due: float = 0.0
    taken_s: float | None = None

    @property
    def idle(self) -> bool:
        """True when it had next to nothing until then: less than a balancer gives that knows it."""
        return self.got < IDLE_BELOW * self.due


class Grace:
    """Which pods are in their grace; late: those of the new ones that did not get their share in it, or have not yet.
    rises: of all that came and did not go, how they got their share.

    Times (at_s) are those of samples.
    """

    def __init__(self) -> None:
        self._came_s: dict[str, float] = {}
        self._ends_s: dict[str, float] = {}
        self.late: dict[str, Late] = {}
        self.rises: dict[str, Rise] = {}

    @property
    def pods(self) -> frozenset[str]:
        return frozenset((*self._came_s, *self._ends_s))

    @property
    def arriving(self) -> int:
        """How many of them became ready."""
        return len(self._came_s)

    def changed(self, at_s: float, name: str, change: PodChange, pod: PodSeen | None) -> None:
        """Take a change of a pod, which is None when it is not listed any more."""
        self.late.pop(name, None)
        self.rises.pop(name, None)
        if pod is None or pod.terminating or not pod.ready:
            self._came_s.pop(name, None)
            if change in ("terminating", "unready", "left"):
                self._ends_s.setdefault(name, at_s)
        else:
            self._ends_s.pop(name, None)
            self._came_s[name] = at_s
            self.rises[name] = Rise(at_s)

    def excused(self, at_s: float, got: Mapping[str, int], due: Mapping[str, float]) -> dict[str, float]:
        """What pods in grace expect of an interval that ends at this time: what they got.

        got: by each of these, and by those that are late or rise. due: what each ready pod would expect without grace;
        who got about that needs no more patience afterwards.
        """
        self._note_late(at_s, got, due)
        for name, rise in self.rises.items():
            rise.add(at_s, got.get(name, 0), due.get(name, 0.0))
        for since_s in (self._came_s, self._ends_s):
            for name in [name for name, began_s in since_s.items() if at_s - began_s > GRACE_S]:
                del since_s[name]
        excused = {name: float(got.get(name, 0)) for name in self.pods}
        for name in [name for name in self._came_s if _shares(excused[name], due.get(name, 0.0))]:
            del self._came_s[name]
            del self.late[name]
        return excused

    def _note_late(self, at_s: float, got: Mapping[str, int], due: Mapping[str, float]) -> None:
        for name, came_s in self._came_s.items():
            self.late.setdefault(name, Late(came_s))
        for name, late in self.late.items():
            if late.taken_s is not None:
                continue
            requests, expected = got.get(name, 0), due.get(name, 0.0)
            if _shares(requests, expected):
                late.taken_s = at_s
            else:
                late.got, late.due = late.got + requests, late.due + expected


def _shares(got: float, due: float) -> bool:
    return 0 < ITS_SHARE_FROM * due <= got
