"""What happened in a run, newest first, as lines that people read. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scale_app.domain.events import (
    AlertCleared,
    AlertRaised,
    ClusterChanged,
    Event,
    GeneratorNoticed,
    PlanEdited,
    PodChanged,
    StateChanged,
)
from scale_app.domain.plan import LoadPlan
from scale_app.domain.snapshot import RunState
from scale_app.views import format as shown
from scale_app.views.view import Happening
from scale_app.views.words import CHANGED_STATES

MOST = 100
POD_CHANGES = {
    "joined": "joined",
    "left": "is gone",
    "ready": "became ready",
    "unready": "is not ready any more",
    "terminating": "was asked to end",
    "restarted": "had its container started again",
    "replaced": "was replaced by another pod of its name",
}
CLUSTER_CHANGES = {
    "scaled": "{subject} was scaled {detail}.",
    "node_joined": "Node {subject} joined.",
    "node_left": "Node {subject} is gone.",
    "node_ready": "Node {subject} became ready.",
    "node_unready": "Node {subject} is not ready any more.",
    "settings": "The Service was changed: {detail}.",
    "watch_lost": "{detail}",
    "watch_back": "The pods are watched again.",
}


def happenings(events: Sequence[Event]) -> list[Happening]:
    """The newest MOST events that are not snapshots."""
    lines = [line for event in events if (line := _line(event))]
    return lines[-MOST:][::-1]


def _line(event: Event) -> Happening | None:
    at = shown.clock(event.elapsed_s)
    match event:
        case StateChanged(state=state, message=message):
            tone = "bad" if state in (RunState.FAILED, RunState.INTERRUPTED) else ""
            return Happening(at, shown.prose(message or CHANGED_STATES[state]), tone)
        case AlertRaised(alert=alert):
            return Happening(at, shown.prose(alert.message), "bad")
        case AlertCleared(alert=alert):
            return Happening(at, alert.cleared)
        case PodChanged(pod=pod, change=change, detail=detail):
            return Happening(at, f"Pod {pod} {POD_CHANGES[change]}{f' ({detail})' if detail else ''}.")
        case ClusterChanged(subject=subject, change=change, detail=detail):
            tone = "bad" if change == "watch_lost" else ""
            return Happening(at, CLUSTER_CHANGES[change].format(subject=subject, detail=detail), tone)
        case GeneratorNoticed(message=message):
            return Happening(at, shown.prose(message), "bad")
        case PlanEdited(plan=plan):
            return Happening(at, _edit(plan))
        case _:
            return None


def _edit(plan: LoadPlan) -> str:
    """The three figures that can be changed while load is sent."""
    arrivals = "" if plan.arrivals_per_s is None else f"{shown.plain(plan.arrivals_per_s)} requests a second, "
    return f"Changed to {arrivals}{shown.count(plan.users)} users, {shown.plain(plan.spawn_rate)} a second."


MOST_MARKS = 40
"""On the time axis; with more, the newest."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Something to mark on a time axis, in words."""

    at_s: float
    text: str
    tone: str


def marks(events: Sequence[Event]) -> list[Moment]:
    """Alerts, pods that come and go, edits; the run's own beginning and end are the axis' ends."""
    told = [
        Moment(event.elapsed_s, f"{line.at} {line.text}", line.tone)
        for event in events
        if not isinstance(event, StateChanged) and (line := _line(event))
    ]
    return told[-MOST_MARKS:]


def alert_spans(events: Sequence[Event]) -> list[tuple[float, float | None]]:
    """When an alert was on, in seconds: from, to; None for one that is on still."""
    spans: list[tuple[float, float | None]] = []
    raised: dict[str, float] = {}
    for event in events:
        if isinstance(event, AlertRaised):
            raised[event.alert.rule] = event.elapsed_s
        elif isinstance(event, AlertCleared) and event.alert.rule in raised:
            spans.append((raised.pop(event.alert.rule), event.elapsed_s))
    return [*spans, *((from_s, None) for from_s in raised.values())]
