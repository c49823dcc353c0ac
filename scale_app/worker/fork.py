"""Further processes of a run on this machine: forked, so that Locust is imported and its memory is paid for once."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gevent.os import fork_and_watch  # type: ignore[import-untyped]

from scale_app.child_process.child import die_with_owner
from scale_app.worker.hand import Hand
from scale_app.worker.job import Job

LOOPBACK = "127.0.0.1"
PORT_DIGITS = 8


@dataclass(slots=True)
class Forked:
    """A process of ours. exited: "" while it runs, else how it ended ("killed by SIGKILL", "exit code 1")."""

    pid: int
    exited: str
    _tell: int

    def join(self, port: int) -> None:
        """Tell it on which port of this machine its master listens."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self._tell, str(port).ljust(PORT_DIGITS).encode())
        os.close(self._tell)

    def kill(self) -> None:
        """SIGKILL at once. Idempotent."""
        if not self.exited:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


def fork_hands(job: Job, keep_closed: int, ended: Callable[[Forked], None]) -> list[Forked]:
    """As many senders as the plan has processes; each waits for `join`. Call before anything else is begun here.

    keep_closed: the pipe to the owner, which must end with us. ended: called when one has exited.
    """
    gc.collect()
    gc.freeze()
    return [_fork(job, keep_closed, ended) for _ in range(job.plan.processes)]


def _fork(job: Job, keep_closed: int, ended: Callable[[Forked], None]) -> Forked:
    master, (hear, tell) = os.getpid(), os.pipe()
    forked = Forked(0, "", tell)

    def exited(watcher: Any) -> None:
        code = os.waitstatus_to_exitcode(watcher.rstatus)
        forked.exited = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        ended(forked)

    forked.pid = fork_and_watch(exited)
    if forked.pid == 0:
        os.close(tell)
        _live(job, master, hear, keep_closed)
    os.close(hear)
    return forked


def _live(job: Job, master: int, hear: int, keep_closed: int) -> None:
    """The whole life of a forked process; never returns."""
    try:
        die_with_owner(master)
        os.close(keep_closed)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        port = os.read(hear, PORT_DIGITS)
        if port:
            Hand(job, LOOPBACK, int(port)).serve()
        os._exit(0)
    except BaseException:  # noqa: BLE001 - nothing of the parent's may run on in here
        traceback.print_exc()
        os._exit(1)
