"""Snapshot to view: plain, complete and honest."""

import dataclasses
import json
import math

import pytest

from scale_app.domain.alert import Alert
from scale_app.domain.balance import balance
from scale_app.domain.events import AlertCleared, AlertRaised, PodChanged, StateChanged
from scale_app.domain.plan import LoadPlan
from scale_app.domain.pod_history import PodHistory
from scale_app.domain.snapshot import Finding, RunState, Source, point_of
from scale_app.domain.verdict import Verdict, VerdictKind
from scale_app.views.presenting import figures, plan_in_short, run_view
from tests.unit.ui.samples import pods, record, snapshot


def leaves(value):
    if isinstance(value, dict):
        for part in value.values():
            yield from leaves(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from leaves(part)
    else:
        yield value


def test_the_view_is_plain_types_only():
    """numpy values would reach the browser as null, and NaN as broken JSON."""
    snap = snapshot(300, 100, 100)
    view = dataclasses.asdict(run_view(record(snap), [point_of(snap)]))
    assert {type(leaf) for leaf in leaves(view)} <= {str, int, bool}
    json.dumps(view, allow_nan=False)


def test_no_path_ever_holds_a_nan():
    odd = snapshot(0, 0, 0, balance=balance([0, 0, 0]), p95_ms=math.nan, requests_per_s=math.inf)
    view = json.dumps(dataclasses.asdict(run_view(record(odd), [point_of(odd)])))
    assert "nan" not in view.lower().replace("balance", "")
    assert "inf" not in view.lower()


def test_before_the_first_second_there_is_a_view_too():
    view = run_view(record(None, RunState.STARTING), [])
    assert (view.state_text, view.figures.score, view.heat.image) == ("Starting", "–", "")
    assert view.progress.total == "1:00"


def test_a_failed_run_shows_its_message():
    view = run_view(record(None, RunState.FAILED, message="The target refused every connection."), [])
    assert view.message == "The target refused every connection."
    assert not view.active


def test_the_rate_of_a_run_that_has_ended_is_not_said_to_be_by_nobody():
    assert figures(snapshot(users=40)).rate_note == "by 40 users"
    assert figures(snapshot(users=0)).rate_note == "in the last 10 s"
    assert figures(snapshot(users=0, elapsed_s=2.2)).rate_note == "in the last 2 s"


def test_the_alert_and_the_verdict_come_word_for_word():
    alert = Alert("verdict", 0.2, 0.95, "Pod a gets too much.", 3.0)
    view = run_view(record(snapshot(alert=alert, alerts=(alert,))), [])
    assert [row.title for row in view.alerts] == ["Imbalance alert since 0:03"]
    assert view.figures.sentence == "Pod a gets twice its fair share."
    assert view.figures.kind == "UNEVEN"


def test_invented_counts_are_labelled():
    view = run_view(record(snapshot(), source=Source.SIMULATED), [])
    assert (view.source, view.source_text) == ("simulated", "Simulated")
    assert "invented" in view.source_note


def test_only_outliers_are_marked_and_not_by_colour_alone():
    snap = snapshot(300, 100, 90, pods=pods(300, 100, 90, outliers={0, 2}))
    view = run_view(record(snap), [])
    assert [label.outlier for label in view.shares.labels] == ["over", "", "under"]


def test_many_pods_are_drawn_by_share():
    view = run_view(record(snapshot(*range(1, 201))), [])
    assert view.shares.labels == []
    assert "sorted by share" in view.shares.caption


def test_the_heat_map_stands_on_the_time_charts_axis():
    shots = [snapshot(300 * n, 100 * n, 100 * n, seq=n, elapsed_s=float(n)) for n in range(1, 16)]
    view = run_view(record(shots[-1]), [point_of(shot) for shot in shots], (), PodHistory(shots).times())
    assert view.heat.image.startswith("data:image/png")
    assert view.heat.width == "50.00%"  # 15 of the 30 s that the axis shows
    assert view.heat.names == ["p0000", "p0001", "p0002"]
    assert "1 clearly above and 2 clearly below" in view.heat.summary


def test_alerts_and_pods_are_marked_on_the_time_axis():
    alert = Alert("verdict", 0.2, 0.95, "Pod a gets too much.", 3.0)
    events = [
        StateChanged(0.0, RunState.RUNNING),
        PodChanged(3.0, "a", "left"),
        AlertRaised(6.0, alert),
        AlertCleared(12.0, alert),
    ]
    snap = snapshot(elapsed_s=15.0)
    times = run_view(record(snap), [point_of(snap)], events).times
    assert [(mark.at, mark.tone) for mark in times.marks] == [("10.00%", ""), ("20.00%", "bad"), ("40.00%", "")]
    assert times.marks[0].text == "0:03 Pod a is gone."
    assert times.alerts == "M200 0H400V1000H200Z"


def test_an_alert_that_is_on_is_shaded_to_the_end():
    snap = snapshot(elapsed_s=15.0)
    raised = AlertRaised(6.0, Alert("p95", 0.2, 0.95, "Slow.", 3.0))
    assert run_view(record(snap), [point_of(snap)], [raised]).times.alerts == "M200 0H1000V1000H200Z"


def test_what_would_decide_is_told_beside_the_verdict():
    undecided = Verdict(VerdictKind.UNDECIDED, "Too early.", picks_to_decide=1_234, connections_known=True)
    assert figures(snapshot(verdict=dataclasses.replace(undecided, unit="connection"))).toward_percent == round(
        100 * 100 / 1_334
    )
    assert figures(snapshot()).toward_percent == 0


def test_what_is_not_certain_of_the_generator_is_not_told_as_certain():
    limit = Finding("generator_limit", "The load generator is the limit", "c", "It was late.", "likely", "r")
    told = run_view(record(snapshot(findings=(limit,))), []).generator
    assert told == "The load generator may be the limit. It was late."


def test_a_generator_at_its_limit_is_told_at_the_top():
    limit = Finding("generator_limit", "The load generator is the limit", "c", "It used 99 %.", "certain", "r")
    assert run_view(record(snapshot(findings=(limit,))), []).generator == (
        "The load generator is the limit. It used 99\u00a0%."
    )


def test_the_title_tells_score_and_state():
    assert run_view(record(snapshot(100, 100)), []).title == "1.000 · Running · Scale"
    assert run_view(record(None, RunState.STARTING), []).title == "Starting · Scale"


def test_progress_counts_to_the_end():
    assert run_view(record(snapshot(elapsed_s=15.0)), []).progress == dataclasses.replace(
        run_view(record(snapshot(elapsed_s=15.0)), []).progress,
        elapsed="0:15",
        total="1:00",
        remaining="0:45 left",
        percent=25,
    )


def test_failures_are_listed_by_cause_and_the_unnamed_are_told():
    view = run_view(record(snapshot(errors={"timeout": 2, "HTTP 503": 9}, unattributed=4)), [])
    assert [(row.requests, row.cause) for row in view.errors] == [
        ("9", "HTTP 503"),
        ("2", "timeout"),
    ]
    assert view.errors_note.startswith("4 requests named no pod")


def test_an_unknown_interval_leaves_the_scale_without_one():
    snap = snapshot(verdict=Verdict(VerdictKind.UNDECIDED, "Too early."))
    found = run_view(record(snap), []).figures
    assert (found.low, found.width, found.chance, found.interval_text) == ("", "", "", "")
    assert found.dot != ""


def test_of_a_plan_that_cannot_be_read_only_what_is_known_is_shown():
    told = dataclasses.replace(record(None, RunState.FINISHED), unreadable="The plan cannot be read.", plan_known=False)
    view = run_view(told, [])
    assert [line.label for line in view.plan] == ["Target", "Users", "Duration"]
    assert view.message == "The plan cannot be read."


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (LoadPlan(users=100, duration_s=90), "100 users for 1 min 30 s, a new connection every 5 requests"),
        (LoadPlan(users=1, duration_s=5, requests_per_connection=None), "1 user for 5 s, keep-alive"),
        (
            LoadPlan(users=50, duration_s=60, arrivals_per_s=200, requests_per_connection=1),
            "50 users for 1 min, 200 requests per second, a new connection for each request",
        ),
    ],
)
def test_a_plan_in_short_says_what_it_sends_and_for_how_long(plan: LoadPlan, said: str) -> None:
    assert plan_in_short(plan) == said
