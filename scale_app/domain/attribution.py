"""Which source a run's counts come from, and what every source has counted at the moment of a sample.

Sources that are read beside the load see the pods at moments of their own. Each reading is therefore compared with
what the generator had sent at that very moment, so that a lag is not taken for requests that nobody counted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from scale_app.domain.connection_join import ConnectionJoin, Joined
from scale_app.domain.counters import Counted, CounterTotals, Timeline
from scale_app.domain.counting import Counting, CountingWish, SourceStanding
from scale_app.domain.samples import ConnectionsSample, CountsSample, PodCount, TrafficSample
from scale_app.domain.source import COUNTERS, JOINED, Source
from scale_app.domain.verdict import COVERAGE_FLOOR
from scale_app.domain.verdict_sentence import pods_named

ANSWERS_TO_CHOOSE = 20
ANSWERS_TO_SETTLE = 500
WAITING_AT_MOST = 64
STALE_AFTER_S = 10.0
FAR_MORE = 0.2


def choose(wish: CountingWish, present: Source, standings: Mapping[Source, SourceStanding], answers: int) -> Source:
    """The source to judge by: the one asked for, or the best that ascribes nearly all requests. Pure.

    Sources that work alike are preferred in this order: what the answers say, then the order of COUNTERS. While none
    works, the one in use stays unless another ascribes far more. Before there are answers it stays as it is.
    """
    if wish.source != "auto":
        return present if wish.source == "header" else Source(wish.source)
    if answers < ANSWERS_TO_CHOOSE:
        return present
    named = [source for source in standings if source.traits.in_answers]
    ranked = [source for source in (*named, *COUNTERS) if source in standings]
    working = next((source for source in ranked if _coverage(standings, source) >= COVERAGE_FLOOR), None)
    best = working or max(ranked, key=lambda source: _coverage(standings, source), default=present)
    far_more = _coverage(standings, best) > _coverage(standings, present) + FAR_MORE
    return best if working or far_more else present


def lost_sentence(lost: int, pods: Sequence[str]) -> str:
    """Why this many requests are assigned to no pod, "" for none. pods: whose counters ended or are out of reach."""
    if not lost:
        return ""
    return (
        f"At least {lost:,} of this run's requests are missing from the counts: the counter of {pods_named(pods)} "
        "ended with its container or pod, or cannot be read, and its counts since the last reading are lost. "
        "Counting by access log loses none."
    )


def _cut_off(sample: CountsSample) -> tuple[str, ...]:
    """The pods that may have answered what nobody read."""
    return tuple(dict.fromkeys((*sample.cut_off, *sample.unread)))


def _coverage(standings: Mapping[Source, SourceStanding], source: Source) -> float:
    standing = standings.get(source)
    return 0.0 if standing is None else standing.coverage or 0.0


class Attribution:
    """source: the one in use now. named: what the answers themselves say, if anything. weights: of the pods, as a
    balancer among the sources said last.

    loaded: a load generator takes part, and only what it sent is of interest; else whatever the pods answered is.
    """

    def __init__(self, wish: CountingWish, named: Source, loaded: bool = True) -> None:
        self.named = Source.JSON if wish.json_field and wish.source != "header" else named
        self.source = choose(wish, self.named, {}, 0)
        self._wish = wish
        self._loaded = loaded
        self._counters: dict[Source, CounterTotals] = {}
        self._waiting: list[CountsSample] = []
        self._timeline = Timeline()
        self._answers = Timeline()
        self._join = ConnectionJoin()
        self._counted: dict[Source, Counted] = {}
        self._base: dict[Source, Mapping[str, int]] = {}
        self._standings: dict[Source, SourceStanding] = {}
        self._others: dict[Source, int] = {}
        self._others_before: dict[Source, int] = {}
        self._read_at_s: dict[Source, float] = {}
        self._newest: TrafficSample | None = None
        self.weights: Mapping[str, float] = {}

    def begin(self, at_s: float) -> None:
        """The load starts now: what the sources have counted so far is nobody's business."""
        self._timeline.observe(at_s, 0)
        self._answers.observe(at_s, 0)
        for source, counters in self._counters.items():
            self._base[source] = dict(counters.totals)

    def counts_seen(self, sample: CountsSample) -> None:
        """Take a reading; it counts once the generator's own count of that moment is known."""
        self.weights = sample.weights or self.weights
        if sample.problem or sample.unread:
            self._note(sample.source, unread=sample.unread, problem=sample.problem)
        if not sample.requests or (sample.approximate and not self._loaded):
            return  # bytes are no requests where none are known to share out
        self._waiting = [*self._waiting, sample][-WAITING_AT_MOST:]
        if self._timeline.newest_s is None:
            self._settle_readings()

    def connections_seen(self, sample: ConnectionsSample) -> None:
        """Take a reading of the pods' connection tables."""
        self._note(JOINED, took_s=sample.took_s, unread=sample.unread, problem=sample.problem)
        if sample.clients or sample.opened:
            self._join.connections_seen(sample)

    def traffic_seen(self, sample: TrafficSample) -> None:
        """Take the generator's counts, bring every source up to them, and choose."""
        self._timeline.observe(sample.at_s, sample.requests)
        self._answers.observe(sample.at_s, sample.answered)
        self._newest = sample
        self._settle_readings(sample.at_s)
        self._doubt_stale(sample)
        self._judge(sample)

    def counted_alone(self, at_s: float) -> TrafficSample | None:
        """Of a run without a load generator: all that the source in use has counted, None when it has not lately."""
        before = self._counted.get(self.source)
        self._settle_readings(at_s)
        totals = {source: sum(counted.requests.values()) for source, counted in self._counted.items()}
        self.source = choose(self._wish, self.source, self._standings, max(totals.values(), default=0))
        if self._counted.get(self.source) is before:
            return None
        seen = max(totals[self.source], self._newest.requests if self._newest else 0)
        return TrafficSample(at_s, users=0, requests=seen, unnamed=PodCount(seen))

    def _judge(self, sample: TrafficSample) -> None:
        """What every source is worth at this sample, and which one is used."""
        joined = self._join.traffic_seen(sample)
        if joined is not None:
            self._take_joined(joined, sample)
        named = sum(count.requests for count in sample.pods.values())
        self._note(self.named, coverage=named / sample.answered if sample.answered else None)
        self.source = choose(self._wish, self.source, self._standings, sample.answered)

    def end(self) -> None:
        """The load is over: readings made since then see all of it."""
        self._settle_readings()
        self._join.load_ended()
        if self._newest is not None:
            self._judge(self._newest)

    def counted(self) -> Mapping[Source, Counted]:
        """What every source that is read beside the load has counted up to now, itself unchanging."""
        return dict(self._counted)

    @property
    def counting(self) -> Counting:
        now = self._standings.get(self.source, SourceStanding(self.source))
        return Counting(now, self.others, tuple(self._standings.values()))

    @property
    def settled(self) -> bool:
        """True when the answers name their pods and have done so often enough that nothing else need be read."""
        named = self.source.traits.in_answers and _coverage(self._standings, self.source) >= COVERAGE_FLOOR
        return named and self._timeline.newest >= ANSWERS_TO_SETTLE

    @property
    def others(self) -> int | None:
        """Requests of other clients since the start, at least; None when no source that is read can tell."""
        tell = COUNTERS if self.source.traits.in_answers else (self.source,)
        return next((self._others[source] for source in tell if source in self._others), None)

    def _settle_readings(self, to_s: float = math.inf) -> None:
        """Enter the readings that ended before this time into the counts; all of them before and after the load."""
        for sample in self._waiting:
            if sample.at_s + sample.took_s <= to_s:
                self._enter(sample)
        self._waiting = [sample for sample in self._waiting if sample.at_s + sample.took_s > to_s]

    def _enter(self, sample: CountsSample) -> None:
        source = sample.source
        counters = self._counters.setdefault(source, CounterTotals())
        counters.observe(sample)
        if self._timeline.newest_s is None:
            self._others_before[source] = sample.others
            return
        base = self._base.setdefault(source, {})
        requests = {pod: total - base.get(pod, 0) for pod, total in counters.totals.items()}
        total = sum(requests.values())
        ended = answered = float(total)
        if self._loaded:
            at_s = sample.at_s + sample.took_s / 2 - sample.lag_s
            ended, answered = self._timeline.at(at_s), self._answers.at(at_s)
        self._counted[source] = Counted(requests, ended, estimated=sample.approximate, answered=answered)
        lost = self._lost(sample, total)
        self._note(
            source,
            coverage=self._coverage(sample, total, answered),
            approximate=sample.approximate,
            lag_s=sample.lag_s,
            took_s=sample.took_s,
            unread=sample.unread,
            problem=f"{sample.problem} {lost_sentence(lost, _cut_off(sample))}".strip(),
            lost=lost,
        )
        self._read_at_s[source] = sample.at_s
        if self._loaded and not sample.approximate:
            self._tell_others(sample, total)

    def _lost(self, sample: CountsSample, counted: int) -> int:
        """What had ended when the reading began and is in no counter; where others' requests are counted too, less.

        A log that cannot be read now is still there to be read later.
        """
        if sample.approximate or sample.source.traits.lossless or not _cut_off(sample):
            return 0
        return max(0, int(self._answers.at(sample.at_s - sample.lag_s)) - counted)

    def _tell_others(self, sample: CountsSample, counted: int) -> None:
        """Held against what we had sent a little later, so that requests of ours are never taken for another's.

        One request of each user may have been counted whose answer we had not seen yet.
        """
        source = sample.source
        in_flight = self._newest.users if self._newest else 0
        beyond = max(0, counted - self._timeline.newest - in_flight)
        told = beyond + sample.others - self._others_before.get(source, 0)
        self._others[source] = max(self._others.get(source, 0), told)

    def _coverage(self, sample: CountsSample, counted: int, answered: float) -> float | None:
        if not sample.approximate:
            return counted / answered if answered >= 1 else None
        # Bytes cannot be held against requests; what can be told is how many of the pods were read.
        return len(sample.requests) / (len(sample.requests) + len(sample.unread)) if counted > 0 else None

    def _doubt_stale(self, sample: TrafficSample) -> None:
        """What has not been read for a while misses what was sent since."""
        for source, read_at_s in self._read_at_s.items():
            lag_s = self._standings[source].lag_s
            if sample.answered and sample.at_s - read_at_s - lag_s > STALE_AFTER_S:
                counted = self._counted[source]
                seen = counted.answered if counted.estimated else sum(counted.requests.values())
                self._note(source, coverage=seen / sample.answered)

    def _take_joined(self, joined: Joined, sample: TrafficSample) -> None:
        self._counted[JOINED] = Counted(
            joined.requests, sample.requests, joined.connections, joined.estimated, sample.answered
        )
        coverage = sum(joined.requests.values()) / sample.answered if sample.answered else None
        self._note(JOINED, coverage=coverage, approximate=joined.estimated)

    def _note(self, source: Source, **changes: Any) -> None:
        standing = self._standings.get(source) or SourceStanding(source)
        self._standings[source] = replace(standing, **changes)
