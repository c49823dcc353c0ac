"""How far storing is behind what happens: runs never wait for the database, so what they leave behind may."""

from __future__ import annotations

from dataclasses import dataclass

from scale_app.domain.errors import StoreUnavailable


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
