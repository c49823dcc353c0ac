"""What counts as bad: by the verdict, by the bare score, and by the limits of the plan."""

import pytest

from scale_app.domain.alert_rules import (
    failures_reading,
    p95_reading,
    pod_share_reading,
    rules_of,
    score_reading,
)
from scale_app.domain.balance import balance
from scale_app.domain.errors import PlanError
from scale_app.domain.events import AlertCleared, AlertRaised, AlertUpdated
from scale_app.domain.histogram import Histogram, bucket_of
from scale_app.domain.plan import LoadPlan
from scale_app.domain.run import Run
from scale_app.domain.samples import LoadReady, PodCount, TrafficSample
from scale_app.domain.snapshot import Source
from scale_app.domain.window import Window
from tests.bench.quiet_alerts import SHORT, Case, watch
from tests.fakes_load import observed

UNEVEN = balance([300, 100, 100])
EVEN = balance([100, 100, 100])


def window(requests: dict[str, int], failures: int = 0, lost: int = 0) -> Window:
    """lost: requests that ended without naming a pod."""
    pods = {name: PodCount(count) for name, count in requests.items()}
    total = sum(requests.values()) + lost
    return Window(10.0, total, failures, pods, dict.fromkeys(pods, 1.0), Histogram(), None, False, total, total)


def latency(**answers: int) -> Histogram:
    """So many answers at each latency: ms30=5 is five answers that took 30 ms."""
    return Histogram({bucket_of(int(name[2:]) / 1000): count for name, count in answers.items()})


def test_the_score_rule_follows_the_threshold_alone() -> None:
    bad = score_reading(UNEVEN, 500.0)
    assert (bad.state, bad.threshold, bad.balance_score) == ("bad", 0.95, UNEVEN.score)
    assert "below 0.95" in bad.message
    assert score_reading(EVEN, 300.0).state == "good"
    assert score_reading(balance([3, 1, 1]), 5.0).state == "unclear"


def test_a_pod_over_the_limit_is_named_with_both_figures() -> None:
    told = pod_share_reading(0.3, window({"a": 100, "b": 400, "c": 100}), 0.1)
    assert (told.state, told.subject, told.value, told.balance_score) == ("bad", "b", pytest.approx(2 / 3), 0.1)
    assert told.message == "Pod b answered 67 % of the requests in the last seconds, above the limit of 30 %."


def test_a_share_that_hovers_about_its_limit_is_neither_bad_nor_good() -> None:
    assert pod_share_reading(0.3, window({"a": 310, "b": 345, "c": 345}), None).state == "unclear"
    assert pod_share_reading(0.4, window({"a": 310, "b": 345, "c": 345}), None).state == "good"


@pytest.mark.parametrize("recent", [window({}), window({"a": 9, "b": 1}), window({"a": 900, "b": 10}, lost=300)])
def test_a_share_of_too_few_or_of_unknown_requests_is_not_judged(recent: Window) -> None:
    assert pod_share_reading(0.3, recent, None).state == "unclear"


def test_the_95th_percentile_is_bad_when_surely_more_than_a_twentieth_is_slower() -> None:
    assert p95_reading(100, latency(ms20=900, ms200=100), None).state == "bad"
    assert p95_reading(100, latency(ms20=940, ms200=60), None).state == "unclear"
    assert p95_reading(100, latency(ms20=960, ms200=40), None).state == "good"
    assert p95_reading(100, latency(ms200=19), None).state == "unclear"
    assert "above the limit of 0.5 ms" in p95_reading(0.5, latency(ms20=100), None).message
    told = p95_reading(100, latency(ms20=90, ms2000=100), None)
    assert told.message.startswith("Latency p95 in the last seconds is 2,0")
    assert told.message.endswith("above the limit of 100 ms.")


def test_failures_are_bad_beyond_the_limit() -> None:
    told = failures_reading(0.01, window({"a": 500, "b": 500}, failures=42), 0.99)
    assert told.state == "bad"
    assert told.message.startswith("4.2 % of the requests in the last seconds failed (42 of 1,000)")
    assert failures_reading(0.01, window({"a": 500, "b": 500}, failures=12), 0.99).state == "unclear"
    assert failures_reading(0.01, window({"a": 500, "b": 500}, failures=10), 0.99).state == "good"
    assert failures_reading(0.0, window({"a": 500}, failures=1), 0.99).state == "bad"
    assert failures_reading(0.0, window({"a": 500}), 0.99).state == "good"
    assert failures_reading(0.5, window({}, failures=10, lost=10), None).state == "unclear"


def test_a_target_that_answers_nothing_breaks_the_limit_on_failures() -> None:
    assert failures_reading(0.05, window({}, failures=50, lost=50), None).state == "bad"


def test_only_the_rules_that_the_plan_asks_for_are_on() -> None:
    assert rules_of(LoadPlan()) == ["verdict"]
    every = LoadPlan(alert_rule="score", max_pod_share=0.5, max_p95_ms=100, max_failure_share=0.0)
    assert rules_of(every) == ["score", "pod_share", "p95", "failures"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_pod_share", 1.01),
        ("max_pod_share", -0.1),
        ("max_failure_share", float("nan")),
        ("max_failure_share", True),
        ("max_p95_ms", 0),
        ("max_p95_ms", float("inf")),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(field: str, value: float) -> None:
    with pytest.raises(PlanError) as refused:
        LoadPlan(**{field: value})  # type: ignore[arg-type]
    assert refused.value.field == field


def test_several_rules_of_one_run_are_on_together_and_the_balance_stays_apart() -> None:
    run = Run("run-1", LoadPlan(max_pod_share=0.5, max_failure_share=0.01), Source.DEMO, 0.0)
    events = observed(run, LoadReady(0))
    for second in range(1, 8):
        pods = {"a": PodCount(second * 300), "b": PodCount(second * 100)}
        events += observed(run, TrafficSample(second, 5, second * 400, pods, errors={"HTTP 503": second * 40}))
    raised = [event.alert.rule for event in events if isinstance(event, AlertRaised)]
    assert raised == ["verdict", "pod_share", "failures"]
    assert run.last is not None
    assert [alert.rule for alert in run.last.alerts] == raised
    assert run.last.alert == run.last.alerts[0]


def test_an_imbalance_that_worsens_is_updated_and_cleared_once_when_mended() -> None:
    run = Run("run-1", LoadPlan(), Source.DEMO, 0.0)
    counts, events = {"a": 0, "b": 0}, list(observed(run, LoadReady(0)))
    for second, (a, b) in enumerate([(100, 70)] * 20 + [(100, 20)] * 20 + [(100, 100)] * 30, 1):
        counts = {"a": counts["a"] + a, "b": counts["b"] + b}
        pods = {name: PodCount(count) for name, count in counts.items()}
        events += observed(run, TrafficSample(second, 5, sum(counts.values()), pods))
    told = [event for event in events if isinstance(event, (AlertRaised, AlertUpdated, AlertCleared))]
    assert isinstance(told[0], AlertRaised)
    assert isinstance(told[-1], AlertCleared)
    assert {type(event) for event in told[1:-1]} == {AlertUpdated}
    assert len(told) <= 6


@pytest.mark.parametrize("case", SHORT, ids=str)
def test_a_healthy_random_balancer_raises_nothing_in_ten_hours(case: Case) -> None:
    assert watch(case, SHORT.index(case)).raised == 0
