"""What the system says of a process of this machine: tells one that hangs from one that waits for its turn."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

Standing = Literal["runs", "sleeps", "stopped", "ended", "unknown"]

_STANDINGS: dict[str, Standing] = {"R": "runs", "T": "stopped", "t": "stopped", "Z": "ended", "X": "ended"}


def standing_of(pid: int, proc: Path = Path("/proc")) -> Standing:
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
    return _STANDINGS.get(stat.rpartition(")")[2].split()[0], "sleeps")
