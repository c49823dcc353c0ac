"""What is known of a run, whether it goes on or has ended."""

from __future__ import annotations

from dataclasses import dataclass, replace

from scale_app.domain.events import Event, GeneratorNoticed, PlanEdited, SnapshotTaken, StateChanged
from scale_app.domain.plan import LoadPlan
from scale_app.domain.snapshot import RunState, Snapshot, Source


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run as the list of runs shows it. Times are wall clock; last is the newest snapshot.

    experiment_of: the run whose question this one was planned to decide, "" for none.
    baseline: the name under which later runs are held against this one, "" for none; one run has it at a time.
    not_stored: why a part of it is not stored yet, "" when all is, or will be in a moment.
    unreadable: what of the stored run cannot be read, "" when all can; of its seconds, events and recording it is known
    once they were looked at. It is left out, None, or stood in for: an unknown state is shown as interrupted.
    plan_known: False when of the plan only target, users and duration can be read.
    """

    run_id: str
    plan: LoadPlan
    source: Source
    state: RunState
    created_at_epoch_s: float
    ended_at_epoch_s: float | None = None
    message: str = ""
    last: Snapshot | None = None
    experiment_of: str = ""
    baseline: str = ""
    not_stored: str = ""
    unreadable: str = ""
    plan_known: bool = True

    @property
    def told(self) -> str:
        """What people must know of it, "" for nothing: what cannot be read, and the message."""
        return " ".join(part for part in (self.unreadable, self.message) if part)

    def followed(self, event: Event, at_epoch_s: float) -> RunRecord:
        """The record after an event that happened at this wall-clock time."""
        match event:
            case SnapshotTaken(snapshot=snapshot):
                return replace(self, last=snapshot, source=snapshot.source)
            case PlanEdited(plan=plan):
                return replace(self, plan=plan)
            case StateChanged(state=state, message=message):
                ended = None if state.active else at_epoch_s
                return replace(self, state=state, message=message or self.message, ended_at_epoch_s=ended)
            case GeneratorNoticed(message=message):
                return replace(self, message=message)
            case _:
                return self
