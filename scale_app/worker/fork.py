"""Further processes of a run: forked, so that Locust is imported and its memory is paid for once."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gevent  # type: ignore[import-untyped]
from gevent.os import fork_and_watch  # type: ignore[import-untyped]

from scale_app.child_process.child import die_with_owner
from scale_app.worker.hand import Hand
from scale_app.worker.job import Job

PORT_DIGITS = 8


@dataclass(slots=True)
class Forked:
    """A process of ours. exited: "" while it runs, else how it ended ("killed by SIGKILL", "exit code 1")."""

    pid: int = 0
    exited: str = ""

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it still runs."""
        if not self.exited:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


def fork(life: Callable[[], None], ended: Callable[[Forked], None]) -> Forked:
    """A process that lives this life and dies with us. ended: called in a greenlet when it has exited."""
    parent, forked = os.getpid(), Forked()

    def exited(watcher: Any) -> None:
        code = os.waitstatus_to_exitcode(watcher.rstatus)
        forked.exited = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        gevent.spawn(ended, forked)  # this is a callback of the event loop, which must not wait for anything

    forked.pid = fork_and_watch(exited)
    if forked.pid == 0:
        _live(life, parent)
    return forked


def _live(life: Callable[[], None], parent: int) -> None:
    """The whole life of a forked process; never returns."""
    try:
        die_with_owner(parent)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        life()
        os._exit(0)
    except BaseException:  # noqa: BLE001 - nothing of the parent's may run on in here
        traceback.print_exc()
        os._exit(1)


class LocalHands:
    """As many senders on this machine as the plan has processes; each waits until it is told where its master is."""

    def __init__(self, job: Job, owner_pipe: int, ended: Callable[[Forked], None]) -> None:
        """Forks at once: nothing else may have begun in this process. owner_pipe: closed in them, so that it ends
        with us. ended: called when one has exited."""
        gc.collect()
        gc.freeze()
        self.all: list[Forked] = []
        self._tell: list[int] = []
        for _ in range(job.plan.processes):
            self._fork(job, owner_pipe, ended)

    def join(self, host: str, port: int) -> None:
        """Let them join the master that listens there."""
        for tell in self._tell:
            with contextlib.suppress(BrokenPipeError):
                os.write(tell, f"{port:<{PORT_DIGITS}}{host}".encode())
            os.close(tell)

    def _fork(self, job: Job, owner_pipe: int, ended: Callable[[Forked], None]) -> None:
        hear, tell = os.pipe()

        def life() -> None:
            os.close(owner_pipe)
            for inherited in (*self._tell, tell):
                os.close(inherited)
            said = os.read(hear, 1_024).decode()
            if said:
                Hand(job, said[PORT_DIGITS:], int(said[:PORT_DIGITS]), near=True).serve()

        self.all.append(fork(life, ended))
        os.close(hear)
        self._tell.append(tell)
