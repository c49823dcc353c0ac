"""What happened in a run, in order: the only thing that is stored and the only thing that is sent out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from scale_app.domain.alert import Alert
from scale_app.domain.plan import LoadPlan
from scale_app.domain.snapshot import RunState, Snapshot


@dataclass(frozen=True, slots=True)
class SnapshotTaken:
    """A second of the run."""

    elapsed_s: float
    snapshot: Snapshot
    kind: Literal["snapshot"] = "snapshot"


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The run entered a state; message says why when it is not as planned."""

    elapsed_s: float
    state: RunState
    message: str = ""
    kind: Literal["state"] = "state"


@dataclass(frozen=True, slots=True)
class AlertRaised:
    elapsed_s: float
    alert: Alert
    kind: Literal["alert_raised"] = "alert_raised"


@dataclass(frozen=True, slots=True)
class AlertUpdated:
    """The figures of an alert that is on have changed enough to be told; alert is what it says now."""

    elapsed_s: float
    alert: Alert
    kind: Literal["alert_updated"] = "alert_updated"


@dataclass(frozen=True, slots=True)
class AlertCleared:
    """It is over; alert is what it said last, alert.cleared what to say now."""

    elapsed_s: float
    alert: Alert
    kind: Literal["alert_cleared"] = "alert_cleared"


@dataclass(frozen=True, slots=True)
class PodChanged:
    """A pod joined, left, or changed readiness."""

    elapsed_s: float
    pod: str
    change: Literal["joined", "left", "ready", "unready"]
    kind: Literal["pod"] = "pod"


@dataclass(frozen=True, slots=True)
class PlanEdited:
    """plan: as it is from now on."""

    elapsed_s: float
    plan: LoadPlan
    kind: Literal["plan"] = "plan"


Event = SnapshotTaken | StateChanged | AlertRaised | AlertUpdated | AlertCleared | PodChanged | PlanEdited


@dataclass(frozen=True, slots=True)
class Numbered:
    """An event and its place among all events of its run, from 0."""

    seq: int
    event: Event
