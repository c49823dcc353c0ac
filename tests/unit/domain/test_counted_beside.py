"""A run judged by counts that are read beside its load: with other clients, estimates, and pods that got nothing."""

from dataclasses import replace

import pytest

from scale_app.domain.counters import Counted, counts_delta
from scale_app.domain.plan import LoadPlan
from scale_app.domain.run import Run
from scale_app.domain.samples import (
    ConnectionLoads,
    CountsSample,
    LoadEnded,
    LoadReady,
    PodCount,
    PodSeen,
    PodsSample,
    TrafficSample,
)
from scale_app.domain.snapshot import Snapshot, Source
from scale_app.domain.verdict import SCORE_ERROR, VerdictKind, as_estimate, judge
from tests.fakes_load import observed

URL = "http://cart.shop.svc/"


def _ended(counts: dict[str, int], ours: int, source: Source = Source.PROMETHEUS, **changes: object) -> Snapshot:
    """The last snapshot of a run that sent `ours` requests, one a connection, none of whose answers named a pod."""
    run = Run("run", LoadPlan(target_url=URL, requests_per_connection=1), Source.HEADER, 0.0)
    observed(run, PodsSample(0.0, tuple(PodSeen(name) for name in counts)))
    approximate = source is Source.NETWORK
    first = CountsSample(-1.0, source, dict.fromkeys(counts, 7), approximate=approximate)
    observed(run, replace(first, weights=changes.get("weights", {})))  # type: ignore[arg-type]
    observed(run, LoadReady(0.0))
    loads = ConnectionLoads({1: ours})
    observed(run, TrafficSample(10.0, 5, ours, unnamed=PodCount(ours), connections=ours, loads=loads))
    later = {name: count + 7 for name, count in counts.items()}
    last = CountsSample(10.5, source, later, approximate=approximate)
    observed(run, replace(last, **changes))  # type: ignore[arg-type]
    observed(run, LoadEnded(10.6))
    assert run.last is not None
    return run.last


def test_the_counts_beside_the_load_are_judged_with_the_generators_own_connections() -> None:
    last = _ended({"a": 40_000, "b": 40_000}, ours=80_000)
    assert (last.source, last.verdict.kind, last.unattributed) == (Source.PROMETHEUS, VerdictKind.EVEN, 0)
    assert last.verdict.connections_known
    assert last.verdict.effective_picks == pytest.approx(80_000)


def test_a_pod_without_a_request_counts() -> None:
    last = _ended({"a": 500, "b": 500, "c": 0}, ours=1_000)
    assert (last.balance.pods, last.verdict.kind) == (3, VerdictKind.UNEVEN)


def test_requests_that_no_source_saw_are_unattributed() -> None:
    last = _ended({"a": 450, "b": 450}, ours=1_000)
    assert (last.unattributed, last.verdict.kind) == (100, VerdictKind.NO_DATA)


def test_other_clients_requests_are_shown_and_are_no_evidence() -> None:
    last = _ended({"a": 40_000, "b": 100_000}, ours=80_000)
    assert last.counting.others is not None
    assert last.counting.others > 59_000
    assert last.verdict.kind is VerdictKind.UNDECIDED
    assert "foreign_traffic" in [finding.code for finding in last.findings]


def test_health_probes_change_no_verdict() -> None:
    last = _ended({"a": 40_020, "b": 40_020}, ours=80_000)
    assert last.verdict.kind is VerdictKind.EVEN


def test_requests_that_the_source_tells_to_be_anothers_are_shown_and_not_judged() -> None:
    last = _ended({"a": 40_000, "b": 40_000}, ours=80_000, others=9_000)
    assert (last.counting.others, last.verdict.kind) == (9_000, VerdictKind.EVEN)


def test_an_estimate_shares_out_what_was_sent_and_never_says_even() -> None:
    last = _ended({"a": 7_000_000, "b": 7_000_000}, ours=80_000, source=Source.NETWORK)
    assert [row.requests for row in last.pods] == [40_000, 40_000]
    assert last.verdict.kind is VerdictKind.UNDECIDED
    assert "estimates" in last.verdict.sentence


def test_an_estimate_says_uneven_only_by_a_clear_margin() -> None:
    clear, near = judge([60_000, 40_000], {1: 100_000}, 1.0), judge([52_000, 48_000], {1: 100_000}, 1.0)
    assert clear.kind is near.kind is VerdictKind.UNEVEN
    assert near.score_high is not None
    assert near.score_high >= 0.95 - SCORE_ERROR
    assert as_estimate(clear).kind is VerdictKind.UNEVEN
    assert as_estimate(near).kind is VerdictKind.UNDECIDED


def test_at_a_proxy_each_request_is_a_pick() -> None:
    last = _ended({"a": 500, "b": 500}, ours=1_000, source=Source.PROXY)
    assert last.source is Source.PROXY
    assert "layer7" in [finding.code for finding in last.findings]


def test_weights_that_the_proxy_tells_are_the_cause_and_nothing_is_inferred() -> None:
    uneven = {"a": 40_000, "b": 30_000}
    codes = {}
    for weights in ({"a": 4.0, "b": 3.0}, {"a": 1.0, "b": 1.0}):
        last = _ended(uneven, ours=70_000, source=Source.PROXY, weights=weights)
        codes[weights["a"]] = {(finding.code, finding.certainty) for finding in last.findings}
    assert codes[4.0] == {("unequal_weights", "certain")}
    assert codes[1.0] == {("layer7_policy", "possible")}


def test_what_a_source_missed_before_it_began_is_missing() -> None:
    now = {Source.PROMETHEUS: Counted({"a": 60}, ended=100.0, answered=90.0)}
    gained = counts_delta(Source.PROMETHEUS, {}, now)
    assert (gained.pods["a"].requests, gained.due, gained.most) == (60, 90.0, 100.0)


def test_a_recorded_run_gives_the_same_again() -> None:
    assert _ended({"a": 40_000, "b": 41_000}, ours=81_000) == _ended({"a": 40_000, "b": 41_000}, ours=81_000)
