"""Each pod's part of the traffic over time, for the picture of pods by time: bounded however long a run is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scale_app.domain.numerics import np
from scale_app.domain.snapshot import PodShare, Snapshot

MOST_COLUMNS = 120
MOST_PODS = 2_000
"""Pods of one run that are remembered, gone ones included; later ones are left out of the picture."""
DUE_DECIMALS = 1


@dataclass(frozen=True, slots=True)
class PodCounts:
    """What the pods had answered by one moment.

    names: of the pods. requests: of each since the start, or the end of the warm-up. expected: requests due to each
    since then, to DUE_DECIMALS; a difference of two moments is what was due between them.
    """

    elapsed_s: float
    names: tuple[str, ...]
    requests: tuple[int, ...]
    expected: tuple[float, ...]


def counts_of(snapshot: Snapshot) -> PodCounts:
    pods = snapshot.pods
    due = tuple(round(requests, DUE_DECIMALS) for requests in _due(pods).tolist())
    return PodCounts(snapshot.elapsed_s, tuple(pod.name for pod in pods), tuple(pod.requests for pod in pods), due)


@dataclass(frozen=True, slots=True)
class PodTimes:
    """requests, expected: shape (pods, columns), one column for each `span_s` seconds from the start on.

    expected: the pod's fair share of that span's requests; 0 where it had none (not ready, or not there).
    """

    names: tuple[str, ...]
    span_s: float
    requests: np.ndarray
    expected: np.ndarray

    def plain(self) -> PodSpans:
        """The same to write down."""
        requests, expected = (tuple(map(tuple, table.tolist())) for table in (self.requests, self.expected))
        return PodSpans(self.names, self.span_s, requests, expected)


@dataclass(frozen=True, slots=True)
class PodSpans:
    """Each pod's share of the traffic over time, as plain numbers.

    names: of the pods. span_s: seconds of one span. requests: a row for each pod: its requests in each span, from the
    start. expected: a row for each pod: its fair share of each span's requests; 0 if none.
    """

    names: tuple[str, ...] = ()
    span_s: float = 1.0
    requests: tuple[tuple[float, ...], ...] = ()
    expected: tuple[tuple[float, ...], ...] = ()

    @property
    def times(self) -> PodTimes:
        """The same to compute with."""
        if not self.names:
            return PodTimes((), self.span_s, np.zeros((0, 0)), np.zeros((0, 0)))
        return PodTimes(self.names, self.span_s, np.array(self.requests, float), np.array(self.expected, float))


class PodHistory:
    """Takes the moments of one run in order, and keeps at most MOST_COLUMNS spans of time.

    When they are full, every two become one of double length, so a history may be fed every second or every minute.
    """

    def __init__(self, moments: Iterable[Snapshot | PodCounts] = ()) -> None:
        self._rows: dict[str, int] = {}
        self._span_s = 1.0
        self._columns = 0
        self._counts = np.zeros((2, 0, MOST_COLUMNS))
        self._before = np.zeros((2, 0))
        self._before_s = 0.0
        for moment in moments:
            self.take(moment)

    def take(self, moment: Snapshot | PodCounts) -> None:
        """The next moment; what was counted since the one before goes to the span half-way between the two.

        So does the last second's, which comes a little late: the end of a run waits for answers on their way. Where
        the moments are further apart, on a machine that is busy, it is spread over the spans between them.
        """
        counts = moment if isinstance(moment, PodCounts) else counts_of(moment)
        rows = np.array([self._row(name) for name in counts.names], dtype=int)
        kept = rows < MOST_PODS
        now = np.zeros((2, len(self._rows)))
        now[:, rows[kept]] = np.array([counts.requests, counts.expected], float)[:, kept]
        before = np.zeros_like(now)
        if now[0].sum() >= self._before[0].sum():  # else a warm-up has ended, and counting began anew
            before[:, : self._before.shape[1]] = self._before
        self._before = now
        self._spread(counts.elapsed_s, np.maximum(now - before, 0.0))
        self._before_s = counts.elapsed_s

    def times(self) -> PodTimes:
        """Up to the last span in which anything was counted: the end of a run may come with nothing more."""
        counted = self._counts[0].any(axis=0).nonzero()[0]
        requests, expected = self._counts[:, :, : int(counted[-1]) + 1 if counted.size else self._columns].copy()
        # Due is what was answered, counted is what was read by then: a source that lags must not look like idle pods.
        due = expected.sum(axis=0)
        expected *= np.divide(requests.sum(axis=0), due, out=np.zeros_like(due), where=due > 0)
        return PodTimes(tuple(self._rows), self._span_s, requests, expected)

    def _row(self, name: str) -> int:
        """The pod's row; MOST_PODS for one too many."""
        if name not in self._rows and len(self._rows) >= MOST_PODS:
            return MOST_PODS
        return self._rows.setdefault(name, len(self._rows))

    def _spread(self, at_s: float, counts: np.ndarray) -> None:
        """In as many equal parts as spans lie between the moment before and this one, each half-way in its part."""
        parts = min(MOST_COLUMNS, max(1, round((at_s - self._before_s) / self._span_s)))
        each_s = (at_s - self._before_s) / parts
        for part in range(parts):
            self._add(self._before_s + (part + 0.5) * each_s, counts / parts)

    def _add(self, at_s: float, counts: np.ndarray) -> None:
        """counts: requests and expected ones, shape (2, pods)."""
        new = counts.shape[1] - self._counts.shape[1]
        if new:
            self._counts = np.concatenate([self._counts, np.zeros((2, new, MOST_COLUMNS))], axis=1)
        # A last snapshot may come at the time of the one before, so that 12.0 s still belongs to the twelfth second.
        while (column := max(0, int(np.ceil(at_s / self._span_s - 1e-9)) - 1)) >= MOST_COLUMNS:
            self._halve()
        self._counts[:, :, column] += counts
        self._columns = max(self._columns, column + 1)

    def _halve(self) -> None:
        pairs = self._counts[:, :, 0::2] + self._counts[:, :, 1::2]
        self._counts = np.concatenate([pairs, np.zeros_like(pairs)], axis=2)
        self._columns = (self._columns + 1) // 2
        self._span_s *= 2


def spread(count: int, most: int) -> list[int]:
    """At most `most` (2 or more) of the indices 0..count-1, evenly spread, both ends among them."""
    return sorted({round(at) for at in np.linspace(0, count - 1, min(count, most)).tolist()})


def fair_shares(pods: Sequence[PodShare]) -> np.ndarray:
    """What each pod should get of all requests, shape (k,), sum 1; all 0 when nothing is due to any of them."""
    due = _due(pods)
    return np.asarray(due / max(float(due.sum()), 1e-300))


def _due(pods: Sequence[PodShare]) -> np.ndarray:
    """Requests due to each pod since the start, shape (k,).

    In snapshots that do not say what was due it is read back from share and against_fair. A pod without a request tells
    nothing there; such pods divide what is left of 1, those among them that were never ready included.
    """
    if all(pod.expected is not None for pod in pods):
        return np.array([pod.expected for pod in pods], dtype=float)
    ratio = np.array([1 + pod.against_fair for pod in pods])
    share = np.array([pod.share for pod in pods])
    told = (share > 0) & (ratio > 0)
    fair: np.ndarray = np.divide(share, ratio, out=np.zeros_like(share), where=told)
    if not told.all():
        fair[~told] = max(0.0, 1 - float(fair.sum())) / int((~told).sum())
    return np.asarray(fair * max(1, sum(pod.requests for pod in pods)))
