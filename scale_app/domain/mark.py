"""The counters at one sample of a run, and what was gained between two of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from scale_app.domain.counters import Counted, CountsDelta, counts_delta
from scale_app.domain.histogram import Histogram, bucket_of, merged
from scale_app.domain.samples import TIMED_OUT, ConnectionLoads, PodCount, TrafficSample
from scale_app.domain.source import Source

NO_LOADS = ConnectionLoads()


@dataclass(frozen=True, slots=True)
class Mark:
    """The counters at one sample. expected: requests that each pod could have got since the start. by_weight: those
    that the balancer's weights made due, {} as long as it had none.

    counted: what each source beside the load had counted by then. latency: of all pods, and of answers without a name;
    summed once, since every window asks for it. log_regular: evidence since the start that picks are spread more evenly
    than chance.
    """

    sample: TrafficSample
    expected: Mapping[str, float] = field(default_factory=dict)
    counted: Mapping[Source, Counted] = field(default_factory=dict)
    latency: Histogram = field(default_factory=Histogram)
    log_regular: float = 0.0
    by_weight: Mapping[str, float] = field(default_factory=dict)


def answered_since(
    names: Collection[str],
    earlier: Mark,
    sample: TrafficSample,
    counted: Mapping[Source, Counted],
    source: Source,
) -> Mapping[str, int]:
    """What these pods have answered since the mark."""
    if not names:
        return {}
    if not source.traits.in_answers:
        delta = counts_delta(source, earlier.counted, counted).pods
        return {name: delta[name].requests for name in names if name in delta}
    named = sample.pods.keys() & names
    return {name: picked(sample.pods[name], earlier.sample.pods.get(name)).requests for name in named}


def named_between(first: Mark, last: Mark) -> CountsDelta:
    pods = {name: gained(count, first.sample.pods.get(name)) for name, count in last.sample.pods.items()}
    answered = last.sample.answered - first.sample.answered
    foreign = last.sample.unnamed.failures - first.sample.unnamed.failures
    return CountsDelta(pods, max(0, answered - foreign), last.sample.requests - first.sample.requests)


def unserved_between(first: TrafficSample, last: TrafficSample, named: bool) -> int:
    """Requests that no pod answered: without an answer, or, where answers name their pods, with an error that names
    none, as a proxy gives in a pod's place."""
    lost = last.unanswered - first.unanswered
    return max(0, lost + (last.unnamed.failures - first.unnamed.failures if named else 0))


def latency_of(sample: TrafficSample, timeout_s: float) -> Histogram:
    """Of all answers, and of the requests that waited for one in vain."""
    in_vain = {bucket_of(timeout_s): sample.errors[TIMED_OUT]} if sample.errors.get(TIMED_OUT) else {}
    answered = [count.latency for count in sample.pods.values()]
    return merged([*answered, sample.unnamed.latency, Histogram(in_vain)])


def picked(now: PodCount, then: PodCount | None) -> PodCount:
    """What was gained, latencies and failures apart."""
    if then is None or now.requests < then.requests:
        return now
    unanswered = now.unanswered - then.unanswered
    return PodCount(now.requests - then.requests, connections=now.connections - then.connections, unanswered=unanswered)


def gained(now: PodCount, then: PodCount | None) -> PodCount:
    if then is None or now.requests < then.requests:
        return now
    return PodCount(
        now.requests - then.requests,
        now.failures - then.failures,
        now.connections - then.connections,
        now.latency.minus(then.latency),
        now.unanswered - then.unanswered,
    )
