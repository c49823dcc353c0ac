"""What the coordinator knows of each worker process: who it is, its state, and whether it hangs."""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import dataclass, field

from scale_app.child_process import ProcessState, process_state

RUNNING_S = 20.0
PATIENCE_S: dict[ProcessState, float] = {
    "stopped": 2.0,
    "sleeps": 5.0,
    "unknown": 5.0,
    "runs": RUNNING_S,
    "ended": RUNNING_S,  # its exit is reported by other means
}


@dataclass(slots=True)
class ForkedProcess:
    """A process of ours. exited: "" while it runs, else how it ended ("killed by SIGKILL", "exit code 1")."""

    pid: int = 0
    exited: str = ""

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it still runs."""
        if not self.exited:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


class Silence:
    """How long one of several processes may say nothing before the others get its users.

    That a process is late to answer does not show that it hangs: on a busy machine it may wait for a CPU. Of a process
    of this machine the system tells which it is, and it tells at once when one has ended. A process that runs, or wants
    to, gets much time; one that somebody has stopped gets little, for its users send nothing. Of another machine's
    process nothing is known but that it ends its load by itself when it has not heard from here for
    `worker_process.COORDINATOR_SILENT_S`: only then do its users go to others, so that there is never more load than
    was asked for.
    """

    def __init__(self) -> None:
        self._silent_s = 0.0
        self._ran_s = 0.0

    def too_long(self, silent_s: float, state: ProcessState) -> bool:
        """Does it hang? silent_s: since it was heard. What counts is how long it neither spoke nor wanted to run."""
        if silent_s < self._silent_s:
            self._ran_s = 0.0
        self._silent_s = silent_s
        if state == "runs":
            self._ran_s = silent_s
        return silent_s >= RUNNING_S or silent_s - self._ran_s >= PATIENCE_S[state]


@dataclass(slots=True)
class RosterEntry:
    """name: Locust's for it. where: "" on this machine. answered: the last question for counts that it answered.

    leaving: it gets no more users. finished: it has reported for the last time. gone: it is no part of the run.
    """

    number: int
    name: str
    where: str
    child: ForkedProcess | None
    answered: int = 0
    leaving: bool = False
    finished: bool = False
    gone: bool = False
    silence: Silence = field(default_factory=Silence)

    @property
    def state(self) -> ProcessState:
        """What its system says of it."""
        return "unknown" if self.child is None else process_state(self.child.pid)

    def sentence(self, how: str, left: int, moved: bool = True) -> str:
        """A sentence or two for people. how: what happened to it. left: how many go on."""
        where = f" (on {self.where})" if self.where else ""
        said = f"One of {left + 1} load-generating processes{where} {how}."
        return f"{said} Its users were moved to the {left} that are left." if moved else said


class WorkerRoster:
    """Everybody who ever joined, by name."""

    def __init__(self) -> None:
        self._all: dict[str, RosterEntry] = {}

    def add(self, name: str, where: str, child: ForkedProcess | None) -> RosterEntry:
        """A process has joined."""
        process = self._all[name] = RosterEntry(len(self._all), name, where, child)
        return process

    def named(self, name: str) -> RosterEntry | None:
        return self._all.get(name)

    @property
    def living(self) -> list[RosterEntry]:
        """Those that may still report."""
        return [process for process in self._all.values() if not process.gone]

    @property
    def working(self) -> list[RosterEntry]:
        """Those that have, or get, users."""
        return [process for process in self.living if not process.leaving]

    @property
    def gone(self) -> int:
        """How many left or died before the end."""
        return len(self._all) - len(self.living)

    def local(self) -> int:
        """How many of this machine are working."""
        return sum(not process.where for process in self.working)

    def remote(self) -> int:
        """How many of other machines are working."""
        return sum(bool(process.where) for process in self.working)
