"""Differences of cumulative counters: what happened since the start, and in the last seconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import islice

from scale_app.domain.attribution import Counted
from scale_app.domain.balance import Balance, balance
from scale_app.domain.connections import ConnectionLedger, Loads, carried_between, kept, picks_by_request
from scale_app.domain.counted_beside import Gained, gained_beside
from scale_app.domain.estimated import as_estimate
from scale_app.domain.histogram import Histogram, merged
from scale_app.domain.picks import freshness_of
from scale_app.domain.roster import Roster
from scale_app.domain.samples import ConnectionLoads, PodCount, TrafficSample
from scale_app.domain.source import NAMED_BY_ANSWERS, Source
from scale_app.domain.verdict import Verdict, VerdictKind, judge

RECENT_S = 10.0
MINUTE_S = 60.0
OTHERS_IGNORED_TO = 0.01  # of ours: health probes and the like
NO_LOADS = ConnectionLoads()
NO_SCORE = "no data yet"


@dataclass(frozen=True, slots=True)
class Mark:
    """The counters at one sample. expected: requests that each pod could have got since the start.

    counted: what each source beside the load had counted by then. latency: of all pods, and of answers without a name;
    summed once, since every window asks for it.
    """

    sample: TrafficSample
    expected: Mapping[str, float] = field(default_factory=dict)
    counted: Mapping[Source, Counted] = field(default_factory=dict)
    latency: Histogram = field(default_factory=Histogram)


@dataclass(frozen=True, slots=True)
class Window:
    """What happened between two marks.

    pods: by name, every pod that answered or could have. expected: requests each eligible pod could have got.
    loads: what each connection did in the window, None when connections are unknown. by_request: the source, or a
        sample of an earlier version, says that the balancer picks for each request.
    due: requests that the counts should hold: those that had ended when they were read.
    estimated: the counts are estimates.
    """

    seconds: float
    requests: int
    failures: int
    pods: Mapping[str, PodCount]
    expected: Mapping[str, float]
    latency: Histogram
    loads: Loads | None
    by_request: bool
    due: float
    estimated: bool = False

    @property
    def others(self) -> int:
        """Requests in the counts beyond ours: other clients', or none."""
        return max(0, round(self.attributed - self.due))

    @property
    def eligible(self) -> list[str]:
        """Pods that should have shared the work, those with no request included; sorted."""
        return sorted(self.expected)

    @property
    def freshness(self) -> float:
        """Of the answers that had one before them on their connection, the part that was a pick of its own, 0..1."""
        if self.by_request:
            return 1.0
        total = self.attributed
        return (
            freshness_of(self.loads or {}, [count.requests / total for count in self.pods.values()]) if total else 0.0
        )

    @property
    def attributed(self) -> int:
        return sum(count.requests for count in self.pods.values())

    def judged(self) -> tuple[Balance, Verdict]:
        """Headline and verdict of the window. Where too few answers named a pod to judge there is no score either."""
        counts = [self.pods[name].requests for name in self.eligible]
        shares = [self.expected[name] for name in self.eligible]
        coverage = self.attributed / self.due if self.due else 0.0
        verdict = judge(counts, self._picks(), coverage, shares, self.by_request)
        if verdict.kind is VerdictKind.NO_DATA:
            return Balance(len(counts), sum(counts), note=NO_SCORE), verdict
        return balance(counts, shares), as_estimate(verdict) if self.estimated else verdict

    def _picks(self) -> Loads | None:
        """The connections' loads. Of other clients nothing is known, so they count as one connection: no evidence."""
        others = self.others
        if self.loads is None or others <= OTHERS_IGNORED_TO * self.due:
            return self.loads
        return {**self.loads, kept(others): self.loads.get(kept(others), 0) + 1}

    def per_second(self, count: int) -> float:
        return count / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything computed from the counters at one sample.

    whole: since the start or the end of the warm-up. recent, minute: the last RECENT_S and MINUTE_S of that.
    """

    whole: Window
    balance: Balance
    verdict: Verdict
    recent: Window
    recent_balance: Balance
    recent_verdict: Verdict
    minute_balance: Balance
    minute_verdict: Verdict


class Windows:
    """The marks of a run: the first, and those of the last minute. Memory is bounded by MINUTE_S.

    warm_up_s: seconds after `begin` whose traffic is left out of every window.
    """

    def __init__(self, roster: Roster, warm_up_s: float = 0.0) -> None:
        self._roster = roster
        self._warm_up_s = warm_up_s
        self._expected: dict[str, float] = {}
        self._marks: deque[Mark] = deque()
        self._connections = ConnectionLedger(NO_LOADS)
        self._start: Mark | None = None
        self._source = Source.HEADER

    def begin(self, at_s: float) -> None:
        """The load starts now, with every counter at zero."""
        self._roster.expect(at_s, 0)
        self._start_from(Mark(TrafficSample(at_s, 0, 0, loads=NO_LOADS)))

    def observe(self, sample: TrafficSample, counted: Mapping[Source, Counted] | None = None) -> None:
        """Add a sample, and what the sources beside the load have counted; marks no longer needed are let go."""
        if self._start is None:
            self.begin(sample.at_s)
        self._expect(sample)
        self._connections.observe(sample.loads or NO_LOADS)
        self._marks.append(Mark(sample, dict(self._expected), counted or {}, _latency(sample)))
        self._end_warm_up()
        while len(self._marks) > 2 and self._marks[1].sample.at_s <= sample.at_s - MINUTE_S:
            self._marks.popleft()

    def recount(self, counted: Mapping[Source, Counted]) -> None:
        """The load is over and this is what the sources have counted at last."""
        if self._marks:
            self._marks[-1] = replace(self._marks[-1], counted=counted)

    def figures(self, source: Source = Source.HEADER) -> Figures:
        """Every window, judged by the counts of this source. `begin` or `observe` comes first."""
        self._source = source
        whole, recent = self._whole(), self._last(RECENT_S)
        return Figures(whole, *whole.judged(), recent, *recent.judged(), *self._last(MINUTE_S).judged())

    def _start_from(self, mark: Mark) -> None:
        self._start = mark
        self._marks = deque([mark])
        self._connections = ConnectionLedger(mark.sample.loads or NO_LOADS)

    def _end_warm_up(self) -> None:
        assert self._start is not None
        if self._warm_up_s and self._marks[-1].sample.at_s >= self._start.sample.at_s + self._warm_up_s:
            self._warm_up_s = 0.0
            self._start_from(self._marks[-1])

    def _expect(self, sample: TrafficSample) -> None:
        earlier = self._marks[-1].sample
        gained = self._roster.expect(sample.at_s, _answered(sample) - _answered(earlier))
        for name, requests in gained.items():
            self._expected[name] = self._expected.get(name, 0.0) + requests

    def _whole(self) -> Window:
        assert self._start is not None, "no window before the load began"
        return self._between(self._start, self._connections.whole())

    def _last(self, seconds: float) -> Window:
        """The last seconds, or since the start when that is shorter."""
        newest_s = self._marks[-1].sample.at_s
        # One mark at or before the window's beginning, and all after it.
        first = max((i for i, mark in enumerate(self._marks) if mark.sample.at_s <= newest_s - seconds), default=0)
        loads = [mark.sample.loads or NO_LOADS for mark in islice(self._marks, first, None)]
        return self._between(self._marks[first], carried_between(loads[0], loads[1:]))

    def _between(self, first: Mark, loads: Loads) -> Window:
        last = self._marks[-1]
        requests = last.sample.requests - first.sample.requests
        named = self._source in NAMED_BY_ANSWERS
        gained = _named(first, last) if named else gained_beside(self._source, first.counted, last.counted)
        pods = dict(gained.pods)
        expected = self._expectations(first, last, pods)
        for name in expected:
            pods.setdefault(name, PodCount())
        return Window(
            seconds=last.sample.at_s - first.sample.at_s,
            requests=requests,
            failures=_failures(last.sample) - _failures(first.sample),
            pods=pods,
            expected=expected,
            latency=last.latency.minus(first.latency),
            loads=loads if last.sample.loads else None,
            by_request=self._source is Source.PROXY or picks_by_request(last.sample.loads or NO_LOADS),
            due=gained.due,
            estimated=gained.estimated,
        )

    def _expectations(self, first: Mark, last: Mark, pods: Mapping[str, PodCount]) -> dict[str, float]:
        if not self._roster.known:
            return dict.fromkeys(pods, max(1, _answered(last.sample) - _answered(first.sample)) / max(1, len(pods)))
        gained = {name: total - first.expected.get(name, 0.0) for name, total in last.expected.items()}
        return {name: requests for name, requests in gained.items() if requests > 0}


def _named(first: Mark, last: Mark) -> Gained:
    pods = {name: _gained(count, first.sample.pods.get(name)) for name, count in last.sample.pods.items()}
    return Gained(pods, last.sample.requests - first.sample.requests)


def _answered(sample: TrafficSample) -> int:
    return sample.unnamed.requests + sum(count.requests for count in sample.pods.values())


def _failures(sample: TrafficSample) -> int:
    return sum(sample.errors.values())


def _latency(sample: TrafficSample) -> Histogram:
    return merged([count.latency for count in sample.pods.values()] + [sample.unnamed.latency])


def _gained(now: PodCount, then: PodCount | None) -> PodCount:
    if then is None or now.requests < then.requests:
        return now
    return PodCount(
        now.requests - then.requests,
        now.failures - then.failures,
        now.connections - then.connections,
        now.latency.minus(then.latency),
    )
