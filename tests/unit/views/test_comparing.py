"""The comparison on the page: the domain's words, all runs in their places."""

from dataclasses import replace

from scale_app.domain.compare import Change, Comparison, LatencyPair, PodPair
from scale_app.domain.experiment import Experiment
from scale_app.domain.plan import LoadPlan
from scale_app.domain.plan_differences import PlanDifference
from scale_app.domain.snapshot import RunState, Source
from scale_app.views.comparing import MOST_PODS, compare_href, compare_view, sequel_of
from tests.unit.ui.samples import record, snapshot

FIRST = record(snapshot(300, 100, 100), RunState.FINISHED)
SECOND = record(snapshot(100, 100, 100, run_id="r2"), RunState.FINISHED, "r2")
THIRD = record(snapshot(100, 100, 90, run_id="r3"), RunState.FINISHED, "r3")
COMPARED = Comparison(
    "r1",
    "r2",
    "Better by more than chance.",
    notes=("The loads differ.",),
    changed=Change.BETTER,
    difference=-0.25,
    difference_low=-0.3,
    difference_high=-0.2,
    pods=(PodPair("a", "a", 0.6, 0.3), PodPair("", "b", None, 0.15)),
    latency=(LatencyPair("p95", 12.0, None),),
    plan=(PlanDifference("users", "100", "200"),),
)
COMPARED_TOO = replace(
    COMPARED,
    second_id="r3",
    sentence="No more than chance.",
    changed=Change.CHANCE,
    pods=(PodPair("a", "a", 0.6, 0.45),),
    latency=(LatencyPair("p95", 12.0, 9.0),),
    plan=(PlanDifference("duration_s", "60", "5"), PlanDifference("users", "100", "300")),
)


def told(rows):
    return [(row.name, [cell.text for cell in row.cells]) for row in rows]


def test_two_runs_are_told_in_the_domains_words():
    view = compare_view(FIRST, [(SECOND, COMPARED)])
    assert (view.title, view.sentence, view.remarks) == (
        "Two runs compared",
        "Better by more than chance.",
        ["The loads differ."],
    )
    reference, second = view.sides
    assert (reference.label, reference.run_id, reference.is_reference, reference.changed_text) == ("A", "r1", True, "")
    assert (second.label, second.changed, second.changed_text) == ("B", "BETTER", "Better")
    assert second.difference == "−0.250 (−0.300 to −0.200)"
    assert [side.figures.score for side in view.sides] == ["0.000", "1.000"]
    assert told(view.plan) == [("Users", ["100", "200"])]
    assert told(view.latency) == [("p95", ["12 ms", "–"])]


def test_each_run_tells_where_its_counts_come_from():
    sides = compare_view(FIRST, [(replace(SECOND, source=Source.SIMULATED), COMPARED)]).sides
    assert [(side.source, side.source_text) for side in sides] == [("demo", "Demo pods"), ("simulated", "Simulated")]


def test_shares_stand_side_by_side_on_one_scale_and_a_missing_pod_has_a_dash():
    rows = compare_view(FIRST, [(SECOND, COMPARED)]).pods
    assert [(row.name, [(cell.text[:2], cell.bar) for cell in row.cells]) for row in rows] == [
        ("a", [("60", "100.00%"), ("30", "50.00%")]),
        ("b", [("–", "0.00%"), ("15", "25.00%")]),
    ]


def test_three_runs_are_held_against_the_first():
    view = compare_view(FIRST, [(SECOND, COMPARED), (THIRD, COMPARED_TOO)])
    assert (view.title, view.sentence) == ("3 runs compared", "")
    assert [side.changed_text for side in view.sides] == ["", "Better", "No more than chance"]
    assert told(view.plan) == [("Users", ["100", "200", "300"]), ("Duration, s", ["60", "60", "5"])]
    assert told(view.latency) == [("p95", ["12 ms", "–", "9.0 ms"])]
    assert [len(row.cells) for row in view.pods] == [3, 3]
    assert view.remarks == ["B: The loads differ.", "C: The loads differ."]
    assert view.sides[2].make_reference == "/compare?ids=r3,r1,r2"


def test_pods_that_were_replaced_are_told_by_rank():
    pods = (PodPair("a", "x", 0.4, 0.5), PodPair("b", "y", 0.6, 0.5))
    view = compare_view(FIRST, [(SECOND, replace(COMPARED, pods=pods, pods_by="rank"))])
    assert [(row.name, row.cells[0].text[:2]) for row in view.pods] == [("Rank 1", "60"), ("Rank 2", "40")]
    assert view.pods_note.startswith("Ordered by share")


def test_very_many_pods_are_cut_and_the_page_says_so():
    pods = tuple(PodPair(f"p{i}", f"p{i}", 0.001, 0.001) for i in range(1_000))
    view = compare_view(FIRST, [(SECOND, replace(COMPARED, pods=pods))])
    assert (len(view.pods), view.pods_note) == (MOST_PODS, "The first 200 of 1,000")


def test_runs_that_cannot_be_compared_say_so_and_keep_their_sides():
    compared = Comparison("r1", "r2", "Not comparable: run r2 has no data.", ("run r2 has no data",))
    view = compare_view(FIRST, [(record(None, RunState.FAILED, "r2"), compared)])
    assert (view.comparable, view.sides[1].changed_text, view.pods) == (False, "Not comparable", [])
    assert (view.sides[1].dot, view.sides[1].low, view.sides[1].difference) == ("", "", "")


def test_scores_lie_on_one_scale_that_is_zoomed_in_where_they_are_close():
    near = replace(snapshot(100, 100, 99).verdict, score_low=0.93, score_high=1.0)
    close = record(snapshot(100, 100, 99, verdict=near), RunState.FINISHED)
    view = compare_view(close, [(close, COMPARED)])
    assert (view.ticks[0].at, view.ticks[0].label, view.ticks[-1].label) == ("0.00%", "0.9", "1")
    assert (view.threshold, view.sides[0].low, view.sides[0].width) == ("50.00%", "30.00%", "70.00%")
    assert [tick.label for tick in view.ticks] == ["0.9", "0.925", "0.95", "0.975", "1"]
    assert compare_view(FIRST, [(SECOND, COMPARED)]).ticks[0].label == "0"


def test_a_sequel_offers_an_experiment_or_tells_what_one_decided():
    offered = sequel_of(FIRST, Experiment(LoadPlan(), "It would decide."), None)
    assert (offered.reason, offered.first_id, offered.conclusion) == ("It would decide.", "", "")
    second = replace(SECOND, experiment_of="r1")
    decided = sequel_of(second, None, replace(COMPARED, conclusion="The connections were the cause."))
    assert (decided.first_id, decided.conclusion) == ("r1", "The connections were the cause.")
    assert decided.compare_href == compare_href("r1", "r2") == "/compare?ids=r1,r2"
    assert sequel_of(replace(second, state=RunState.RUNNING), None, None).first_id == "r1"


def test_runs_are_called_by_their_letters_and_what_stands_out_is_marked():
    last = FIRST.last
    assert last is not None
    busy = replace(last.pods[0], outlier=True, against_fair=0.8)
    first = replace(FIRST, last=replace(last, pods=(busy, *last.pods[1:])))
    pods = (PodPair(busy.name, busy.name, 0.6, 0.3),)
    told = replace(COMPARED, sentence="Not comparable: run r2 has no data (-0.5).", pods=pods)
    view = compare_view(first, [(replace(SECOND, last=replace(last, pods=())), told)])
    assert view.sentence == "Not comparable: run B has no data (−0.5)."
    assert [cell.outlier for cell in view.pods[0].cells] == ["over", ""]


def test_a_setting_that_is_not_set_is_said_as_what_it_means():
    plan = (PlanDifference("requests_per_connection", "1", "none"), PlanDifference("max_p95_ms", "none", "50"))
    rows = compare_view(FIRST, [(SECOND, replace(COMPARED, plan=plan))]).plan
    assert [[cell.text for cell in row.cells] for row in rows] == [["1", "all (keep-alive)"], ["–", "50"]]
