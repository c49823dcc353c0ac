"""A run: samples in, events out. Pure; the same samples always give the same events."""

from __future__ import annotations

from dataclasses import dataclass

from scale_app.domain.plan import LoadPlan
from scale_app.domain.snapshot import RunState, Snapshot, Source


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run as the list of runs shows it. Times are wall clock; last is the newest snapshot."""

    run_id: str
    plan: LoadPlan
    source: Source
    state: RunState
    created_at_epoch_s: float
    ended_at_epoch_s: float | None = None
    message: str = ""
    last: Snapshot | None = None
