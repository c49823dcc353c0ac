"""Snapshot to view: plain, complete and honest."""

import dataclasses
import json
import math

from scale_app.domain.alert import Alert
from scale_app.domain.balance import balance
from scale_app.domain.snapshot import RunState, Source, point_of
from scale_app.domain.verdict import Verdict, VerdictKind
from scale_app.views.presenting import ENDS_OF_MANY, run_view
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
    assert (view.state_text, view.figures.score, view.pods) == ("Starting", "–", [])
    assert view.progress.total == "1:00"


def test_a_failed_run_shows_its_message():
    view = run_view(record(None, RunState.FAILED, message="The target refused every connection."), [])
    assert view.message == "The target refused every connection."
    assert not view.active


def test_the_alert_and_the_verdict_come_word_for_word():
    alert = Alert("verdict", 0.2, 0.95, "Pod a gets too much.", 3.0)
    view = run_view(record(snapshot(alert=alert, alerts=(alert,))), [])
    assert [(row.title, row.message) for row in view.alerts] == [("Imbalance", "Pod a gets too much.")]
    assert view.figures.sentence == "Pod a gets twice its fair share."
    assert view.figures.kind == "UNEVEN"


def test_invented_counts_are_labelled():
    view = run_view(record(snapshot(), source=Source.SIMULATED), [])
    assert (view.source, view.source_text) == ("simulated", "Simulated")
    assert "invented" in view.source_note


def test_only_outliers_are_marked_and_not_by_colour_alone():
    snap = snapshot(300, 100, 90, pods=pods(300, 100, 90, outliers={0, 2}))
    view = run_view(record(snap), [])
    assert [row.outlier for row in view.pods] == ["over", "", "under"]
    assert [row.state for row in view.pods] == ["▲ Over-used", "Within chance", "▼ Under-used"]
    assert [label.outlier for label in view.shares.labels] == ["over", "", "under"]


def test_many_pods_are_listed_by_their_ends_and_drawn_in_order():
    view = run_view(record(snapshot(*range(1, 201))), [])
    assert len(view.pods) == 2 * ENDS_OF_MANY
    assert (view.pods[0].requests, view.pods[-1].requests) == ("200", "1")
    assert view.shares.labels == []
    assert "sorted by share" in view.shares.caption


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
    assert view.errors_note.startswith("4 requests ended without naming a pod")


def test_an_unknown_interval_leaves_the_scale_without_one():
    snap = snapshot(verdict=Verdict(VerdictKind.UNDECIDED, "Too early."))
    figures = run_view(record(snap), []).figures
    assert (figures.low, figures.width, figures.chance, figures.interval_text) == ("", "", "", "")
    assert figures.dot != ""
