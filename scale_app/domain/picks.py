"""What each connection did in a window, and how many decisions of the balancer stand behind that: effective picks.

Answers of one connection are not independent: a layer-4 balancer decides once for all of them, a layer-7 proxy for
each, and many do something between. How alike they are shows in how often the pod changes from one answer to the next.
A fresh, independent pick differs from the one before with probability p = 1 - sum w^2 (w: the pods' shares), so that a
connection with s switches at M chances has the persistence rho = 1 - s / (M p): the correlation of two answers j apart
is rho^j, and what the connection adds to the shares varies like m answers times

    f = 1 + 2 sum_{j<m} (1 - j/m) rho^j

which is the design effect of survey statistics with the connection as the cluster (Kish 1965; Rao and Scott 1981).
Effective picks are R^2 / sum m f. Without a switch that is Kish's formula, with one at each chance every request.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple, cast

from scale_app.domain.numerics import Array, np
from scale_app.domain.samples import ConnectionLoads

BY_REQUEST_FROM = 0.5
"""The least freshness at which connections are said not to keep to their pod."""
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
    """A connection with this many requests; before: it had answered already when the window began. Wrong figures are
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


Unit = Literal["connection", "request", "pick"]

SHORT_CHANCES = 32
"""Up to so many chances rho^j is estimated without bias by itself: the estimate of rho is too rough to be raised to
powers. The formula there costs more with each chance."""
EVEN_ENOUGH = 0.4
"""Below this chance of a switch, one that is seen says much and the unbiased estimates scatter wildly."""
LEAST_RHO = -0.9
NEARLY_ONE = 1 - 1e-5
BY_CONNECTION = 1.2
BY_REQUEST = 0.8


@dataclass(frozen=True, slots=True)
class Picks:
    """The balancer's decisions in a window.

    effective: how many independent ones the counts are worth, between 1 and the requests. carried, counts: shape (g,);
    the decisions as they can be drawn anew: counts[j] of them carried carried[j] requests each. unit, total: what
    decided, as people call it, and how many of those there were; not always as many as are drawn. known: False when
    connections are unknown, so each request counts as one.
    """

    carried: Array
    counts: Array
    effective: float
    total: int
    unit: Unit
    known: bool = True

    @property
    def drawn(self) -> int:
        """Decisions that are drawn when chance is tried out."""
        return int(self.counts.sum())


def picks_of(
    requests: int,
    loads: Loads | Mapping[int, int] | None,
    by_request: bool = False,
    parts: Sequence[float] | Array = (),
) -> Picks:
    """The picks of this many requests (at least one).

    loads: {what each connection did: connections}, or {requests carried: connections} of connections that never
    switched. by_request: the source itself picks for each request. parts: the pods' shares of the answers.
    """
    usable = _usable(loads)
    if by_request or not usable:
        return Picks(np.ones(1), np.array([requests]), float(requests), requests, "request", bool(usable))
    table = np.array([[*carried, n] for carried, n in usable], dtype=float)
    carried, switches, chances, counts = table.T
    total = float(carried @ counts)
    kish = total**2 / float(carried**2 @ counts)
    differs = _differs(parts)
    if not (switches @ counts) > 0 or differs <= 0:
        effective = min(kish, float(requests))
        return Picks(carried, counts.astype(np.int64), effective, int(counts.sum()), "connection")
    effect = float((carried * counts) @ _design_effects(carried, switches, chances, differs))
    effective = max(min(total**2 / max(effect, total), float(requests)), min(kish, float(requests)))
    return _alike(requests, effective, kish, int(counts.sum()))


def freshness_of(loads: Loads, parts: Sequence[float] | Array) -> float:
    """Of the answers that had one before them on their connection, the part that was picked anew, 0..1.

    parts: the pods' shares of the answers. 0 for a layer-4 balancer, 1 for one that picks for each request.
    """
    switches = sum(carried.switches * n for carried, n in loads.items())
    expected = _differs(parts) * sum(carried.chances * n for carried, n in loads.items())
    return min(1.0, switches / expected) if switches and expected > 0 else 0.0


def _differs(parts: Sequence[float] | Array) -> float:
    """The chance that two independent picks are different pods."""
    squares = np.asarray(parts, dtype=float)
    return max(0.0, 1 - float(squares @ squares))


def _usable(loads: Loads | Mapping[int, int] | None) -> list[tuple[ConnectionLoad, int]]:
    given = cast(Mapping[ConnectionLoad | int, int], loads or {})
    whole = ((each if isinstance(each, tuple) else kept(each), n) for each, n in given.items())
    return [(each, n) for each, n in whole if each.requests > 0 and n > 0]


def _alike(requests: int, effective: float, kish: float, connections: int) -> Picks:
    """Some connections switched: the picks are no longer the connections, and are drawn as if all carried alike."""
    count = max(1, round(effective))
    unit: Unit = "pick"
    total = count
    if effective <= BY_CONNECTION * kish:
        unit, total = "connection", connections
    elif effective >= BY_REQUEST * requests:
        unit, total = "request", requests
    return Picks(np.array([requests / count]), np.array([count]), effective, total, unit)


def _design_effects(requests: Array, switches: Array, chances: Array, differs: float) -> Array:
    """f of each connection, shape (g,). Of short ones it may lie on either side of the truth; their sum does not."""
    with np.errstate(divide="ignore", invalid="ignore"):
        rho = np.where(chances > 0, 1 - switches / (chances * differs), 0.0)
    if differs < EVEN_ENOUGH:
        return closed_form(requests, np.clip(rho, 0.0, 1.0))
    effects = closed_form(requests, np.clip(rho, LEAST_RHO, 1.0))
    for i in np.flatnonzero((chances <= SHORT_CHANCES) & (switches > 0)).tolist():
        effects[i] = unbiased_effect(int(requests[i]), int(switches[i]), int(chances[i]), differs)
    return effects


def closed_form(requests: Array, rho: Array) -> Array:
    """f = 1 + 2 sum_{j<m} (1 - j/m) rho^j of m requests, both shape (g,); m itself where the form cancels."""
    m, q = requests, np.minimum(rho, NEARLY_ONE)
    f = (1 + q) / (1 - q) - 2 * q * (1 - q**m) / (m * (1 - q) ** 2)
    return np.asarray(np.where(rho >= NEARLY_ONE, m, f))


def unbiased_effect(requests: int, switches: int, chances: int, differs: float) -> float:
    """f without bias from s switches at M chances: rho^j is estimated by the mean, over all j of the M chances, of a
    product that has 1 - 1/p for each switch among them and 1 for each other chance."""
    weights = _effect_weights(requests, switches, chances)
    return 1.0 + float(weights @ (1 - 1 / differs) ** np.arange(weights.size))


@lru_cache(maxsize=4_096)
def _effect_weights(requests: int, switches: int, chances: int) -> Array:
    """2 sum_j (1 - j/m) P(h switches among j of the chances), by h; shape (switches + 1,)."""
    weights = np.zeros(switches + 1)
    for j in range(1, min(requests - 1, chances) + 1):
        ways = [math.comb(switches, h) * math.comb(chances - switches, j - h) if h <= j else 0
                for h in range(switches + 1)]  # fmt: skip
        weights += 2 * (1 - j / requests) * np.array(ways) / math.comb(chances, j)
    return weights
