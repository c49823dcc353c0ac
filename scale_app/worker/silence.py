"""How long one of several processes may say nothing before the others get its users. Pure.

That a process is late to answer does not show that it hangs: on a busy machine it may wait for a CPU. Of a process of
this machine the system tells which it is, and it tells at once when one has ended. A process that runs, or wants to,
gets much time; one that somebody has stopped gets little, for its users send nothing. Of another machine's process
nothing is known but that it ends its load by itself when it has not heard from here for `hand.MASTER_SILENT_S`: only
then do its users go to others, so that there is never more load than was asked for.
"""

from __future__ import annotations

from scale_app.child_process.standing import Standing

RUNNING_S = 20.0
PATIENCE_S: dict[Standing, float] = {
    "stopped": 2.0,
    "sleeps": 5.0,
    "unknown": 5.0,
    "runs": RUNNING_S,
    "ended": RUNNING_S,  # its exit is reported by other means
}


class Silence:
    """One process, looked at again and again."""

    def __init__(self) -> None:
        self._silent_s = 0.0
        self._ran_s = 0.0

    def too_long(self, silent_s: float, standing: Standing) -> bool:
        """Does it hang? silent_s: since it was heard. What counts is how long it neither spoke nor wanted to run."""
        if silent_s < self._silent_s:
            self._ran_s = 0.0
        self._silent_s = silent_s
        if standing == "runs":
            self._ran_s = silent_s
        return silent_s >= RUNNING_S or silent_s - self._ran_s >= PATIENCE_S[standing]
