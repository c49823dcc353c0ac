"""What a balancer's weights made due, also of a pod that is gone, and the cause that a run makes of it."""

import pytest

from scale_app.domain.by_weight import ByWeight
from scale_app.domain.cluster import ServiceSettings
from scale_app.domain.experiment import decisive_plan, no_experiment_sentence
from scale_app.domain.plan import LoadPlan
from scale_app.domain.record import RunRecord
from scale_app.domain.run import Run
from scale_app.domain.samples import (
    ConnectionLoads,
    LoadEnded,
    LoadReady,
    PodCount,
    PodSeen,
    PodsSample,
    StopAsked,
    Tick,
    TrafficSample,
)
from scale_app.domain.snapshot import Finding, Snapshot
from scale_app.domain.source import Source
from tests.fakes_load import observed

PLAN = LoadPlan(duration_s=60, requests_per_connection=1)
HEAVY = {"a": 4.0, "b": 1.0, "c": 1.0}
NEW = {"d": 4.0, "b": 1.0, "c": 1.0}
SET_S, KILLED_S = 8, 12


def test_weights_count_from_when_they_were_set() -> None:
    due, fair = ByWeight(), {"a": 10.0, "b": 10.0, "c": 10.0}
    due.observe({}, fair, (), {})
    assert due.due == {}
    due.observe(fair, fair, (), HEAVY)
    assert due.due == {"a": 30.0, "b": 15.0, "c": 15.0}
    due.observe({}, fair, (), {})
    assert due.due == {"a": 40.0, "b": 25.0, "c": 25.0}


def test_weights_that_are_alike_make_nothing_due() -> None:
    due = ByWeight()
    due.observe({}, {"a": 10.0, "b": 10.0}, (), {"a": 2.0, "b": 2.0})
    assert due.due == {}


def test_a_pod_that_is_gone_keeps_the_weight_that_it_had() -> None:
    due = ByWeight()
    due.observe({}, {"a": 2.0, "b": 2.0, "c": 2.0}, (), HEAVY)
    due.observe({}, {"a": 2.0, "b": 2.0, "c": 2.0}, (), {"b": 1.0, "c": 1.0})
    assert due.due == {"a": 8.0, "b": 2.0, "c": 2.0}


def test_what_a_new_pod_gets_in_its_grace_is_its_due() -> None:
    due = ByWeight()
    due.observe({}, {"d": 3.0, "b": 6.0, "c": 6.0}, ("d",), NEW)
    assert due.due == {"d": 3.0, "b": 6.0, "c": 6.0}


def stopped(weighted: bool) -> Snapshot:
    """The end of a run whose balancer gets weights in mid-run, or none; then a pod is killed and the run stopped."""
    run, counts = Run("run-1", PLAN, Source.HEADER, 0.0), dict.fromkeys("abcd", 0)
    for second in range(KILLED_S + 2):
        heavy = weighted and second >= SET_S
        killed = second >= KILLED_S
        names = "dbc" if killed else "abc"
        weights = (NEW if killed else HEAVY) if heavy else {}
        pods = tuple(PodSeen(name, ready=name != "d") for name in names)
        observed(run, PodsSample(float(second), pods, ServiceSettings(weights=weights)))
        if second == 0:
            observed(run, LoadReady(0.0))
            continue
        for name in names.replace("d", ""):
            counts[name] += 400 if heavy and name == "a" else 100
        total = sum(counts.values())
        pod_counts = {name: PodCount(n, connections=n) for name, n in counts.items() if n}
        loads = ConnectionLoads({1: total}, switches={})
        observed(run, TrafficSample(float(second), 10, total, pod_counts, connections=total, loads=loads))
        observed(run, Tick(float(second)))
    observed(run, StopAsked(KILLED_S + 1.5))
    observed(run, LoadEnded(KILLED_S + 1.6))
    assert run.last is not None
    return run.last


def certain(last: Snapshot) -> list[Finding]:
    return [finding for finding in last.findings if finding.certainty == "certain" and finding.explains == "uneven"]


@pytest.mark.parametrize(("weighted", "causes"), [(True, ["unequal_weights"]), (False, [])])
def test_weights_stay_the_cause_after_the_heaviest_pod_was_killed(weighted: bool, causes: list[str]) -> None:
    last = stopped(weighted)
    assert [finding.code for finding in certain(last)] == causes
    record = RunRecord("run-1", PLAN, Source.HEADER, last.state, 0.0, last=last)
    assert ("is explained" in no_experiment_sentence(record)) is weighted
    if weighted:
        assert certain(last)[0].pods == ("a",)
        assert decisive_plan(record) is None
