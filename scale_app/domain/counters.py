"""Counts that are read beside the load: since the first reading, between two moments, and those that are not ours."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from scale_app.domain.samples import CountsSample, PodCount, PodsSample, TrafficSample
from scale_app.domain.source import Source

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


class CounterTotals:
    """totals: {pod name: counted since the first reading}; a pod that is gone keeps what it had.

    A counter that is below its last reading, or whose `since` changed, began anew: its container restarted. A pod
    that the first reading did not list came later, so all that it has counted belongs to the run.
    """

    def __init__(self) -> None:
        self.totals: dict[str, int] = {}
        self._last: dict[str, tuple[int, str]] = {}
        self._base_unknown: set[str] = set()
        self._begun = False

    def observe(self, sample: CountsSample) -> None:
        for pod, count in sample.requests.items():
            since = sample.since.get(pod, "")
            self.totals[pod] = self.totals.get(pod, 0) + self._gained(pod, count, since)
            self._last[pod] = count, since
        if not self._begun:
            self._base_unknown = set(sample.unread)
        self._base_unknown -= sample.requests.keys()
        self._begun = True

    def _gained(self, pod: str, count: int, since: str) -> int:
        if pod not in self._last:
            return count if self._begun and pod not in self._base_unknown else 0
        before, before_since = self._last[pod]
        restarted = count < before or (before_since and since and before_since != since)
        return count if restarted else count - before


@dataclass(frozen=True, slots=True)
class Counted:
    """What one source has ascribed to pods since the load began, and how many requests had ended then.

    requests: {pod name: requests}, bytes for the network share. connections: {pod name: of ours}, where known.
    estimated: the requests are estimates. answered: of those that had ended.
    """

    requests: Mapping[str, int] = field(default_factory=dict)
    ended: float = 0.0
    connections: Mapping[str, int] = field(default_factory=dict)
    estimated: bool = False
    answered: float = 0.0


NOTHING = Counted()


@dataclass(frozen=True, slots=True)
class CountsDelta:
    """pods: by name. due: answers that the counts should hold, those of the time that they are of; most: what they may
    hold of ours, since a pod may have counted what nobody got. estimated: they are estimates."""

    pods: Mapping[str, PodCount]
    due: float
    most: float
    estimated: bool = False


def counts_delta(source: Source, first: Mapping[Source, Counted], last: Mapping[Source, Counted]) -> CountsDelta:
    """The difference of two moments. A source that had not counted at the first one is behind by what was missed."""
    then, now = first.get(source, NOTHING), last.get(source, NOTHING)
    counts = {pod: max(0, count - then.requests.get(pod, 0)) for pod, count in now.requests.items()}
    due, most = max(0.0, now.answered - then.answered), max(0.0, now.ended - then.ended)
    if source.traits.unit == "bytes":
        counts = _shared_out(counts, due)
    pods = {
        pod: PodCount(count, 0, max(0, now.connections.get(pod, 0) - then.connections.get(pod, 0)))
        for pod, count in counts.items()
    }
    return CountsDelta(pods, due, most, now.estimated)


def _shared_out(byte_counts: Mapping[str, int], requests: float) -> dict[str, int]:
    """Requests in proportion to the bytes that each pod received."""
    total = sum(byte_counts.values())
    return {pod: round(requests * count / total) if total else 0 for pod, count in byte_counts.items()}


class ForeignTraffic:
    """The pods' own counts against those of the load generator. The two are never read at the same moment, so a pod's
    count is compared with what the generator had counted *later*: requests of ours can then be missing from the excess,
    but never be taken for somebody else's.

    excess: {pod name: requests beyond ours since the first count, at least}, None while nothing can be said.
    """

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
        ours = Counter(self._before or {})
        ours.update({name: count.requests for name, count in sample.pods.items()})
        self.excess = {name: max(0, answered - ours[name]) for name, answered in waiting.answered.items()}
        self._waiting = None
