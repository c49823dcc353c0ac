"""Work that is meant to be shared unevenly: 90/10 is EVEN when 90/10 was declared, and an even split is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scale_app.domain.cluster import ServiceSettings
from scale_app.domain.errors import PlanError
from scale_app.domain.plan import LoadPlan
from scale_app.domain.recording import Began, replayed
from scale_app.domain.samples import (
    ConnectionLoads,
    LoadEnded,
    LoadReady,
    PodCount,
    PodSeen,
    PodsSample,
    Sample,
    TrafficSample,
)
from scale_app.domain.snapshot import Snapshot, Source
from scale_app.domain.verdict import VerdictKind, judge_at_any_time
from scale_app.domain.weights import each_once, weights_of, weights_sentence
from tests.recorded import analysed

STABLE, CANARY = ("web-stable-1", "web-stable-2", "web-stable-3"), ("web-canary-1",)
NINE_TO_ONE = {"web-stable": 90.0, "web-canary": 10.0}
PLAN = LoadPlan(duration_s=600, requests_per_connection=1, weights=NINE_TO_ONE)
AS_MEANT = (0.3, 0.3, 0.3, 0.1)
EVENLY = (0.25,) * 4


def ran(
    shares: tuple[float, ...],
    plan: LoadPlan = PLAN,
    listed: bool = True,
    settings: ServiceSettings | None = None,
    pod_weights: tuple[float, ...] = (1.0,) * 4,
) -> Snapshot:
    """The end of 20 s of new connections that a random balancer shares so."""
    names, rng = (*STABLE, *CANARY), np.random.default_rng(7)
    pods = (PodSeen(name, weight=weight) for name, weight in zip(names, pod_weights, strict=True))
    seen = PodsSample(0.0, tuple(pods), service=settings)
    samples: list[Sample] = [*([seen] if listed else []), LoadReady(0.0)]
    picked = np.zeros(4, dtype=int)
    for second in range(1, 21):
        picked = picked + rng.multinomial(2_000, shares)
        counts = {name: PodCount(int(n), connections=int(n)) for name, n in zip(names, picked, strict=True) if n}
        total = 2_000 * second
        loads = ConnectionLoads({1: total}, switches={})
        samples.append(TrafficSample(second, 50, total, counts, connections=total, loads=loads))
    whole = analysed(Began(plan, Source.HEADER, 0.0), [*samples, LoadEnded(20.1)])
    assert replayed(whole) == whole
    assert whole.record.last is not None
    return whole.record.last


@pytest.mark.parametrize("listed", [True, False])
def test_what_is_meant_is_even_with_a_full_score(listed: bool) -> None:
    last = ran(AS_MEANT, listed=listed)
    assert last.verdict.kind is VerdictKind.EVEN
    assert last.balance.grade == "A"
    assert last.verdict.sentence.endswith("Fair shares by the weights in the plan: web-stable 90, web-canary 10.")
    assert last.alert is None


@pytest.mark.parametrize("listed", [True, False])
def test_an_even_split_is_not_what_was_meant(listed: bool) -> None:
    last = ran(EVENLY, listed=listed)
    assert last.verdict.kind is VerdictKind.UNEVEN
    assert "gets 25 %, fair is 10 %;" in last.verdict.sentence


def test_without_weights_90_to_10_is_uneven_and_the_sentence_speaks_of_none() -> None:
    last = ran(AS_MEANT, replace(PLAN, weights={}))
    assert last.verdict.kind is VerdictKind.UNEVEN
    assert "meant" not in last.verdict.sentence


def test_the_remedy_of_unequal_weights_is_the_plans_field() -> None:
    weighted = ServiceSettings(weights=dict(zip((*STABLE, *CANARY), AS_MEANT, strict=True)))

    def remedies(plan: LoadPlan) -> list[str]:
        return [
            each.remedy for each in ran(AS_MEANT, plan, settings=weighted).findings if each.code == "unequal_weights"
        ]

    (remedy,) = remedies(replace(PLAN, weights={}))
    assert "`weights`" in remedy
    assert remedies(PLAN) == []


def test_the_weights_of_a_route_are_meant_and_named_until_the_plan_has_its_own() -> None:
    route = ServiceSettings(split={"stable": 90.0, "canary": 10.0}, split_by="HTTPRoute web")
    by_pod = (30.0, 30.0, 30.0, 10.0)
    last = ran(AS_MEANT, replace(PLAN, weights={}), settings=route, pod_weights=by_pod)
    assert last.verdict.kind is VerdictKind.EVEN
    assert last.verdict.sentence.endswith("Fair shares by the weights of HTTPRoute web: stable 90, canary 10.")
    assert ran(EVENLY, replace(PLAN, weights={}), settings=route, pod_weights=by_pod).verdict.kind is VerdictKind.UNEVEN
    own = ran(EVENLY, replace(PLAN, weights={"web": 1}), settings=route, pod_weights=by_pod)
    assert own.verdict.kind is VerdictKind.EVEN
    assert own.verdict.sentence.endswith("Fair shares by the weights in the plan: web 1.")


def test_a_name_that_no_pod_has_is_told() -> None:
    """What was meant for it went elsewhere, or its pods get nothing."""
    last = ran(EVENLY, replace(PLAN, weights={"web-canry": 10.0}))
    assert last.verdict.kind is VerdictKind.UNDECIDED
    assert last.verdict.picks_to_decide is None
    assert last.verdict.sentence == (
        "Undecided: the pods that answered share as meant, but work is meant for web-canry as well. Fair shares by "
        "the weights in the plan: web-canry 10. No pod is named web-canry or begins with web-canry-: its pods get "
        "nothing, or the name is wrong."
    )


def test_a_prefix_whose_pods_all_fit_a_longer_name_is_no_name_without_a_pod() -> None:
    assert "No pod is named" not in weights_sentence((*STABLE, *CANARY), {"web": 1.0, **NINE_TO_ONE}, {}, "")


@pytest.mark.parametrize("weight", [1e-300, 0.0009, 1e6 + 1])
def test_a_weight_that_no_balancer_has_is_refused(weight: float) -> None:
    with pytest.raises(PlanError, match=r"a number from 0\.001 to 1,000,000 for 'web'"):
        LoadPlan(weights={"web": weight})


def test_a_group_shares_its_weight_and_the_longest_name_counts() -> None:
    declared = {"web": 6.0, "web-canary": 2.0, "db-0": 5.0}
    pods = ["web-a", "web-b", "web-canary-x", "db-0", "db-01", "website-a"]
    assert weights_of(pods, declared) == {"web-a": 3.0, "web-b": 3.0, "web-canary-x": 2.0, "db-0": 5.0}


@pytest.mark.parametrize("weights", [{"a": 0}, {"a": -1.0}, {"a": float("nan")}, {"a": "9"}, {" ": 1.0}, {"a": 1e9}, 5])
def test_weights_that_are_none_are_refused(weights: object) -> None:
    with pytest.raises(PlanError, match="weights"):
        LoadPlan(weights=weights)  # type: ignore[arg-type]


@pytest.mark.parametrize("shares", [(0.3, 0.3, 0.3, 0.1), (0.2475,) * 4 + (0.01,)])
def test_a_balancer_that_keeps_to_unequal_weights_is_hardly_ever_called_uneven(shares: tuple[float, ...]) -> None:
    rng, trials, looks = np.random.default_rng(1), 30, 30
    ever = 0
    for _ in range(trials):
        counts, uneven = np.zeros(len(shares), dtype=int), False
        for _ in range(looks):
            counts = counts + rng.multinomial(50, shares)
            verdict = judge_at_any_time(counts.tolist(), {1: int(counts.sum())}, 1.0, shares)
            uneven |= verdict.kind is VerdictKind.UNEVEN
        ever += uneven
    assert ever <= 1


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        (1, "No pod is named a0 or begins with a0-: its pods get nothing, or the name is wrong."),
        (2, "No pod is named, or begins with, any of a0, a1: their pods get nothing, or the names are wrong."),
        (7, "any of a0, a1, a2, a3, a4 and 2 more: their pods get nothing, or the names are wrong."),
    ],
)
def test_every_weight_that_no_pod_has_is_told(missing: int, said: str) -> None:
    declared = {**NINE_TO_ONE, **{f"a{i}": 1.0 for i in range(missing)}}
    assert weights_sentence((*STABLE, *CANARY), declared, {}, "").endswith(said)


def test_weights_that_pods_have_are_not_called_unused() -> None:
    assert "No pod" not in weights_sentence((*STABLE, *CANARY), NINE_TO_ONE, {}, "")


def test_a_name_with_two_weights_is_refused() -> None:
    each_once(["a", "b"])
    with pytest.raises(
        PlanError, match="weights = 'a' cannot be used: it is given twice, and each name has one weight"
    ):
        each_once(["a", "b", "a"])
