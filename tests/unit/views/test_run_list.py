"""Past runs as rows."""

from dataclasses import replace

import pytest

from scale_app.domain.plan import LoadPlan
from scale_app.domain.record import RunOutline, outline_of
from scale_app.domain.snapshot import RunState
from scale_app.views.presenting import part_text, run_row, run_view
from tests.unit.pictures.test_times_and_gauge import point
from tests.unit.ui.samples import record, snapshot


def outlined(*told, **more) -> RunOutline:
    return outline_of(record(*told, **more))


def test_a_run_is_told_in_one_row():
    row = run_row(outlined(snapshot(100, 100), RunState.FINISHED), [point(0, recent_score=1.0)])
    assert (row.verdict, row.score, row.grade, row.requests, row.state_text) == (
        "Uneven",
        "1.000",
        "A",
        "200",
        "Finished",
    )
    assert (row.plan, row.target, row.active, row.spark != "") == ("100 users, 1 min", "demo", False, True)


def test_a_run_that_ended_without_data_does_not_promise_any():
    assert run_row(outlined(None, RunState.FAILED, message="Refused.")).verdict == "No data"
    assert run_row(outlined(None, RunState.RUNNING)).verdict == "No data"


@pytest.mark.parametrize(
    ("target", "hint"),
    [("demo", "demo"), ("simulated?pods=200", "simulated"), ("http://api.shop.svc:8080/cart", "api.shop.svc")],
)
def test_a_baseline_is_offered_the_targets_name(target, hint):
    assert run_row(outline_of(replace(record(), plan=LoadPlan(target_url=target)))).baseline_hint == hint
    assert run_row(replace(outlined(), baseline="last release")).baseline_hint == "last release"


def test_the_shown_part_of_a_long_list_is_told():
    assert part_text(0, 25, 1_132) == "1–25 of 1,132"
    assert part_text(1_125, 7, 1_132) == "1,126–1,132 of 1,132"
    assert part_text(0, 0, 0) == ""


def test_a_row_says_what_is_wrong_with_it_and_that_it_waits():
    damaged = replace(outlined(snapshot(100, 100), RunState.FINISHED), unreadable="The plan cannot be read.")
    waiting = replace(outlined(snapshot(100, 100), RunState.FINISHED), not_stored="Not stored yet; the disk is full.")
    assert (run_row(damaged).problem, run_row(damaged).waits) == ("The plan cannot be read.", False)
    assert (run_row(waiting).problem, run_row(waiting).waits) == ("Not stored yet", True)


@pytest.mark.parametrize(("name", "told"), [("ada@example.org", "ada@example.org"), ("local user", ""), ("", "")])
def test_who_started_a_run_is_told_where_it_tells_one_from_another(name, told):
    run = replace(record(None, RunState.FAILED), started_by=name)
    assert run_row(outline_of(run)).by == told
    assert (f" by {told}" in run_view(run, ()).when) is bool(told)
