"""Whatever observers say, a run has a verdict or a sentence, figures that are figures, and never an exception."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scale_app.domain.histogram import Histogram
from scale_app.domain.plan import LoadPlan
from scale_app.domain.run import Run
from scale_app.domain.samples import (
    ConnectionLoads,
    ConnectionsSample,
    CountsSample,
    GeneratorHealth,
    LoadEnded,
    LoadReady,
    PodCount,
    PodSeen,
    PodsSample,
    Sample,
    Tick,
    TrafficSample,
)
from scale_app.domain.snapshot import RunState, Snapshot
from scale_app.domain.source import Source
from scale_app.domain.verdict import VerdictKind
from scale_app.worker.counters import Counters
from tests.fakes_load import observed

NAMES = st.sampled_from(["a", "b", "c", "", "\N{SNOWMAN}"])
NUMBERS: st.SearchStrategy[Any] = st.one_of(
    st.integers(0, 2_000), st.integers(-5, 10**6), st.floats(), st.sampled_from([10**400, -(10**400), 2**63])
)
COUNTS = ("requests", "failures", "connections", "users", "unattributed")
SECONDS: st.SearchStrategy[Any] = st.one_of(st.floats(0, 20), st.floats())


def counts_of(keys: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[Any, Any]]:
    return st.dictionaries(keys, NUMBERS, max_size=4)


HISTOGRAMS = st.builds(Histogram, counts_of(st.integers(-10, 10**5)))
POD_COUNTS = st.builds(PodCount, NUMBERS, NUMBERS, NUMBERS, HISTOGRAMS)
LOADS = st.builds(
    ConnectionLoads,
    short=counts_of(st.integers(-3, 10**6)),
    long=counts_of(st.integers(0, 5)),
    switched=NUMBERS,
    switches=st.none() | counts_of(st.integers(0, 5)),
    short_switches=st.dictionaries(st.integers(-3, 10**6), counts_of(st.integers(-3, 10**6)), max_size=3),
)
HEALTH = st.builds(GeneratorHealth, NUMBERS, NUMBERS, st.none() | NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS)
PODS = st.builds(
    PodSeen, name=NAMES, ready=st.booleans(), weight=NUMBERS, uid=st.sampled_from(["", "1", "2"]), restarts=NUMBERS
)
SAMPLES: st.SearchStrategy[Sample] = st.one_of(
    st.builds(
        TrafficSample,
        SECONDS,
        NUMBERS,
        NUMBERS,
        st.dictionaries(NAMES, POD_COUNTS, max_size=4),
        POD_COUNTS,
        counts_of(st.sampled_from(["timeout", "HTTP 503", "connection refused"])),
        NUMBERS,
        st.none() | LOADS,
        HEALTH,
        NUMBERS,
    ),
    st.builds(PodsSample, SECONDS, st.lists(PODS, max_size=4).map(tuple), answered=st.none() | counts_of(NAMES)),
    st.builds(
        CountsSample,
        SECONDS,
        st.sampled_from([Source.PROMETHEUS, Source.ACCESS_LOG, Source.PROXY, Source.NETWORK]),
        counts_of(NAMES),
        others=NUMBERS,
        took_s=SECONDS,
        lag_s=SECONDS,
        approximate=st.booleans(),
    ),
    st.builds(ConnectionsSample, SECONDS, opened=counts_of(NAMES), took_s=SECONDS),
    st.builds(LoadReady, SECONDS),
    st.builds(Tick, SECONDS),
)


def judged(samples: Iterable[Sample], plan: LoadPlan | None = None, loaded: bool = True) -> Snapshot:
    """The last snapshot of a run with these samples, after a tick at each of them; all of them are looked at."""
    run = Run("run-1", plan or LoadPlan(duration_s=3_600), Source.HEADER, 0.0, loaded)
    for sample in [*samples, LoadEnded(25.0)]:
        observed(run, sample)
        if run.last is not None:
            assert list(wrong_in(dataclasses.asdict(run.last))) == []
            assert run.last.verdict.sentence.endswith(".")
    assert run.last is not None
    assert run.last.verdict.kind is not VerdictKind.NO_DATA or run.state is RunState.FAILED or run.last.verdict.sentence
    return run.last


def wrong_in(part: object, name: str = "") -> Iterator[str]:
    """Names of figures that are none, or below 0 where they count something."""
    if isinstance(part, dict):
        for key, value in part.items():
            yield from wrong_in(value, f"{name}.{key}")
    elif isinstance(part, (list, tuple)):
        for value in part:
            yield from wrong_in(value, name)
    elif (isinstance(part, float) and not math.isfinite(part)) or (
        isinstance(part, int) and part < 0 and name.endswith(("requests", "failures", "connections", "users"))
    ):
        yield name


@settings(max_examples=150, deadline=None)
@given(
    st.lists(SAMPLES, max_size=12), st.booleans(), st.sampled_from([0.0, 3.0]), st.sampled_from(["verdict", "score"])
)
def test_any_samples_have_a_verdict_and_no_exception(
    samples: list[Sample], loaded: bool, warm_up_s: float, alert_rule: str
) -> None:
    plan = LoadPlan(
        duration_s=3_600,
        warm_up_s=warm_up_s,
        alert_rule=alert_rule,
        max_pod_share=0.5,
        max_p95_ms=1,
        until="decided",  # type: ignore[arg-type]
    )
    judged(samples, plan, loaded)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.lists(
            st.tuples(
                st.integers(0, 4),
                st.sampled_from([b"a", b"b", b"c", b"", b"\xff" * 300]),
                st.sampled_from([200, 503, 502]),
            ),
            max_size=60,
        ),
        min_size=1,
        max_size=5,
    )
)
def test_any_answers_on_any_connections_have_a_verdict(seconds: list[list[tuple[int, bytes, int]]]) -> None:
    """Through the worker's own counters: pods change their names in mid-connection, names are none, connections end."""
    counters, opened, samples = Counters(), {}, []
    for second, answers in enumerate(seconds, 1):
        for connection, pod, status in answers:
            opened[connection] = opened.get(connection) or counters.opened()
            counters.answered(opened[connection], counters.cell(pod, status), 0.01)
            if status == 502:
                counters.closed(opened.pop(connection))
        samples.append(counters.sample(float(second), 5, GeneratorHealth()))
    last = judged([LoadReady(0.0), *samples])
    assert last.requests == sum(map(len, seconds))


def of_pods(counts: list[int], second: int = 10, loads: ConnectionLoads | None = None) -> TrafficSample:
    pods = {f"pod-{at}": PodCount(count, connections=count) for at, count in enumerate(counts)}
    return TrafficSample(float(second), 5, sum(counts), pods, connections=sum(counts), loads=loads)


@pytest.mark.parametrize(
    ("counts", "kind"),
    [
        ([1], VerdictKind.EVEN),
        ([1, 0], VerdictKind.UNDECIDED),
        ([50] * 1_000, VerdictKind.EVEN),
        ([], VerdictKind.NO_DATA),
    ],
    ids=["one request to one pod", "one request to two", "a thousand pods", "none"],
)
def test_a_run_of_one_request_of_one_pod_of_a_thousand(counts: list[int], kind: VerdictKind) -> None:
    listed = PodsSample(0.0, tuple(PodSeen(f"pod-{at}") for at in range(len(counts))))
    assert judged([listed, LoadReady(0.0), of_pods(counts)]).verdict.kind is kind


def test_a_million_switches_are_no_more_picks_than_there_were_answers() -> None:
    loads = ConnectionLoads(long={1: 1_000}, switches={1: 10**6})
    last = judged([LoadReady(0.0), of_pods([500, 500], loads=loads)])
    assert last.verdict.effective_picks is not None
    assert last.verdict.effective_picks <= 1_000


def test_counters_that_go_backwards_are_held_and_go_on_from_there() -> None:
    seen = [of_pods([100, 100], 1), of_pods([40, 120], 2), of_pods([110, 130], 3)]
    last = judged([LoadReady(0.0), *seen])
    assert {pod.name: pod.requests for pod in last.pods} == {"pod-0": 110, "pod-1": 130}
    assert last.requests == 240


def test_a_source_that_says_no_number_is_said_and_what_it_counts_else_is_used() -> None:
    nonsense: Any = math.nan
    listed = PodsSample(0.0, (PodSeen("a"), PodSeen("b")))
    readings = [CountsSample(0.0, Source.PROMETHEUS, {"a": 0, "b": 0}), LoadReady(0.1)]
    sent = TrafficSample(5.0, 5, 1_000, unnamed=PodCount(1_000))
    said = CountsSample(4.9, Source.PROMETHEUS, {"a": 500, "b": nonsense})
    last = judged([listed, *readings, said, sent])
    assert "b" in last.counting.now.problem or any("b" in each.problem for each in last.counting.considered)
    assert {pod.name: pod.requests for pod in last.pods}["a"] == 500


def test_a_clock_that_steps_back_stops_nothing() -> None:
    last = judged([LoadReady(0.0), of_pods([10, 10], 5), of_pods([20, 20], -100), of_pods([30, 30], 6)])
    assert (last.requests, last.elapsed_s) == (60, 25.0)
