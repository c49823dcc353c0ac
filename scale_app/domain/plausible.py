"""What observers report, brought within what can be: the one place where their readings enter a run.

Counters may go backwards, clocks may step, a source may say NaN. None of that is a reason to end a run: a figure that
cannot be is held at what was known before, or left out where nothing was. What can be passes as it came.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar

from scale_app.domain.histogram import Histogram
from scale_app.domain.samples import (
    ConnectionLoads,
    ConnectionsSample,
    CountsSample,
    GeneratorHealth,
    PodCount,
    PodSeen,
    PodsSample,
    PodUsage,
    Sample,
    TrafficSample,
)

MOST_COUNT = 10**15
"""Above every real count, and below 2**53: up to that a float and every reader of JSON tell one count from the next."""
MOST_S = 1e10
"""Of a clock: three hundred years."""
MOST_BUCKET = 2_000
"""Of a histogram; it holds latencies of thousands of years."""
MOST_WEIGHT = 1e6
NO_COUNTS = "{source} gave no counts for {pods}, but figures that no counter has, so they were left out."

Key = TypeVar("Key", bound=Hashable)
Figures = TypeVar("Figures", GeneratorHealth, PodUsage)


class Plausible:
    """Of one run. Times of each observer never go back, nor do the load generator's counts."""

    def __init__(self) -> None:
        self._at_s: dict[tuple[str, str], float] = {}
        self._traffic = TrafficSample(0.0, 0, 0)

    def within(self, sample: Sample) -> Sample:
        """The sample as far as it can be."""
        at_s = self._time(sample)
        if at_s != sample.at_s:
            sample = replace(sample, at_s=at_s)
        match sample:
            case TrafficSample():
                self._traffic = _traffic(sample, self._traffic)
                return self._traffic
            case PodsSample():
                return _pods(sample)
            case CountsSample():
                return _counts_sample(sample)
            case ConnectionsSample():
                return replace(sample, opened=_counts(sample.opened), took_s=_figure(sample.took_s))
            case _:
                return sample

    def _time(self, sample: Sample) -> float:
        observer = (sample.kind, str(getattr(sample, "source", "")))
        newest_s = max(self._at_s.values(), default=0.0)
        least_s = self._at_s.get(observer, -math.inf)
        at_s = max(sample.at_s if abs(sample.at_s) <= MOST_S else newest_s, least_s)
        self._at_s[observer] = at_s
        return at_s


def _traffic(sample: TrafficSample, before: TrafficSample) -> TrafficSample:
    pods = {name: _pod_count(count, before.pods.get(name)) for name, count in sample.pods.items()}
    pods |= {name: count for name, count in before.pods.items() if name not in pods}
    errors = {**before.errors, **{cause: _count(n, before.errors.get(cause, 0)) for cause, n in sample.errors.items()}}
    unnamed = _pod_count(sample.unnamed, before.unnamed)
    answered = unnamed.requests + sum(count.requests for count in pods.values())
    requests = max(_count(sample.requests, before.requests), answered, sum(errors.values()))
    return replace(
        sample,
        users=_count(sample.users),
        requests=requests,
        pods=pods,
        unnamed=unnamed,
        redirects=min(_count(sample.redirects, before.redirects), unnamed.requests),
        errors=errors,
        connections=_count(sample.connections, before.connections),
        loads=sample.loads and _loads(sample.loads),
        generator=_figures(sample.generator),
    )


def _pod_count(now: PodCount, before: PodCount | None) -> PodCount:
    before = before or PodCount()
    requests = _count(now.requests, before.requests)
    failures = min(_count(now.failures, before.failures), requests)
    connections = _count(now.connections, before.connections)
    unanswered = _count(now.unanswered, before.unanswered)
    return PodCount(requests, failures, connections, _histogram(now.latency), unanswered)


def _histogram(latency: Histogram) -> Histogram:
    counts = _counts(latency.counts)
    if counts is latency.counts and (not counts or (min(counts) >= 0 and max(counts) <= MOST_BUCKET)):
        return latency
    return Histogram({bucket: n for bucket, n in counts.items() if 0 <= bucket <= MOST_BUCKET and n})


def _loads(loads: ConnectionLoads) -> ConnectionLoads:
    return replace(
        loads,
        short=_counts(loads.short),
        long=_counts(loads.long),
        switched=_count(loads.switched),
        switches=None if loads.switches is None else _counts(loads.switches),
        short_switches={requests: _counts(alike) for requests, alike in loads.short_switches.items()},
    )


def _pods(sample: PodsSample) -> PodsSample:
    return replace(
        sample,
        pods=tuple(_pod(pod) for pod in sample.pods),
        answered=None if sample.answered is None else _counts(sample.answered),
        usage=None if sample.usage is None else {name: _figures(usage) for name, usage in sample.usage.items()},
    )


def _pod(pod: PodSeen) -> PodSeen:
    weight = pod.weight if 0 <= pod.weight <= MOST_WEIGHT else 1.0
    return replace(pod, weight=weight, restarts=_count(pod.restarts))


def _counts_sample(sample: CountsSample) -> CountsSample:
    requests = _counts(sample.requests)
    wrong = sorted(sample.requests.keys() - requests.keys())
    told = NO_COUNTS.format(source=sample.source, pods=", ".join(wrong)) if wrong else ""
    return replace(
        sample,
        requests=requests,
        unread=(*sample.unread, *wrong),
        others=_count(sample.others),
        took_s=_figure(sample.took_s),
        lag_s=_figure(sample.lag_s),
        problem=" ".join(part for part in (sample.problem, told) if part),
    )


def _count(value: float, least: int = 0) -> int:
    """A count that is not below what it was; that itself when this is none."""
    return int(value) if least <= value <= MOST_COUNT else least


def _counts(counts: Mapping[Key, int]) -> Mapping[Key, int]:
    """Without those that are none; the very same when all are."""
    if not counts or _are_counts(counts.values()):
        return counts
    return {key: int(value) for key, value in counts.items() if 0 <= value <= MOST_COUNT}


def _are_counts(values: Collection[float]) -> bool:
    """True when all are counts. There are many each second: the sum is whole if each of them is."""
    try:
        total = sum(values)
    except OverflowError:
        return False
    return isinstance(total, int) and total <= MOST_COUNT and min(values) >= 0


def _figure(value: float) -> float:
    return value if 0 <= value <= MOST_S else 0.0


def _figures(health: Figures) -> Figures:
    """With 0 for every number that is none."""
    values: dict[str, Any] = {each.name: getattr(health, each.name) for each in fields(health)}
    wrong = {name: 0 for name, value in values.items() if value is not None and not 0 <= value <= MOST_COUNT}
    return replace(health, **wrong) if wrong else health
