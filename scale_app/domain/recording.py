"""A run as it was recorded: its plan and every sample, in order. Enough to analyse it again, by today's rules.

How it is judged again: replaying.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from scale_app.domain.events import Event
from scale_app.domain.gating import GateResult, gated
from scale_app.domain.plan import LoadPlan
from scale_app.domain.pod_history import PodSpans
from scale_app.domain.record import RunRecord
from scale_app.domain.samples import Sample
from scale_app.domain.snapshot import Point, Source


@dataclass(frozen=True, slots=True)
class Began:
    """How the run was begun; the first line of a recording. epoch_offset_s: wall clock minus the samples' clock.

    ticks: the recording holds the ticks of the run's own clock; in those of earlier versions each sample of the load
        generator was one. loaded: a load generator takes part.
    """

    plan: LoadPlan
    source: Source
    epoch_offset_s: float
    ticks: bool = False
    loaded: bool = True
    kind: Literal["began"] = "began"


Recorded = Began | Sample


@dataclass(frozen=True, slots=True)
class WholeRun:
    """Everything that is known of one run: what reports are made of and what the JSON export holds.

    points: one a second. happened: the events, snapshots apart. recording: () when it was not kept or not asked for.
    baseline: the run that the plan's gate names, None when there is none. pods: each pod's part over time, of no pods
    when it was not asked for.
    """

    record: RunRecord
    points: tuple[Point, ...] = ()
    happened: tuple[Event, ...] = ()
    recording: tuple[Recorded, ...] = ()
    baseline: RunRecord | None = None
    pods: PodSpans = PodSpans()

    @property
    def gate(self) -> GateResult:
        """The run against the thresholds of its plan."""
        return gated(self.record, self.baseline)
