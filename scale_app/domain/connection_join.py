"""Which pod each of our connections ends at, from the pods' own connection tables: a layer-4 count without a header.

A table names a connection by its client's address and port; the generator knows what it sent on the connection from
that port. So requests are counted exactly though the pods never said anything about requests. Connections too short
to be seen in a table are split by how many connections each pod has accepted beyond those that were seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from scale_app.domain.samples import ConnectionsSample, TrafficSample

ESTIMATED_FROM = 0.05
WAITING_AT_MOST = 64
CLOSED_KEPT_S = 30.0
CLOSED_AT_MOST = 50_000


@dataclass(frozen=True, slots=True)
class Joined:
    """requests, connections: {pod name: since the start}. estimated: what was split, and so could belong to another
    pod, is more than ESTIMATED_FROM of a pod's fair share."""

    requests: Mapping[str, int]
    connections: Mapping[str, int]
    estimated: bool


@dataclass(slots=True)
class _KnownConnection:
    """One of ours. It was opened after born_after_s, and was gone by gone_by_s. pod: "" while no table named it."""

    endpoint: str
    born_after_s: float
    answers: int = 0
    gone_by_s: float = inf
    pod: str = ""

    def may_be_in(self, table: ConnectionsSample) -> bool:
        """Could the table, which took a while to read, hold this connection?"""
        return self.born_after_s <= table.at_s + table.took_s and table.at_s <= self.gone_by_s


class ConnectionJoin:
    """Feed it both kinds of samples as they come, late or together: their times say which belong together.

    A table is joined once the generator's counts reach its end, with every connection that was open meanwhile, also
    with those that are closed by then. So a table that took long to read, or came together with another, is not lost.
    """

    def __init__(self) -> None:
        self._begun = False
        self._before: dict[str, int] = {}
        self._listed_first: frozenset[str] = frozenset()
        self._opened: dict[str, int] = {}
        self._pods: set[str] = set()
        self._waiting: list[ConnectionsSample] = []
        self._open: dict[int, _KnownConnection] = {}
        self._closed: list[_KnownConnection] = []
        self._looked_s = -inf
        self._table_s = -inf
        self._ended: Counter[str] = Counter()
        self._seen: Counter[str] = Counter()
        self._unseen = _Unseen()

    def connections_seen(self, sample: ConnectionsSample) -> None:
        if not self._begun:
            self._begun = True
            self._before = dict(sample.opened)
            self._listed_first = frozenset({*sample.opened, *sample.unread})
        self._pods.update(sample.clients)
        self._waiting = [*self._waiting, sample][-WAITING_AT_MOST:]

    def load_ended(self) -> None:
        """No more counts will come: join the tables whose reading outlasted the load."""
        self._join_until(inf)

    def traffic_seen(self, sample: TrafficSample) -> Joined | None:
        """The counts now; None before the first reading."""
        if sample.loads is not None:
            self._follow(sample.at_s, sample.loads.long, sample.loads.endpoints)
        if not self._begun:
            return None
        self._join_until(sample.at_s)
        return self._joined(sample.answered, sample.connections)

    def _follow(self, at_s: float, long: Mapping[int, int], endpoints: Mapping[int, str]) -> None:
        """Take up what each connection carried. One that is listed no more was closed before the last sample."""
        for number in self._open.keys() - long.keys():
            self._end(self._open.pop(number))
        for number, answers in long.items():
            known = self._open.get(number)
            if known is None and number in endpoints:
                known = self._open[number] = _KnownConnection(endpoints[number], self._looked_s)
            if known is not None:
                known.answers = answers
        self._looked_s = at_s
        recent = [each for each in self._closed if each.gone_by_s >= at_s - CLOSED_KEPT_S]
        self._closed = recent[-CLOSED_AT_MOST:]

    def _end(self, connection: _KnownConnection) -> None:
        connection.gone_by_s = self._looked_s
        self._closed.append(connection)
        if connection.pod:
            self._ended[connection.pod] += connection.answers

    def _join_until(self, at_s: float) -> None:
        """Join the tables that were read by this time."""
        for table in self._waiting:
            if table.at_s + table.took_s <= at_s:
                self._opened.update(table.opened)  # of a pod that is not read this time the last one stands
                self._match(table)
                self._table_s = table.at_s
        self._waiting = [table for table in self._waiting if table.at_s + table.took_s > at_s]

    def _match(self, table: ConnectionsSample) -> None:
        times = Counter(client for of_pod in table.clients.values() for client in of_pod)
        pods = {client: pod for pod, of_pod in table.clients.items() for client in of_pod if times[client] == 1}
        ours = [each for each in (*self._open.values(), *self._closed) if each.may_be_in(table)]
        sharing = Counter(each.endpoint for each in ours)
        for connection in ours:
            pod = pods.get(connection.endpoint)
            if pod is None or connection.pod or sharing[connection.endpoint] > 1:
                continue
            connection.pod = pod
            self._seen[pod] += 1
            if connection.gone_by_s < inf:
                self._ended[pod] += connection.answers

    def _joined(self, answered: int, opened: int) -> Joined:
        requests = Counter(dict.fromkeys((*self._pods, *self._seen), 0))
        requests.update(self._ended)
        for connection in self._open.values():
            if connection.pod:
                requests[connection.pod] += connection.answers
        unseen = max(0, answered - sum(requests.values()))
        accepted = self._accepted_unseen()
        total = sum(accepted.values())
        connections = Counter({pod: self._seen[pod] for pod in requests})
        if total:
            requests.update(self._unseen.now(unseen, self._to_be_seen(), accepted, max(1.0, answered / max(1, opened))))
            # A pod's network also accepts probes and the like, so of what it accepted only our number is ours.
            connections.update(_split(max(0, opened - sum(self._seen.values())), accepted))
        estimated = bool(total) and unseen * len(requests) > ESTIMATED_FROM * answered
        return Joined(dict(requests), dict(connections), estimated)

    def _to_be_seen(self) -> int:
        """Answers on connections that a table to come may show."""
        closed = (each for each in self._closed if each.gone_by_s >= self._table_s)
        return sum(each.answers for each in (*self._open.values(), *closed) if not each.pod)

    def _accepted_unseen(self) -> dict[str, int]:
        """{pod: connections that it accepted since the first reading and that were not seen as one of ours}."""
        first = {pod: self._before.get(pod, n if pod in self._listed_first else 0) for pod, n in self._opened.items()}
        return {pod: max(0, n - first[pod] - self._seen[pod]) for pod, n in self._opened.items()}


class _Unseen:
    """Requests on connections that no table shows, shared out to pods by what each accepted in the same time.

    Since the start it would be wrong: a pod that has stopped would get a part of what the others answer since then.
    """

    def __init__(self) -> None:
        self._settled: Counter[str] = Counter()
        self._accepted: Mapping[str, int] = {}
        self._owed: Counter[str] = Counter()
        self._lately: Mapping[str, int] = {}

    def now(self, unseen: int, to_be_seen: int, accepted: Mapping[str, int], each: float) -> Counter[str]:
        """All of the unseen requests by pod. accepted: connections of each pod that were not seen, at least one.

        to_be_seen: the part of unseen that may be seen yet. each: requests that a connection carries.
        """
        gained = {pod: max(0, n - self._accepted.get(pod, 0)) for pod, n in accepted.items()}
        if any(gained.values()):
            self._accepted, self._lately = accepted, gained
            self._settle(max(0, unseen - to_be_seen - self._settled.total()), each)
        rest = unseen - self._settled.total()
        if rest < 0:  # what was seen is less certain to be theirs than it seemed
            return Counter(_split(unseen, self._settled))
        return self._settled + Counter(_split(rest, self._lately))

    def _settle(self, requests: int, each: float) -> None:
        """Requests are told when their connection has ended: they are of those accepted since the table before last."""
        owed = self._owed + Counter(self._lately)
        self._settled.update(_split(requests, owed))
        paid = Counter(_split(min(owed.total(), round(requests / each)), owed))
        self._owed = Counter({pod: min(self._lately[pod], max(0, owed[pod] - paid[pod])) for pod in self._lately})


def _split(requests: int, weights: Mapping[str, int]) -> dict[str, int]:
    """Whole requests in proportion to the weights, none lost: the largest remainders get one more."""
    total = sum(weights.values())
    split = {pod: requests * weight // total for pod, weight in weights.items()}
    rest = requests - sum(split.values())
    for pod in sorted(weights, key=lambda pod: (-(requests * weights[pod] % total), pod))[:rest]:
        split[pod] += 1
    return split
