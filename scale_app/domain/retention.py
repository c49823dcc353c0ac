"""How long runs are kept, how many, and how much room they may take."""

from __future__ import annotations

from dataclasses import dataclass

from scale_app.domain.outline import RunOutline

DAY_S = 86_400.0
MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Retention:
    """What is beyond any of these is deleted, the oldest runs first; 0 is no limit.

    Baselines and runs that go on always stay, and of the others the newest.
    days: since a run ended. runs: in the list, baselines counted. size_mb: megabytes of the whole history.
    """

    days: float = 90.0
    runs: int = 1_000
    size_mb: float = 700.0

    def too_old(self, run: RunOutline, now_epoch_s: float) -> bool:
        """True for a run that ended longer ago than the days."""
        ended_s = run.created_at_epoch_s if run.ended_at_epoch_s is None else run.ended_at_epoch_s
        return self.days > 0 and now_epoch_s - ended_s > self.days * DAY_S

    def too_many(self, runs: int) -> int:
        """How many of so many runs are more than are kept."""
        return max(0, runs - self.runs) if self.runs else 0

    def too_large(self, size_bytes: int) -> bool:
        """True for a history that takes more room than it may."""
        return self.size_mb > 0 and size_bytes > self.size_mb * MEGABYTE


KEEP_ALL = Retention(0, 0, 0)
