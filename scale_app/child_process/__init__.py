"""Processes of our own that speak JSON lines: a child's side of the pipe, and waiting for a process that should speak.

`owner` starts and ends them. Nothing here imports asyncio or ssl: a worker imports this before Locust patches those.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from pathlib import Path
from typing import BinaryIO, Literal

PR_SET_PDEATHSIG = 1
MOST_LOOKS = 2
ProcessState = Literal["runs", "sleeps", "stopped", "ended", "unknown"]
_STATES: dict[str, ProcessState] = {"R": "runs", "T": "stopped", "t": "stopped", "Z": "ended", "X": "ended"}


def die_with_owner(owner_pid: int) -> None:
    """Ask the kernel to SIGKILL this process when its owner is gone; exit at once if it already is.

    Linux only; elsewhere the closed standard input is the sign, and every child must end on it.
    """
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != owner_pid:
        os._exit(3)


def claim_stdout() -> BinaryIO:
    """The pipe to the owner. Afterwards a print() of any library goes to standard error."""
    pipe = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    return pipe


def allow_all_files() -> None:
    """Each connection is one: the soft limit of 1,024 open files would be the load's limit."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


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
