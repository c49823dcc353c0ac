"""Which pod each of our connections ends at, from the pods' own connection tables: a layer-4 count without a header.

A table names a connection by its client's address and port; the generator knows what it sent on the connection from
that port. So requests are counted exactly though the pods never said anything about requests. Connections too short
to be seen in a table are dealt by how many connections each pod has accepted beyond those that were seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from scale_app.domain.samples import ConnectionsSample, TrafficSample

ESTIMATED_FROM = 0.05


@dataclass(frozen=True, slots=True)
class Joined:
    """requests, connections: {pod name: since the start}. estimated: more than ESTIMATED_FROM was dealt."""

    requests: Mapping[str, int]
    connections: Mapping[str, int]
    estimated: bool


class ConnectionJoin:
    """Feed it both kinds of samples in the order in which they come."""

    def __init__(self) -> None:
        self._first: ConnectionsSample | None = None
        self._latest: ConnectionsSample | None = None
        self._fresh = False
        self._pod_of: dict[int, str] = {}
        self._answers: dict[int, int] = {}
        self._ended: Counter[str] = Counter()
        self._seen: Counter[str] = Counter()

    def connections_seen(self, sample: ConnectionsSample) -> None:
        """Take a reading of the pods' tables."""
        self._first = self._first or sample
        self._latest, self._fresh = sample, True

    def traffic_seen(self, sample: TrafficSample) -> Joined | None:
        """The counts now; None before the first reading."""
        if self._latest is None:
            return None
        loads = sample.loads
        if loads is not None:
            if self._fresh:
                self._match(loads.endpoints, self._latest.clients)
                self._fresh = False
            self._follow(loads.long)
        return self._joined(_answered(sample), sample.connections)

    def _match(self, endpoints: Mapping[int, str], clients: Mapping[str, tuple[str, ...]]) -> None:
        times = Counter(client for of_pod in clients.values() for client in of_pod)
        pods = {client: pod for pod, of_pod in clients.items() for client in of_pod if times[client] == 1}
        ours = Counter(endpoints.values())
        for connection, endpoint in endpoints.items():
            pod = pods.get(endpoint)
            if pod is not None and connection not in self._pod_of and ours[endpoint] == 1:
                self._pod_of[connection] = pod
                self._seen[pod] += 1

    def _follow(self, long: Mapping[int, int]) -> None:
        for connection in self._answers.keys() - long.keys():
            self._ended[self._pod_of.pop(connection)] += self._answers[connection]
        self._answers = {connection: long[connection] for connection in self._pod_of if connection in long}

    def _joined(self, answered: int, opened: int) -> Joined:
        requests = Counter(dict.fromkeys(self._pods(), 0))
        requests.update(self._ended)
        for connection, answers in self._answers.items():
            requests[self._pod_of[connection]] += answers
        unseen = max(0, answered - sum(requests.values()))
        accepted = self._accepted_unseen()
        total = sum(accepted.values())
        connections = Counter({pod: self._seen[pod] for pod in requests})
        if total:
            requests.update(_dealt(unseen, accepted))
            # A pod's network also accepts probes and the like, so of what it accepted only our number is ours.
            connections.update(_dealt(max(0, opened - sum(self._seen.values())), accepted))
        return Joined(dict(requests), dict(connections), bool(total) and unseen > ESTIMATED_FROM * answered)

    def _pods(self) -> set[str]:
        assert self._latest is not None
        return {*self._latest.clients, *self._seen}

    def _accepted_unseen(self) -> dict[str, int]:
        """{pod: connections that it accepted since the first reading and that were not seen as one of ours}."""
        assert self._first is not None
        assert self._latest is not None
        before = self._first.opened
        listed = {*before, *self._first.unread}
        gained = {
            pod: opened - before.get(pod, opened if pod in listed else 0) for pod, opened in self._latest.opened.items()
        }
        return {pod: max(0, opened - self._seen[pod]) for pod, opened in gained.items()}


def _answered(sample: TrafficSample) -> int:
    return sample.unnamed.requests + sum(count.requests for count in sample.pods.values())


def _dealt(requests: int, weights: Mapping[str, int]) -> dict[str, int]:
    """Whole requests in proportion to the weights, none lost: the largest remainders get one more."""
    total = sum(weights.values())
    dealt = {pod: requests * weight // total for pod, weight in weights.items()}
    rest = requests - sum(dealt.values())
    for pod in sorted(weights, key=lambda pod: (-(requests * weights[pod] % total), pod))[:rest]:
        dealt[pod] += 1
    return dealt
