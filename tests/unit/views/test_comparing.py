"""The comparison on the page: the domain's words, both runs in their places."""

from dataclasses import replace

from scale_app.domain.compare import Change, Comparison, LatencyPair, PlanDifference, PodPair
from scale_app.domain.experiment import Experiment
from scale_app.domain.plan import LoadPlan
from scale_app.domain.snapshot import RunState
from scale_app.views.comparing import MOST_PODS, compare_view, sequel_of
from tests.unit.ui.samples import record, snapshot

FIRST = record(snapshot(300, 100, 100), RunState.FINISHED)
SECOND = record(snapshot(100, 100, 100, run_id="r2"), RunState.FINISHED, "r2")
COMPARED = Comparison(
    "r1",
    "r2",
    "Better by more than chance.",
    notes=("The loads differ.",),
    changed=Change.BETTER,
    pods=(PodPair("a", "a", 0.6, 0.3), PodPair("", "b", None, 0.15)),
    latency=(LatencyPair("p95", 12.0, None),),
    plan=(PlanDifference("users", "100", "200"),),
)


def test_a_comparison_is_told_in_the_domains_words():
    view = compare_view(COMPARED, FIRST, SECOND)
    assert (view.sentence, view.changed, view.changed_text) == ("Better by more than chance.", "BETTER", "Better")
    assert view.remarks == ["The loads differ."]
    assert [side.run_id for side in view.sides] == ["r1", "r2"]
    assert [side.figures.score for side in view.sides] == ["0.000", "1.000"]
    assert [(row.name, row.first, row.second) for row in view.plan] == [("Users", "100", "200")]
    assert [(row.name, row.first, row.second) for row in view.latency] == [("p95", "12 ms", "–")]


def test_shares_stand_side_by_side_on_one_scale_and_a_missing_pod_has_a_dash():
    rows = compare_view(COMPARED, FIRST, SECOND).pods
    assert [(row.name, row.first[:2], row.first_bar, row.second_bar) for row in rows] == [
        ("a", "60", "100.00%", "50.00%"),
        ("b", "–", "0.00%", "25.00%"),
    ]


def test_pods_that_were_replaced_are_told_by_rank():
    pods = (PodPair("a", "x", 0.6, 0.5), PodPair("b", "y", 0.4, 0.5))
    view = compare_view(replace(COMPARED, pods=pods, pods_by="rank"), FIRST, SECOND)
    assert [row.name for row in view.pods] == ["Rank 1", "Rank 2"]
    assert view.pods_note == "The busiest first"


def test_very_many_pods_are_cut_and_the_page_says_so():
    pods = tuple(PodPair(f"p{i}", f"p{i}", 0.001, 0.001) for i in range(1_000))
    view = compare_view(replace(COMPARED, pods=pods), FIRST, SECOND)
    assert (len(view.pods), view.pods_note) == (MOST_PODS, "The first 200 of 1,000")


def test_runs_that_cannot_be_compared_say_so_and_keep_their_sides():
    compared = Comparison("r1", "r2", "Not comparable: run r2 has no data.", ("run r2 has no data",))
    view = compare_view(compared, FIRST, record(None, RunState.FAILED, "r2"))
    assert (view.comparable, view.changed_text, len(view.sides)) == (False, "Not comparable", 2)


def test_a_sequel_offers_an_experiment_or_tells_what_one_decided():
    offered = sequel_of(FIRST, Experiment(LoadPlan(), "It would decide."), None)
    assert (offered.reason, offered.first_id, offered.conclusion) == ("It would decide.", "", "")
    second = replace(SECOND, experiment_of="r1")
    decided = sequel_of(second, None, replace(COMPARED, conclusion="The connections were the cause."))
    assert (decided.first_id, decided.conclusion) == ("r1", "The connections were the cause.")
    assert decided.compare_href == "/compare?ids=r1,r2"
    assert sequel_of(replace(second, state=RunState.RUNNING), None, None).first_id == "r1"
