"""How many requests each connection carried in a window: the weights of the balancer's picks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from scale_app.domain.samples import ConnectionLoads


class ConnectionLedger:
    """Connections since `first`: those that have ended, by requests carried, and those of the newest sample."""

    def __init__(self, first: ConnectionLoads) -> None:
        self._first = first
        self._ended: Counter[int] = Counter()
        self._newest = first

    def observe(self, loads: ConnectionLoads) -> None:
        """Take the next sample's loads."""
        gone = self._newest.long.keys() - loads.long.keys()
        self._ended.update(self._carried(connection) for connection in gone)
        self._newest = loads

    def whole(self) -> dict[int, int]:
        """{requests carried since `first`: connections}."""
        counts = Counter(self._newest.short) + self._ended
        counts.subtract(self._first.short)
        counts.update(self._carried(connection) for connection in self._newest.long)
        return _carrying(counts)

    def _carried(self, connection: int) -> int:
        return self._newest.long[connection] - self._first.long.get(connection, 0)


def carried_between(first: ConnectionLoads, later: Sequence[ConnectionLoads]) -> dict[int, int]:
    """{requests carried after `first`: connections}, given every later sample of the window in order."""
    if not later:
        return {}
    latest: dict[int, int] = {}
    for loads in later:
        latest.update(loads.long)
    counts = Counter(later[-1].short)
    counts.subtract(first.short)
    counts.update(requests - first.long.get(connection, 0) for connection, requests in latest.items())
    return _carrying(counts)


def _carrying(counts: Mapping[int, int]) -> dict[int, int]:
    return {requests: connections for requests, connections in counts.items() if requests > 0 and connections > 0}
