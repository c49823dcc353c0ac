"""Differences of cumulative counters: what happened since the start, and in the last seconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from itertools import islice

from scale_app.domain.answering import Answering
from scale_app.domain.by_weight import ByWeight
from scale_app.domain.counters import NOTHING, Counted, counts_delta
from scale_app.domain.ejection import Ejections
from scale_app.domain.events import PodChanged
from scale_app.domain.evidence import log_regular
from scale_app.domain.mark import (
    NO_LOADS,
    Mark,
    answered_since,
    latency_of,
    named_between,
    picked,
    unserved_between,
)
from scale_app.domain.picks import ConnectionCounters, Loads, carried_between, picks_by_request
from scale_app.domain.quiet import Quiet, QuietPods
from scale_app.domain.roster import Roster
from scale_app.domain.samples import PodCount, TrafficSample
from scale_app.domain.source import Source
from scale_app.domain.window import Figures, Window, with_silence

RECENT_S = 10.0
MINUTE_S = 60.0


class Windows:
    """The marks of a run: the first, and those of the last minute. Memory is bounded by MINUTE_S.

    warm_up_s: seconds after `begin` whose traffic is left out of every window. timeout_s: how long a request waits.
    """

    def __init__(self, roster: Roster, warm_up_s: float = 0.0, timeout_s: float = 0.0) -> None:
        self._roster = roster
        self._warm_up_s = warm_up_s
        self._timeout_s = timeout_s
        self._quiet = QuietPods()
        self._ejections = Ejections()
        self._expected: dict[str, float] = {}
        self._answering = Answering()
        self._by_weight = ByWeight()
        self._weights: Mapping[str, float] = {}
        self._marks: deque[Mark] = deque()
        self._connections = ConnectionCounters(NO_LOADS)
        self._anew: tuple[Mark, ConnectionCounters] | None = None
        self._began: Mark | None = None
        self._start: Mark | None = None
        self._source = Source.HEADER

    def begin(self, at_s: float) -> None:
        """The load starts now, with every counter at zero."""
        self._roster.expect(at_s, 0)
        self._began = Mark(TrafficSample(at_s, 0, 0, loads=NO_LOADS))
        self._start_from(self._began)

    def observe(
        self,
        sample: TrafficSample,
        counted: Mapping[Source, Counted] | None = None,
        source: Source = Source.HEADER,
        told_weights: Mapping[str, float] | None = None,
    ) -> None:
        """Add a sample, and what the sources beside the load have counted; marks no longer needed are let go.

        source: the one that is in use. told_weights: of the pods, by a proxy that counts them; None where none does.
        """
        if self._start is None:
            self.begin(sample.at_s)
        self._weights = told_weights or self._roster.balancer_weights
        regular = self._marks[-1].log_regular + self._regular(sample, self._expect(sample, counted or {}, source))
        for counters in (self._connections, *([self._anew[1]] if self._anew else [])):
            counters.observe(sample.loads or NO_LOADS)
        latency = latency_of(sample, self._timeout_s)
        self._marks.append(
            Mark(sample, dict(self._expected), counted or {}, latency, regular, dict(self._by_weight.due))
        )
        names = sample.pods.keys() | (counted or {}).get(source, NOTHING).requests.keys()
        answered = answered_since(names, self._marks[-2], sample, counted or {}, source)
        self._answering.observe(sample.at_s, answered)
        got = {name: answered[name] for name in self._expected.keys() & answered.keys()}
        self._quiet.observe(self._marks, got, source.traits.in_answers, self._roster.in_grace)
        self._ejections.observe(self._marks, self._quiet.answered, self._roster.in_grace, source.traits.in_answers)
        self._end_warm_up()
        while len(self._marks) > 2 and self._marks[1].sample.at_s <= sample.at_s - MINUTE_S:
            self._marks.popleft()

    @property
    def warmed_up(self) -> bool:
        """True once the windows leave the warm-up out."""
        return not self._warm_up_s

    def recount(self, counted: Mapping[Source, Counted]) -> None:
        """The load is over and this is what the sources have counted at last."""
        if self._marks:
            self._marks[-1] = replace(self._marks[-1], counted=counted)

    def figures(self, source: Source = Source.HEADER, at_end: bool = False) -> Figures:
        """Every window, judged by the counts of this source. `begin` or `observe` comes first. at_end: see Window."""
        assert self._began is not None, "no window before the load began"
        assert self._start is not None
        self._source = source
        whole = self._between(self._start, self._connections)
        quiet = tuple(self._since_quiet())
        judged = whole.judged(at_end) if at_end else (whole.balance, whole.verdict)
        balance, verdict = with_silence(whole, judged, quiet)
        recent, minute = self._last(RECENT_S, whole), self._last(MINUTE_S, whole)
        since_alert = whole if self._anew is None else self._between(*self._anew)
        begun = whole if self._began is self._start else self._between(self._began, {})
        ejections = self._ejections.by_pod(self._began.sample.at_s)
        return Figures(
            whole, balance, verdict, recent, minute, since_alert, begun, quiet, ejections, self._roster.rises
        )

    def joined(self) -> Iterator[PodChanged]:
        """Pods that answered for the first time in mid-run, where nobody tells which join."""
        if self._began is not None and not self._roster.known:
            for pod, at_s in self._answering.joined().items():
                yield PodChanged(at_s - self._began.sample.at_s, pod, "joined")

    def alert_over(self) -> None:
        """An alert on the balance has ended: what was before it is no evidence for another one."""
        newest = self._marks[-1]
        self._anew = newest, ConnectionCounters(newest.sample.loads or NO_LOADS)

    def _since_quiet(self) -> Iterator[Window]:
        """What happened since ready pods have stopped answering, a window for all that did so at once."""
        excused = self._roster.in_grace
        for quiet in self._quiet.followed:
            pods = sorted(name for name in quiet.pods if name not in excused and self._roster.pod(name).ready)
            if pods and self._began is not None:
                window = self._between(quiet.since, quiet.connections, pods)
                since_s = quiet.since.sample.at_s - self._began.sample.at_s
                starts = quiet.starts(pods, window.freshness, self._source)
                yield replace(self._with_losses(window, quiet), quiet=tuple(pods), since_s=since_s, starts=starts)

    def _with_losses(self, window: Window, quiet: Quiet) -> Window:
        """What was lost since the answer before the last may be theirs, too."""
        first, last = quiet.before.sample, self._marks[-1]
        pods = {
            name: replace(count, unanswered=picked(last.sample.pods[name], first.pods.get(name)).unanswered)
            if name in last.sample.pods
            else count
            for name, count in window.pods.items()
        }
        unserved = unserved_between(first, last.sample, self._source.traits.in_answers)
        log_all_silent = quiet.log_all_silent(quiet.pods, last, self._source)
        return replace(window, pods=pods, unserved=unserved, log_all_silent=log_all_silent)

    def _start_from(self, mark: Mark) -> None:
        self._start = mark
        self._marks = deque([mark])
        self._quiet = QuietPods()
        self._connections = ConnectionCounters(mark.sample.loads or NO_LOADS)

    def _end_warm_up(self) -> None:
        assert self._start is not None
        if self._warm_up_s and self._marks[-1].sample.at_s >= self._start.sample.at_s + self._warm_up_s:
            self._warm_up_s = 0.0
            self._start_from(self._marks[-1])

    def _expect(self, sample: TrafficSample, counted: Mapping[Source, Counted], source: Source) -> Mapping[str, float]:
        """Requests due since the last sample to each pod that is not in grace."""
        earlier, excused = self._marks[-1], self._roster.in_grace
        got = answered_since({*excused, *self._roster.late, *self._roster.rises}, earlier, sample, counted, source)
        gained = self._roster.expect(sample.at_s, sample.answered - earlier.sample.answered, got)
        self._by_weight.observe(self._expected, gained, excused, self._roster.relative(self._weights))
        for name, requests in gained.items():
            self._expected[name] = self._expected.get(name, 0.0) + requests
        return {name: due for name, due in gained.items() if name not in excused}

    def _regular(self, sample: TrafficSample, due: Mapping[str, float]) -> float:
        before = self._marks[-1].sample
        gained = {name: picked(count, before.pods.get(name)) for name, count in sample.pods.items()}
        if not self._roster.known:
            due = self._roster.weights(gained)
        loads = carried_between(before.loads or NO_LOADS, [sample.loads]) if sample.loads else None
        return log_regular(gained, due, loads)

    def _last(self, seconds: float, whole: Window) -> Window:
        """The last seconds, or, when that is shorter, the whole."""
        newest_s = self._marks[-1].sample.at_s
        # One mark at or before the window's beginning, and all after it.
        first = max((i for i, mark in enumerate(self._marks) if mark.sample.at_s <= newest_s - seconds), default=0)
        if self._marks[first] is self._start:
            return whole
        loads = [mark.sample.loads or NO_LOADS for mark in islice(self._marks, first, None)]
        return replace(self._between(self._marks[first], carried_between(loads[0], loads[1:])), sliding=True)

    def _between(self, first: Mark, carried: Loads | ConnectionCounters, there: Collection[str] = ()) -> Window:
        last = self._marks[-1]
        named = self._source.traits.in_answers
        delta = named_between(first, last) if named else counts_delta(self._source, first.counted, last.counted)
        pods = dict(delta.pods)
        known = self._knows(pods)
        if known:
            expected = _gained(first.expected, last.expected)
        else:
            expected = self._answering.due(first.sample.at_s, self._roster.declared, there)
        for name in expected:
            pods.setdefault(name, PodCount())
        loads = carried.whole() if isinstance(carried, ConnectionCounters) else carried
        return Window(
            seconds=last.sample.at_s - first.sample.at_s,
            requests=last.sample.requests - first.sample.requests,
            failures=sum(last.sample.errors.values()) - sum(first.sample.errors.values()),
            pods=pods,
            expected=expected,
            latency=last.latency.minus(first.latency),
            loads=loads if last.sample.loads else None,
            by_request=self._source.traits.pick == "request" or picks_by_request(last.sample.loads or NO_LOADS),
            due=delta.due,
            most=delta.most,
            redirects=last.sample.redirects - first.sample.redirects,
            unserved=unserved_between(first.sample, last.sample, named),
            estimated=delta.estimated,
            log_regular=last.log_regular - first.log_regular if named else 0.0,
            roster_known=known,
            weights=self._weights,
            by_weight=_gained(first.by_weight or first.expected, last.by_weight) if known else {},
            arriving=self._roster.arriving if known else 0,
        )

    def _knows(self, pods: Mapping[str, PodCount]) -> bool:
        """Whether the roster is that of the pods that answer. Behind a proxy whose own Service is watched it is not."""
        answering = {name for name, count in pods.items() if count.requests}
        listed = self._roster.listed()
        strangers = answering and not any(name in listed or name in self._expected for name in answering)
        return self._roster.known and not strangers


def _gained(before: Mapping[str, float], now: Mapping[str, float]) -> dict[str, float]:
    gained = {name: total - before.get(name, 0.0) for name, total in now.items()}
    return {name: requests for name, requests in gained.items() if requests > 0}
