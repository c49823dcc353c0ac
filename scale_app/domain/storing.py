"""What is stored of runs: how far storing is behind what happens, and how much of it is kept for how long.

Runs never wait for the database, so what they leave behind may.
"""

from __future__ import annotations

from dataclasses import dataclass

from scale_app.domain.errors import StoreUnavailable
from scale_app.domain.record import RunOutline


@dataclass(frozen=True, slots=True)
class Storing:
    """What is not stored yet, of all runs of this process.

    problem: a sentence for people, "" when storing keeps up; the figures then are of a moment. waiting_runs,
    waiting_lines: what waits in memory, and waiting_bytes of it what is packed. given_up_lines: of these runs, lines
    that were dropped because there was no room for them.
    """

    problem: str = ""
    waiting_runs: int = 0
    waiting_lines: int = 0
    waiting_bytes: int = 0
    given_up_lines: int = 0

    def check(self) -> None:
        """Raises StoreUnavailable with the problem, when there is one."""
        if self.problem:
            raise StoreUnavailable(self.problem)


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
