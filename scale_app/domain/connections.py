"""What each connection did in a window: requests carried and pods switched, the evidence of what a pick is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from scale_app.domain.samples import ConnectionLoads

MOST_BY_CONNECTION = 0.5
"""Samples of earlier versions count connections that switched: from this part of them on a pick is a request."""


class ConnectionLoad(NamedTuple):
    """What one connection did in a window.

    requests: answered on it. switches: answers that named another pod than the answer before. chances: answers that had
    one before them and so could be a switch: one less than the requests unless the connection is older than the window.
    """

    requests: int
    switches: int = 0
    chances: int = 0


Loads = Mapping[ConnectionLoad, int]
"""{what each connection did: connections}"""


def kept(requests: int, switches: int = 0, before: bool = False) -> ConnectionLoad:
    """A connection with so many requests; before: it had answered already when the window began. Wrong figures are
    brought within what can be."""
    chances = max(0, requests - (not before))
    return ConnectionLoad(requests, min(max(0, switches), chances), chances)


class ConnectionCounters:
    """Connections since `first`: what those did that have ended, and those of the newest sample."""

    def __init__(self, first: ConnectionLoads) -> None:
        self._first = first
        self._ended: Counter[ConnectionLoad] = Counter()
        self._newest = first

    def observe(self, loads: ConnectionLoads) -> None:
        """Take the next sample's loads."""
        gone = self._newest.long.keys() - loads.long.keys()
        self._ended.update(_since(self._first, self._newest, connection) for connection in gone)
        self._newest = loads

    def whole(self) -> dict[ConnectionLoad, int]:
        """What every connection did since `first`."""
        counts = self._ended + _short_between(self._first, self._newest)
        counts.update(_since(self._first, self._newest, connection) for connection in self._newest.long)
        return _carrying(counts)


def carried_between(first: ConnectionLoads, later: Sequence[ConnectionLoads]) -> dict[ConnectionLoad, int]:
    """What every connection did after `first`, given every later sample of the window in order."""
    if not later:
        return {}
    latest: dict[int, ConnectionLoads] = {}
    for loads in later:
        latest.update(dict.fromkeys(loads.long, loads))
    counts = _short_between(first, later[-1])
    counts.update(_since(first, loads, connection) for connection, loads in latest.items())
    return _carrying(counts)


def picks_by_request(loads: ConnectionLoads) -> bool:
    """What a sample of an earlier version says: most of its connections reached more than one pod."""
    if loads.switches is not None or not loads.switched:
        return False
    connections = sum(loads.short.values()) + len(loads.long)
    return loads.switched >= MOST_BY_CONNECTION * connections


def _since(first: ConnectionLoads, now: ConnectionLoads, connection: int) -> ConnectionLoad:
    before = first.long.get(connection, 0)
    switches = (now.switches or {}).get(connection, 0) - (first.switches or {}).get(connection, 0)
    return kept(now.long[connection] - before, switches, before > 0)


def _short_between(first: ConnectionLoads, last: ConnectionLoads) -> Counter[ConnectionLoad]:
    counts = _short(last)
    counts.subtract(_short(first))
    return counts


def _short(loads: ConnectionLoads) -> Counter[ConnectionLoad]:
    counts: Counter[ConnectionLoad] = Counter()
    for requests, connections in loads.short.items():
        alike = loads.short_switches.get(requests, {})
        counts[kept(requests)] += connections - sum(alike.values())
        for switches, switched in alike.items():
            counts[kept(requests, switches)] += switched
    return counts


def _carrying(counts: Mapping[ConnectionLoad, int]) -> dict[ConnectionLoad, int]:
    return {carried: n for carried, n in counts.items() if carried.requests > 0 and n > 0}
