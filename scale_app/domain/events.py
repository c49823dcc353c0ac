"""What happened in a run, in order: the only thing that is stored and the only thing that is sent out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from scale_app.domain.alert import Alert
from scale_app.domain.plan import LoadPlan
from scale_app.domain.snapshot import RunState, Snapshot

PodChange = Literal["joined", "left", "ready", "unready", "terminating", "restarted", "replaced"]
ClusterChange = Literal[
    "scaled", "node_joined", "node_left", "node_ready", "node_unready", "settings", "watch_lost", "watch_back"
]


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
    """The figures of an alert that is on have changed noticeably; alert: its current state."""

    elapsed_s: float
    alert: Alert
    kind: Literal["alert_updated"] = "alert_updated"


@dataclass(frozen=True, slots=True)
class AlertCleared:
    """An alert has ended. alert: with its last figures; alert.cleared: the sentence to show now."""

    elapsed_s: float
    alert: Alert
    kind: Literal["alert_cleared"] = "alert_cleared"


@dataclass(frozen=True, slots=True)
class PodChanged:
    """A pod joined, left, or changed. detail: more about it in words, "" for nothing.

    restarted: its container restarted; its own counters restart at zero. replaced: a new pod has its name.
    """

    elapsed_s: float
    pod: str
    change: PodChange
    detail: str = ""
    kind: Literal["pod"] = "pod"


@dataclass(frozen=True, slots=True)
class ClusterChanged:
    """Something around the pods changed. subject: a workload, a node, the Service or the cluster. detail: in words.

    watch_lost, watch_back: the pods could not be watched for a while; changes of that time are reported late.
    """

    elapsed_s: float
    subject: str
    change: ClusterChange
    detail: str = ""
    kind: Literal["cluster"] = "cluster"


@dataclass(frozen=True, slots=True)
class PlanEdited:
    """plan: the plan from now on."""

    elapsed_s: float
    plan: LoadPlan
    kind: Literal["plan"] = "plan"


@dataclass(frozen=True, slots=True)
class GeneratorNoticed:
    """The load generator reported a problem; the load continues."""

    elapsed_s: float
    message: str
    kind: Literal["generator"] = "generator"


Event = (
    SnapshotTaken
    | StateChanged
    | AlertRaised
    | AlertUpdated
    | AlertCleared
    | PodChanged
    | ClusterChanged
    | PlanEdited
    | GeneratorNoticed
)


@dataclass(frozen=True, slots=True)
class Numbered:
    """An event and its place among all events of its run, from 0."""

    seq: int
    event: Event
