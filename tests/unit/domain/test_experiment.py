"""Which second run decides what a run left open, and what it decided once it is done."""

from dataclasses import replace

import pytest

from scale_app.domain.balance import balance
from scale_app.domain.errors import PlanError
from scale_app.domain.experiment import Experiment, conclusion, decisive_plan, no_experiment_sentence
from scale_app.domain.plan import Limits, LoadPlan
from scale_app.domain.record import RunRecord
from scale_app.domain.snapshot import Certainty, Finding, RunState, Source
from scale_app.domain.verdict import VerdictKind, judge
from tests.examples import pod_share, snapshot

KEPT = LoadPlan(users=20, duration_s=30, requests_per_connection=None)
RENEWED = LoadPlan(users=20, duration_s=30, requests_per_connection=1)
BY_CHANCE = [4_000, 2_500, 3_000, 1_500, 1_000]  # of 20 connections
FAIR = [4_010, 3_990, 4_020, 3_985, 3_995]
HOT = [9_000, 3_000, 3_000, 3_000, 3_000]


def a_run(plan: LoadPlan, counts: list[int], connections: int | None, elapsed_s: float = 30.0) -> RunRecord:
    """An ended run. connections: that carried the requests, None for unknown."""
    total = sum(counts)
    loads = None if connections is None else {round(total / connections): connections}
    last = snapshot(
        "first",
        state=RunState.FINISHED,
        elapsed_s=elapsed_s,
        requests=total,
        balance=balance(counts),
        verdict=judge(counts, loads, coverage=1.0),
        pods=tuple(pod_share(f"pod-{i}", requests=n, share=n / total) for i, n in enumerate(counts)),
    )
    return RunRecord("first", plan, Source.DEMO, RunState.FINISHED, 1.0, 31.0, "", last)


def planned(record: RunRecord, limits: Limits | None = None) -> Experiment:
    found = decisive_plan(record, limits)
    assert found is not None
    return found


def test_undecided_under_keep_alive_asks_for_new_connections_long_enough_to_decide() -> None:
    record = a_run(KEPT, BY_CHANCE, 20)
    experiment = planned(record)
    assert experiment.plan.requests_per_connection == 1
    assert (experiment.plan.users, experiment.plan.target_url) == (KEPT.users, KEPT.target_url)
    # 400 requests a second of 20 users who think for 50 ms are 0 ms a request: no slower with new connections,
    # and 34,461 picks tell 95 of 100 fair balancers of five pods.
    assert experiment.plan.duration_s == 87
    assert "Undecided with keep-alive" in experiment.reason
    assert "20 effective picks" in experiment.reason


def test_requests_that_take_long_are_given_more_time_with_new_connections() -> None:
    patient = planned(a_run(replace(KEPT, think_time_s=0.0), BY_CHANCE, 20))
    assert patient.plan.duration_s == pytest.approx(3 * 87, abs=3)


def test_uneven_under_keep_alive_asks_for_new_connections_to_tell_the_balancer_from_its_connections() -> None:
    experiment = planned(a_run(KEPT, HOT, 200))
    assert experiment.plan.requests_per_connection == 1
    assert experiment.reason.startswith("Uneven with keep-alive")


def test_connections_that_stay_for_some_requests_are_asked_about_too() -> None:
    plan = replace(KEPT, requests_per_connection=50)
    assert "a new connection every 50 requests" in planned(a_run(plan, BY_CHANCE, 240)).reason


def test_a_balancer_that_picks_for_each_request_needs_no_new_connections() -> None:
    record = a_run(KEPT, HOT, 200)
    assert record.last is not None
    by_request = judge(HOT, {round(sum(HOT) / 20): 20}, coverage=1.0, by_request=True)
    seen = replace(record, plan=replace(KEPT, users=200), last=replace(record.last, verdict=by_request))
    assert decisive_plan(seen) is None


def test_undecided_for_lack_of_connections_runs_longer_by_what_is_missing() -> None:
    record = a_run(RENEWED, [820, 800, 790, 795, 795], 4_000)
    assert record.last is not None
    assert record.last.verdict.kind is VerdictKind.UNDECIDED
    more = record.last.verdict.picks_to_decide
    assert more is not None
    experiment = planned(record)
    rate = 4_000 / 30
    assert experiment.plan == replace(RENEWED, duration_s=experiment.plan.duration_s)
    assert experiment.plan.duration_s >= (more + 4_000) / rate


def test_a_limit_that_is_too_short_is_kept_and_said() -> None:
    experiment = planned(a_run(RENEWED, [820, 800, 790, 795, 795], 4_000), Limits(duration_s=60))
    assert experiment.plan.duration_s == 60
    assert "at most 60 s are allowed here" in experiment.reason


def test_a_run_that_cannot_get_longer_has_no_experiment() -> None:
    record = a_run(RENEWED, [820, 800, 790, 795, 795], 4_000)
    assert decisive_plan(record, Limits(duration_s=30)) is None
    assert "No second run within the limits" in no_experiment_sentence(record)


def test_uneven_with_few_clients_asks_for_more_of_them() -> None:
    experiment = planned(a_run(replace(RENEWED, users=4), HOT, sum(HOT)))
    assert experiment.plan.users == 50
    assert "4 users for 5 pods" in experiment.reason
    assert decisive_plan(a_run(replace(RENEWED, users=4), HOT, sum(HOT)), Limits(users=4)) is None


def test_what_is_uneven_with_many_new_connections_is_decided() -> None:
    assert decisive_plan(a_run(RENEWED, HOT, sum(HOT))) is None


def test_what_is_even_running_or_blind_has_no_experiment_and_says_why() -> None:
    even = a_run(RENEWED, FAIR, sum(FAIR))
    running, blind = replace(even, state=RunState.RUNNING), replace(even, last=None)
    for record, why in ((even, "is decided: "), (running, "is still running"), (blind, "has no verdict")):
        assert decisive_plan(record) is None
        assert why in no_experiment_sentence(record)


@pytest.mark.parametrize(
    ("code", "certainty", "decided"),
    [
        ("session_affinity", "certain", True),
        ("external_traffic_policy", "certain", True),
        ("topology", "likely", False),
        ("layer7", "certain", False),
    ],
)
def test_a_cause_that_is_certain_leaves_nothing_to_decide(code: str, certainty: Certainty, decided: bool) -> None:
    record = a_run(KEPT, HOT, 200)
    assert record.last is not None
    cause = Finding(code, "The cause", "c", "e", certainty, "r")
    explained = replace(record, last=replace(record.last, findings=(cause,)))
    assert (decisive_plan(explained) is None) is decided
    if decided:
        assert "is explained: The cause. A second run" in no_experiment_sentence(explained)


def test_what_chance_may_have_made_is_open_whatever_the_settings_are() -> None:
    record = a_run(KEPT, BY_CHANCE, 20)
    assert record.last is not None
    cause = Finding("session_affinity", "The cause", "c", "e", "certain", "r")
    assert decisive_plan(replace(record, last=replace(record.last, findings=(cause,)))) is not None


def test_unknown_connections_are_not_taken_for_shared_ones() -> None:
    assert decisive_plan(a_run(KEPT, HOT, None)) is None


def test_a_planned_run_can_always_be_started() -> None:
    limits = Limits(users=30, duration_s=45)
    for counts, connections in ((BY_CHANCE, 20), (HOT, 20), (HOT, 200)):
        record = a_run(KEPT, counts, connections)
        with pytest.raises(PlanError, match="at most"):
            planned(record).plan.check_limits(limits)
        cut = planned(record, limits).plan
        cut.check_limits(limits)
        assert cut.duration_s == 45


def test_even_with_new_connections_means_that_it_was_chance() -> None:
    said = conclusion(a_run(KEPT, [2_900, 2_300, 2_500, 2_200, 2_100], 20), a_run(RENEWED, FAIR, sum(FAIR)))
    assert said.startswith("Chance was the cause: with a new connection for each request the balancer is even")
    assert "the two runs differ by no more than chance" in said
    assert said.count(". ") == 0


def test_even_with_new_connections_after_a_sure_difference_means_that_connections_were_the_cause() -> None:
    said = conclusion(a_run(KEPT, HOT, 200), a_run(RENEWED, FAIR, sum(FAIR)))
    assert said.startswith("The connections were the cause")
    assert said.endswith("by more than chance.")


def test_uneven_with_new_connections_means_that_it_is_not_the_connections() -> None:
    said = conclusion(a_run(KEPT, HOT, 200), a_run(RENEWED, HOT, sum(HOT)))
    assert said.startswith("The connections are not the cause: with a new connection for each request")


def test_still_undecided_says_how_many_more_would_decide() -> None:
    said = conclusion(a_run(KEPT, BY_CHANCE, 20), a_run(RENEWED, [820, 800, 790, 795, 795], 4_000))
    assert said.startswith("Still undecided with a new connection for each request, about ")
    assert "more connections would decide" in said


def test_what_would_decide_is_told_in_the_unit_of_the_picks() -> None:
    second = a_run(RENEWED, [820, 800, 790, 795, 795], 4_000)
    assert second.last is not None
    by_request = replace(second, last=replace(second.last, verdict=replace(second.last.verdict, unit="request")))
    said = conclusion(a_run(KEPT, BY_CHANCE, 20), by_request)
    assert "more requests would decide" in said
    assert "more connection" not in said


def test_longer_runs_and_fixes_are_concluded_as_well() -> None:
    undecided, even, hot = (a_run(RENEWED, counts, sum(counts)) for counts in ([820, 800, 790, 795, 795], FAIR, HOT))
    assert conclusion(undecided, even).startswith("Decided: the balancer is even;")
    assert conclusion(undecided, hot).startswith("Decided: the balancer is uneven;")
    assert conclusion(hot, even).startswith("Even now; the long-run CV fell")
    assert conclusion(hot, hot).startswith("Uneven again; the two runs differ by no more than chance")


def test_runs_that_are_not_comparable_give_no_conclusion() -> None:
    other = replace(a_run(RENEWED, FAIR, sum(FAIR)), plan=LoadPlan("http://api.shop.svc/"))
    assert conclusion(a_run(KEPT, HOT, 200), other).startswith("No conclusion, since the two runs are not comparable:")


@pytest.mark.parametrize(
    ("then", "decided"), [(FAIR, "Chance was the cause: "), (HOT, "The connections are not the cause: ")]
)
def test_a_pod_that_was_replaced_in_the_first_run_leaves_a_conclusion(then: list[int], decided: str) -> None:
    said = conclusion(a_run(KEPT, [*BY_CHANCE, 900], 20), a_run(RENEWED, then, sum(then)))
    assert said.startswith(decided)
    assert said.endswith(
        "by how much the runs differ cannot be said, since the number of pods differs (6 and 5), which alone changes "
        "the score."
    )
