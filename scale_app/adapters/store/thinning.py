"""Which snapshots are kept whole. Of the others a point and the pods' counts stay; the recording gives them again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from scale_app.domain.events import AlertCleared, AlertRaised, Event, PlanEdited, SnapshotTaken, StateChanged
from scale_app.domain.snapshot import RunState

EVERY_S = 10.0
TURNS = (AlertRaised, AlertCleared, StateChanged, PlanEdited)
"""Events after which the next snapshot is kept whole."""


@dataclass(frozen=True, slots=True)
class Thinned:
    """How far a run's events are thinned.

    newest_s: elapsed_s of the newest snapshot that is kept whole, None for none. turned: the next one is to be.
    """

    newest_s: float | None = None
    turned: bool = False

    def and_then(self, events: Iterable[Event]) -> tuple[list[bool], Thinned]:
        """For each of the events that follow whether it is kept whole, as what is no snapshot always is."""
        now, whole = self, []
        for event in events:
            kept, now = now._with(event)
            whole.append(kept)
        return whole, now

    def _with(self, event: Event) -> tuple[bool, Thinned]:
        if not isinstance(event, SnapshotTaken):
            return True, Thinned(self.newest_s, self.turned or isinstance(event, TURNS))
        due = self.newest_s is None or not 0 <= event.elapsed_s - self.newest_s < EVERY_S
        if due or self.turned or event.snapshot.state is not RunState.RUNNING:
            return True, Thinned(event.elapsed_s)
        return False, self
