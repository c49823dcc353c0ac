"""A run as it was recorded: its plan and every sample, in order. Enough to analyse it again, by today's rules.

A run is a pure function of its samples, so the recording replayed by the same version gives the same events.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from scale_app.domain.errors import NoRecording
from scale_app.domain.events import Event, SnapshotTaken
from scale_app.domain.gating import GateResult, gated
from scale_app.domain.plan import LoadPlan
from scale_app.domain.pod_history import PodHistory, PodSpans
from scale_app.domain.record import RunRecord
from scale_app.domain.samples import Sample, Tick, TrafficSample
from scale_app.domain.snapshot import Point, RunState, Source, point_of


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
        return gated(self.record, self.baseline)


def replayed(whole: WholeRun) -> WholeRun:
    """The same run, judged again from its recording. Raises NoRecording when there is none, or a gap in it.

    What no sample tells stays as it was: the id, when it was created and ended, that a server's end interrupted it.
    """
    # Only now: whoever lists runs or reads recordings judges none.
    from scale_app.domain.run import Run

    began, *samples = _checked(whole)
    run = Run(whole.record.run_id, began.plan, began.source, began.epoch_offset_s, began.loaded)
    record = replace(whole.record, plan=began.plan, source=began.source, state=run.state, message="", last=None)
    events: list[Event] = []
    for sample in samples if began.ticks else with_ticks(samples):
        for event in run.observe(sample):
            record = record.followed(event, whole.record.ended_at_epoch_s or 0.0)
            events.append(event)
    if record.state.active:
        kept = (event for event in whole.happened if getattr(event, "state", None) is RunState.INTERRUPTED)
        events.extend(kept)
        record = replace(record, state=whole.record.state, message=whole.record.message)
    return WholeRun(
        replace(record, ended_at_epoch_s=whole.record.ended_at_epoch_s),
        tuple(point_of(event.snapshot) for event in events if isinstance(event, SnapshotTaken)),
        tuple(event for event in events if not isinstance(event, SnapshotTaken)),
        whole.recording,
        whole.baseline,
        pods_of(events),
    )


def with_ticks(samples: Iterable[Sample]) -> Iterator[Sample]:
    """The same with a tick at each sample of the load generator, which was the clock of runs of earlier versions."""
    for sample in samples:
        yield sample
        if isinstance(sample, TrafficSample):
            yield Tick(sample.at_s)


def pods_of(events: Sequence[Event]) -> PodSpans:
    """Each pod's part of the traffic over time, of a run's events."""
    return PodHistory(event.snapshot for event in events if isinstance(event, SnapshotTaken)).times().plain()


def _checked(whole: WholeRun) -> tuple[Began, *tuple[Sample, ...]]:
    run_id, lines = whole.record.run_id, whole.recording
    if not lines:
        raise NoRecording(run_id, "its samples were not kept")
    began, *rest = lines
    if not isinstance(began, Began):
        raise NoRecording(run_id, "the beginning of its recording is missing")
    samples = [line for line in rest if not isinstance(line, Began)]
    if len(samples) < len(rest):
        raise NoRecording(run_id, "its recording begins twice")
    return began, *samples
