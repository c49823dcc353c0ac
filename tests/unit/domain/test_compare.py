"""Two runs side by side: what may be compared, what changed, and that chance is not called a change."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scale_app.domain.balance import balance
from scale_app.domain.cluster import ServiceSettings
from scale_app.domain.compare import Change, compare, mover
from scale_app.domain.gate import Gate, Levels, VerdictLevels
from scale_app.domain.pattern import Pattern
from scale_app.domain.plan import LoadPlan
from scale_app.domain.plan_differences import plan_differences
from scale_app.domain.record import RunRecord
from scale_app.domain.snapshot import PodShare, RunState, Source
from scale_app.domain.verdict import judge
from tests.bench.equal_balancers import SHORT, Pair, false_changes
from tests.examples import pod_share, snapshot

TRIALS = 1_000


def rows(counts: list[int], prefix: str) -> tuple[PodShare, ...]:
    total = sum(counts)
    return tuple(pod_share(f"{prefix}{i}", requests=n, share=n / total, residual=0.0) for i, n in enumerate(counts))


def a_run(counts: list[int], run_id: str = "first", prefix: str = "pod-", connections: int | None = None) -> RunRecord:
    """An ended run whose pods answered so many requests, each on its own connection unless said otherwise."""
    total = sum(counts)
    loads = {1: total} if connections is None else {total // connections: connections}
    last = snapshot(
        run_id,
        state=RunState.FINISHED,
        requests=total,
        balance=balance(counts),
        verdict=judge(counts, loads, coverage=1.0),
        pods=rows(counts, prefix) if total else (),
    )
    return RunRecord(run_id, LoadPlan(requests_per_connection=1), Source.DEMO, RunState.FINISHED, 1.0, 61.0, "", last)


HOT = a_run([6_000, 1_000, 1_000], "hot")
EVEN = a_run([2_700, 2_650, 2_650], "even")
COUNTS = st.lists(st.integers(1, 5_000), min_size=3, max_size=3)


def test_a_fix_is_better_by_more_than_chance_and_undoing_it_worse() -> None:
    fixed, undone = compare(HOT, EVEN), compare(EVEN, HOT)
    assert (fixed.changed, undone.changed) == (Change.BETTER, Change.WORSE)
    assert fixed.sentence.startswith("Better by more than chance: the long-run CV fell from 0.8")
    assert undone.sentence.startswith("Worse by more than chance: the long-run CV rose from 0.0")


def test_the_same_run_is_no_change() -> None:
    same = compare(HOT, HOT)
    assert (same.changed, same.difference) == (Change.CHANCE, 0.0)
    assert same.sentence.startswith("No more than chance:")


@settings(max_examples=60)
@given(COUNTS, COUNTS)
def test_the_other_way_round_everything_has_the_other_sign(first: list[int], second: list[int]) -> None:
    there, back = compare(a_run(first), a_run(second)), compare(a_run(second), a_run(first))
    assert there.difference is not None
    assert back.difference == pytest.approx(-there.difference)
    assert (back.difference_low, back.difference_high) == (
        pytest.approx(-(there.difference_high or 0.0)),
        pytest.approx(-(there.difference_low or 0.0)),
    )
    opposite = {Change.BETTER: Change.WORSE, Change.WORSE: Change.BETTER, Change.CHANCE: Change.CHANCE}
    assert there.changed is not None
    assert back.changed is opposite[there.changed]


@settings(max_examples=60)
@given(COUNTS, COUNTS, st.sampled_from(["pod-", "other-"]))
def test_shares_add_up_to_one_in_both_runs_by_name_and_by_rank(first: list[int], second: list[int], names: str) -> None:
    compared = compare(a_run(first), a_run(second, "second", names))
    assert compared.pods_by == ("name" if names == "pod-" else "rank")
    assert sum(pair.first_share or 0.0 for pair in compared.pods) == pytest.approx(1)
    assert sum(pair.second_share or 0.0 for pair in compared.pods) == pytest.approx(1)
    assert compared.difference_low is not None
    assert compared.difference is not None
    assert compared.difference_high is not None
    assert compared.difference_low <= compared.difference <= compared.difference_high


def test_replaced_pods_stand_side_by_side_by_rank_and_a_note_says_so() -> None:
    compared = compare(a_run([10, 30, 20]), a_run([1, 2, 3], prefix="new-"))
    assert [(pair.first_name, pair.second_name) for pair in compared.pods] == [
        ("pod-1", "new-2"),
        ("pod-2", "new-1"),
        ("pod-0", "new-0"),
    ]
    assert any("pods were replaced" in note for note in compared.notes)


def test_another_connection_policy_is_comparable_and_said() -> None:
    kept = replace(HOT, plan=LoadPlan(requests_per_connection=None))
    compared = compare(kept, EVEN)
    assert compared.comparable
    assert "The connections differ: keep-alive in the first run, a new connection for each request in the second." in (
        compared.notes
    )
    assert [(d.field, d.first, d.second) for d in compared.plan] == [("requests_per_connection", "none", "1")]


def test_few_connections_make_a_large_difference_no_more_than_chance() -> None:
    compared = compare(a_run([300, 800, 900], connections=20), a_run([650, 670, 680], "second", connections=20))
    assert compared.changed is Change.CHANCE


def test_latencies_stand_side_by_side() -> None:
    assert HOT.last is not None
    slower = replace(HOT, last=replace(HOT.last, p95_ms=7.0, p99_ms=None))
    assert [(pair.percentile, pair.first_ms, pair.second_ms) for pair in compare(HOT, slower).latency] == [
        ("p50", 1.0, 1.0),
        ("p95", 2.0, 7.0),
        ("p99", 3.0, None),
    ]


@pytest.mark.parametrize(
    ("second", "why"),
    [
        (replace(HOT, state=RunState.RUNNING), "run hot is still running"),
        (replace(HOT, last=None), "run hot has no data"),
        (a_run([0, 0, 0], "second"), "run second has no data"),
        (replace(HOT, plan=LoadPlan("http://api.shop.svc/")), "the targets differ (demo and http://api.shop.svc/)"),
        (replace(HOT, source=Source.SIMULATED), "simulated"),
        (replace(HOT, source=Source.HEADER), "different sources (demo and header)"),
        (a_run([10, 10], "second"), "the number of pods differs (3 and 2)"),
        (a_run([10], "second"), "run second saw only one pod"),
    ],
)
def test_what_is_not_comparable_is_not_compared_and_the_reason_is_given(second: RunRecord, why: str) -> None:
    for compared in (compare(HOT, second), compare(second, HOT)):
        assert not compared.comparable
        assert (compared.changed, compared.difference, compared.pods) == (None, None, ())
        assert compared.sentence.startswith("Not comparable: ")
    assert why in compare(HOT, second).sentence


def test_a_run_without_a_verdict_is_not_compared() -> None:
    assert HOT.last is not None
    blind = replace(HOT, last=replace(HOT.last, verdict=judge([6_000, 1_000], {1: 7_000}, coverage=0.5)))
    assert "has no verdict" in compare(EVEN, blind).sentence


def test_the_difference_follows_the_published_formula() -> None:
    low_high = mover((0.3, 0.2, 0.5), (0.1, 0.0, 0.25))
    assert low_high == (
        pytest.approx(-0.2),
        pytest.approx(-0.2 - (0.1**2 + 0.2**2) ** 0.5),
        pytest.approx(-0.2 + (0.15**2 + 0.1**2) ** 0.5),
    )


@pytest.mark.parametrize("pair", SHORT, ids=str)
def test_two_runs_of_one_balancer_are_called_different_in_at_most_five_of_a_hundred(pair: Pair) -> None:
    assert false_changes(pair, TRIALS, SHORT.index(pair)) <= 0.05


def test_what_differs_between_plans_is_said_as_a_plan_says_it() -> None:
    first = LoadPlan(gate=Gate(score=Levels(warn=0.95, fail=0.9)), headers={"X-Team": "shop"})
    steps = Pattern("replayed", points=tuple((float(n), 0.5) for n in range(30)))
    second = LoadPlan(gate=Gate(VerdictLevels(), baseline="main"), verify_tls=False, pattern=steps)
    said = {each.field: (each.first, each.second) for each in plan_differences(first, second)}
    assert said["gate"] == (
        "verdict (warn: undecided, fail: uneven), score (warn: 0.95, fail: 0.9)",
        "baseline: main",
    )
    assert said["headers"] == ("X-Team: shop", "none")
    assert said["verify_tls"] == ("true", "false")
    assert said["pattern"][0] == "kind: constant, low: 0.1, period_s: 30, begins_s: 15, steps: 5"
    assert said["pattern"][1].endswith("18, 0.5, 19, 0.5, 10 more")
    assert not any(mark in text for texts in said.values() for text in texts for mark in ("='", "None", "{", "Levels"))


def with_a_replaced_pod(counts: list[int], gone: int, run_id: str = "renewed") -> RunRecord:
    """As it is when one of the pods was replaced in mid-run: one pod more has answered, and no more are ready."""
    record = a_run([*counts, gone], run_id)
    assert record.last is not None
    pods = (*record.last.pods[:-1], replace(record.last.pods[-1], ready=False))
    return replace(record, last=replace(record.last, pods=pods))


def test_a_pod_that_was_replaced_in_mid_run_keeps_two_runs_comparable() -> None:
    for compared in (compare(HOT, with_a_replaced_pod([2_700, 2_650, 1_300], 1_350)), compare(HOT, HOT)):
        assert compared.comparable
    assert any("Not every pod stayed ready" in note for note in compare(HOT, with_a_replaced_pod([9, 9, 9], 5)).notes)
    more = compare(HOT, with_a_replaced_pod([2_000, 2_000, 2_000, 1_000], 1_000))
    assert "the number of pods differs (3 and 5)" in more.sentence


def set_to(**settings: Any) -> RunRecord:
    assert HOT.last is not None
    return replace(HOT, last=replace(HOT.last, service=ServiceSettings(**settings)))


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ({}, {"weights": {"a": 3.0, "b": 1.0}}, "weights none and a: 3, b: 1"),
        ({}, {"session_affinity": "ClientIP"}, "session affinity None and ClientIP"),
        (
            {"leading": ("x",)},
            {"traffic_distribution": "PreferSameNode"},
            "traffic distribution none and PreferSameNode",
        ),
    ],
)
def test_balancers_that_were_set_differently_are_told_though_the_plan_is_the_same(
    first: dict[str, Any], second: dict[str, Any], said: str
) -> None:
    (note,) = [note for note in compare(set_to(**first), set_to(**second)).notes if "set differently" in note]
    assert said in note


@pytest.mark.parametrize("other", [{}, {"client_node": "n2"}, {"weights": {"new-b": 1.0, "new-a": 3.0}}])
def test_balancers_that_were_set_alike_are_not_told(other: dict[str, Any]) -> None:
    first = set_to(weights={"a": 3.0, "b": 1.0}) if "weights" in other else set_to()
    assert not [note for note in compare(first, set_to(**other)).notes if "set differently" in note]
    assert not [note for note in compare(HOT, set_to(session_affinity="ClientIP")).notes if "set differently" in note]
