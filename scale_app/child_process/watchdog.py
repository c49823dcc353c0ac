"""Waiting for a process that should speak: how long, and what the system says of one that is silent.

That a child has died is known at once, by its pipe. One that lives and says nothing was stopped, sleeps with its
machine or waits for a CPU; most of these go on. So people are told of silence soon, and the process is given up late.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

MOST_LOOKS = 2
LOOK_EVERY_S = 0.5
SPEAKS_S = 3.0
"""A child that was heard so lately is not silent."""
ProcessState = Literal["runs", "sleeps", "stopped", "ended", "unknown"]
_STATES: dict[str, ProcessState] = {"R": "runs", "T": "stopped", "t": "stopped", "Z": "ended", "X": "ended"}


class WaitClock:
    """Our own standstill is nobody's silence: adds up the seconds for which somebody was waited for.

    We look every `every_s` seconds. When we come much later than that, we stood still ourselves: we were stopped, the
    machine slept, or others had the CPU. Nobody can have been heard meanwhile, so that time counts as two looks.
    """

    def __init__(self, every_s: float, now_s: float) -> None:
        self._most_s = MOST_LOOKS * every_s
        self._looked_s = now_s

    def passed_s(self, now_s: float) -> float:
        """Seconds since the last look that count."""
        passed_s, self._looked_s = now_s - self._looked_s, now_s
        return min(max(passed_s, 0.0), self._most_s)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the child is waited for. Only time in which its owner could listen counts, see `WaitClock`.

    ready_s: from its start to its first report. notice_s: silence after which people are told. silence_s: silence
    after which it is given up. overdue_s: how long it may go on after the time at which it should have ended; also the
    silence after which it is given up once it was asked to end.
    """

    ready_s: float = 30.0
    notice_s: float = 5.0
    silence_s: float = 60.0
    overdue_s: float = 15.0


class Watchdog:
    """Call `look` at least every LOOK_EVERY_S seconds, and `heard` when the child has spoken.

    silent_s: since the child was heard. told: people were told of this silence.
    """

    def __init__(self, patience: Patience, due_s: float, now_s: float) -> None:
        """due_s: when the child has ended at the latest if all goes well; the same clock as now_s."""
        self._patience = patience
        self._due_s = due_s
        self._waited = WaitClock(LOOK_EVERY_S, now_s)
        self._overdue_s = 0.0
        self._asked = False
        self.silent_s = 0.0
        self.told = False

    def asked_to_end(self, due_s: float) -> None:
        """The child was asked to end, and should have by then."""
        self._asked = True
        self._due_s = min(self._due_s, due_s)

    def look(self, now_s: float) -> None:
        """Time has passed."""
        passed_s = self._waited.passed_s(now_s)
        self.silent_s += passed_s
        if now_s >= self._due_s and (self._asked or self.silent_s < SPEAKS_S):
            self._overdue_s += passed_s

    def heard(self) -> None:
        """The child has spoken."""
        self.silent_s = 0.0
        self.told = False

    @property
    def notable(self) -> bool:
        """It is time to tell people of the silence."""
        return not self.told and self.silent_s >= self._patience.notice_s

    @property
    def silent(self) -> bool:
        """The child is given up because it says nothing."""
        return self.silent_s >= self._patience.silence_s

    @property
    def overdue(self) -> bool:
        """The child is given up because it should have ended, or was asked to end and is silent.

        A child that waits for requests in flight is not silent: it reports every second.
        """
        most_s = self._patience.overdue_s
        return self._overdue_s >= most_s or (self._asked and self.silent_s >= most_s)


def process_state(pid: int, proc: Path = Path("/proc")) -> ProcessState:
    """The state of the process's first thread now.

    "runs": it is on a CPU or waits for one, however long. "sleeps": it waits for something else. "stopped": by a
    signal such as SIGSTOP, or by a debugger. "unknown": where the system does not tell.
    """
    try:
        stat = (proc / str(pid) / "stat").read_text(errors="replace")
    except FileNotFoundError:
        return "ended" if proc.joinpath("self").exists() else "unknown"
    except OSError:
        return "unknown"
    # "4711 (a name (with) brackets) S 1 ..."
    return _STATES.get(stat.rpartition(")")[2].split()[0], "sleeps")
