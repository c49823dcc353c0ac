"""Differences of cumulative counters: what happened since the start, and in the last seconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice

from scale_app.domain.balance import Balance, balance
from scale_app.domain.connections import ConnectionLedger, carried_between
from scale_app.domain.histogram import Histogram, merged
from scale_app.domain.roster import Roster
from scale_app.domain.samples import ConnectionLoads, PodCount, TrafficSample
from scale_app.domain.verdict import Verdict, judge

RECENT_S = 10.0
MINUTE_S = 60.0
NO_LOADS = ConnectionLoads()


@dataclass(frozen=True, slots=True)
class Mark:
    """The counters at one sample. expected: requests that each pod could have got since the start."""

    sample: TrafficSample
    expected: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Window:
    """What happened between two marks.

    pods: by name, every pod that answered or could have. expected: requests each eligible pod could have got.
    loads: {requests carried in the window: connections}, None when connections are unknown.
    """

    seconds: float
    requests: int
    failures: int
    pods: Mapping[str, PodCount]
    expected: Mapping[str, float]
    latency: Histogram
    loads: Mapping[int, int] | None
    switched: bool

    @property
    def eligible(self) -> list[str]:
        """Pods that should have shared the work, those with no request included; sorted."""
        return sorted(self.expected)

    @property
    def attributed(self) -> int:
        return sum(count.requests for count in self.pods.values())

    def judged(self) -> tuple[Balance, Verdict]:
        """Headline and verdict of the window."""
        counts = [self.pods[name].requests for name in self.eligible]
        shares = [self.expected[name] for name in self.eligible]
        coverage = self.attributed / self.requests if self.requests else 0.0
        return balance(counts, shares), judge(counts, self.loads, coverage, shares, self.switched)

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

    def begin(self, at_s: float) -> None:
        """The load starts now, with every counter at zero."""
        self._roster.expect(at_s, 0)
        self._start_from(Mark(TrafficSample(at_s, 0, 0, loads=NO_LOADS)))

    def observe(self, sample: TrafficSample) -> None:
        """Add a sample; marks that no window needs any more are let go."""
        if self._start is None:
            self.begin(sample.at_s)
        self._expect(sample)
        self._connections.observe(sample.loads or NO_LOADS)
        self._marks.append(Mark(sample, dict(self._expected)))
        self._end_warm_up()
        while len(self._marks) > 2 and self._marks[1].sample.at_s <= sample.at_s - MINUTE_S:
            self._marks.popleft()

    def figures(self) -> Figures:
        """Every window, judged. `begin` or `observe` comes first."""
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
        gained = self._roster.expect(sample.at_s, _attributed(sample) - _attributed(earlier))
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

    def _between(self, first: Mark, loads: Mapping[int, int]) -> Window:
        last = self._marks[-1]
        pods = {name: _gained(count, first.sample.pods.get(name)) for name, count in last.sample.pods.items()}
        expected = self._expectations(first, last, pods)
        for name in expected:
            pods.setdefault(name, PodCount())
        return Window(
            seconds=last.sample.at_s - first.sample.at_s,
            requests=last.sample.requests - first.sample.requests,
            failures=_failures(last.sample) - _failures(first.sample),
            pods=pods,
            expected=expected,
            latency=_latency(last.sample).minus(_latency(first.sample)),
            loads=loads if last.sample.loads else None,
            switched=_switched(last.sample) > _switched(first.sample),
        )

    def _expectations(self, first: Mark, last: Mark, pods: Mapping[str, PodCount]) -> dict[str, float]:
        if not self._roster.known:
            return dict.fromkeys(pods, 1.0)
        gained = {name: total - first.expected.get(name, 0.0) for name, total in last.expected.items()}
        return {name: requests for name, requests in gained.items() if requests > 0}


def _attributed(sample: TrafficSample) -> int:
    return sum(count.requests for count in sample.pods.values())


def _failures(sample: TrafficSample) -> int:
    return sum(sample.errors.values())


def _switched(sample: TrafficSample) -> int:
    return sample.loads.switched if sample.loads else 0


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
