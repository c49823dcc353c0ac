"""What `scale run` says while a run goes on, and as JSON at its end."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from scale_app.cli.run_output import _pods, print_run, progress, run_document
from scale_app.domain.events import ClusterChanged, Event, GeneratorNoticed, PodChanged, StateChanged
from scale_app.domain.recording import WholeRun
from scale_app.domain.snapshot import RunState
from scale_app.domain.verdict import VerdictKind
from scale_app.views.presenting import run_view
from tests.examples import an_ended_run
from tests.recorded import HOT, whole_run

LOST = "The pods cannot be watched (403): the account may no longer list endpointslices."
HAPPENED: list[Event] = [
    StateChanged(0.0, RunState.RUNNING),
    PodChanged(3.0, "pod-a", "joined", "on node n1"),
    ClusterChanged(5.0, "cluster", "watch_lost", LOST),
    GeneratorNoticed(65.0, "One of 2 worker processes ended."),
]


def test_what_happens_in_a_run_is_told_as_it_happens(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(quiet=False) as show:
        show(an_ended_run([10, 10], 20), HAPPENED[:2])
        show(an_ended_run([10, 10], 20), HAPPENED[2:])
    told = [line for line in capsys.readouterr().err.splitlines() if " requests, " not in line]
    assert told == [
        "0:03  Pod pod-a joined (on node n1).",
        f"0:05  {LOST}",
        "1:05  One of 2 worker processes ended.",
    ]


def test_a_right_that_is_missing_from_the_start_is_told_once_and_with_what_happened_only_there(
    capsys: pytest.CaptureFixture[str],
) -> None:
    record = an_ended_run([10, 10], 20)
    assert record.last is not None
    missing = replace(record, last=replace(record.last, pods_problem="No right."))
    lost = replace(record, last=replace(record.last, pods_problem=LOST))
    with progress(quiet=False) as show:
        for seen, events in ((missing, []), (missing, []), (lost, HAPPENED[2:3]), (lost, []), (missing, [])):
            show(seen, events)
    told = [line for line in capsys.readouterr().err.splitlines() if " requests, " not in line]
    assert told == ["No right.", f"0:05  {LOST}", "No right."]


def test_what_cannot_be_seen_of_the_pods_is_told_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    record = an_ended_run([10, 10], 20)
    assert record.last is not None
    print_run(WholeRun(replace(record, last=replace(record.last, pods_problem=LOST))))
    assert "may no longer list" in capsys.readouterr().out
    assert run_view(replace(record, last=replace(record.last, pods_problem=LOST)), ()).counting.endswith(LOST)


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(quiet=True) as show:
        show(an_ended_run([10, 10], 20), HAPPENED)
    assert capsys.readouterr().err == ""


def test_json_has_what_happened_with_alerts_and_their_ends() -> None:
    whole = whole_run(HOT)
    events = run_document(whole, 1)["events"]
    assert isinstance(events, list)
    assert [event["kind"] for event in events] == [event.kind for event in whole.happened]
    raised = next(event for event in events if event["kind"] == "alert_raised")
    assert raised["elapsed_s"] > 0
    assert raised["alert"]["message"]


@pytest.mark.parametrize("width", [80, 120])
def test_pods_names_stay_in_one_piece_in_a_terminal(width: int) -> None:
    record = an_ended_run([900, 1_000, 1_100], 60)
    assert record.last is not None
    names = [f"checkout-frontend-7d9c6b5f4d-{end}x2b" for end in "abc"]
    pods = tuple(replace(pod, name=name) for pod, name in zip(record.last.pods, names, strict=True))
    console = Console(width=width, file=StringIO(), force_terminal=True)
    console.print(_pods(replace(record, last=replace(record.last, pods=pods)), width))
    lines = [line for line in console.file.getvalue().splitlines() if "checkout" in line]  # type: ignore[attr-defined]
    assert [any(name in line for line in lines) for name in names] == [True] * 3
    assert ("█" in "".join(lines)) == (width == 120)


def test_of_many_pods_those_that_stand_out_are_printed_first() -> None:
    record = an_ended_run([1_000] * 100, 60)
    assert record.last is not None
    *others, odd = record.last.pods
    pods = (*others, replace(odd, outlier=True, against_fair=-0.5))
    verdict = replace(record.last.verdict, kind=VerdictKind.UNEVEN)
    console = Console(width=120, file=StringIO(), force_terminal=True)
    console.print(_pods(replace(record, last=replace(record.last, pods=pods, verdict=verdict)), 120))
    lines = [line for line in console.file.getvalue().splitlines() if "%" in line]  # type: ignore[attr-defined]
    assert "Below fair" in lines[0]
    assert len(lines) == 20
