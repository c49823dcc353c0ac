"""One of several worker processes of a run: it joins its coordinator, obeys it and reports what it counted.

They are forked, so that Locust is imported and its memory is paid for once.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import signal
import socket
import time
import traceback
from argparse import Namespace
from collections.abc import Callable
from math import inf
from typing import Any

import gevent
from gevent.event import Event
from gevent.os import fork_and_watch
from locust.rpc import Message

from scale_app.child_process import WaitClock, die_with_owner
from scale_app.codec import from_json, to_json
from scale_app.worker.engine import engine_of
from scale_app.worker.health import watch_for_faults
from scale_app.worker.locust_compat import accept_next_spawn, hear, outlive_master
from scale_app.worker.steering import ArrivalOrder
from scale_app.worker.traffic import Assignment
from scale_app.worker.worker_roster import PATIENCE_S, ForkedProcess

log = logging.getLogger("scale worker")
PORT_DIGITS = 8
COORDINATOR_SILENT_S = 3.0
"""A coordinator asks for counts twice a second. One that does not is gone, and nobody would stop the load."""
LOCAL_COORDINATOR_SILENT_S = 60.0
"""The system ends us with a coordinator of this machine. One that lives and is silent was stopped, and may go on."""
LOOK_EVERY_S = 0.25
EXIT_WITHOUT_COORDINATOR = 4


class WorkerProcess:
    """From its joining to its end."""

    def __init__(self, assignment: Assignment, host: str, port: int, local: bool) -> None:
        """Joins the coordinator at once. local: it is our parent process.

        Raises PlanError or ValueError for an assignment that cannot be done here.
        """
        self._engine = engine_of(assignment)
        environment = self._engine.environment
        # Without options of its own Locust would look for them in files of the folder that it is in.
        environment.parsed_options = environment.parsed_options or Namespace(web_base_path="")
        outlive_master()
        self._runner = environment.create_worker_runner(host, port)
        self._say = self._runner.send_message
        self._parent = os.getppid()
        self._local = local
        self._began_s = inf
        self._patience_s = LOCAL_COORDINATOR_SILENT_S if local else COORDINATOR_SILENT_S
        self._silent_s, self._heard_s = 0.0, time.monotonic()
        self._over = Event()
        watch_for_faults(environment, self._broken, ours=not assignment.plan.locustfile)
        hear(self._runner, count=self._count, arrivals=self._follow, finish=self._finish, bye=self._bye)

    def serve(self) -> None:
        """Returns when the coordinator says goodbye; ends the process when it says nothing any more."""
        self._engine.begin()
        gevent.signal_handler(signal.SIGTERM, self._leave)
        self._say("joined", {"pid": os.getpid(), "host": socket.gethostname()})
        gevent.spawn(self._watch_coordinator)
        self._over.wait()

    def _count(self, msg: Message, **_: object) -> None:
        self._silent_s, self._heard_s = 0.0, time.monotonic()
        accept_next_spawn(self._runner)
        self._say("counted", {"n": msg.data["n"], "sample": to_json(self._engine.sample())})

    def _follow(self, msg: Message, **_: object) -> None:
        order, now_s = from_json(ArrivalOrder, msg.data["arrivals"]), time.monotonic()
        # On the way a word only takes longer, never shorter: the earliest begin that was heard of is the nearest to it.
        self._began_s = order.began_s if self._local else min(self._began_s, now_s - order.at_s)
        self._engine.follow(order.leg, self._began_s, order.share)

    def _finish(self, msg: Message, **_: object) -> None:
        self._engine.drain()
        self._say("finished", {"sample": to_json(self._engine.sample())})

    def _bye(self, **_: object) -> None:
        self._over.set()

    def _leave(self) -> None:
        """Asked to go before the run is over: the coordinator moves our users first, then tells us to finish."""
        self._say("leaving", {})

    def _broken(self, sentence: str) -> None:
        self._say("broken", {"sentence": sentence})

    def _watch_coordinator(self) -> None:
        """Our own standstill is no silence of the coordinator's, but a remote one has given us up meanwhile."""
        waited = WaitClock(LOOK_EVERY_S, time.monotonic())
        while self._silent_s < self._patience_s and os.getppid() == self._parent and not self._given_up():
            gevent.sleep(LOOK_EVERY_S)
            self._silent_s += waited.passed_s(time.monotonic())
        os._exit(EXIT_WITHOUT_COORDINATOR)

    def _given_up(self) -> bool:
        """Others have our users when a coordinator of another machine has not heard us for so long."""
        return not self._local and time.monotonic() - self._heard_s >= PATIENCE_S["unknown"]


def fork(life: Callable[[], None], ended: Callable[[ForkedProcess], None]) -> ForkedProcess:
    """A process that lives this life and dies with us. ended: called in a greenlet when it has exited."""
    parent, child = os.getpid(), ForkedProcess()

    def exited(watcher: Any) -> None:
        code = os.waitstatus_to_exitcode(watcher.rstatus)
        child.exited = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        gevent.spawn(ended, child)  # this is a callback of the event loop, which must not wait for anything

    child.pid = fork_and_watch(exited)
    if child.pid == 0:
        _live(life, parent)
    return child


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


class LocalProcesses:
    """The plan's worker processes of this machine; each waits until it is told where its coordinator is."""

    def __init__(self, assignment: Assignment, owner_pipe: int, ended: Callable[[ForkedProcess], None]) -> None:
        """Forks at once: nothing else may have begun in this process. owner_pipe: closed in them, so that it ends
        with us. ended: called when one has exited."""
        gc.collect()
        gc.freeze()
        self.all: list[ForkedProcess] = []
        self._tell: list[int] = []
        for _ in range(assignment.plan.processes):
            self._fork(assignment, owner_pipe, ended)

    def join(self, host: str, port: int) -> None:
        """Let them join the coordinator that listens there."""
        for tell in self._tell:
            with contextlib.suppress(BrokenPipeError):
                os.write(tell, f"{port:<{PORT_DIGITS}}{host}".encode())
            os.close(tell)

    def _fork(self, assignment: Assignment, owner_pipe: int, ended: Callable[[ForkedProcess], None]) -> None:
        hear, tell = os.pipe()

        def life() -> None:
            os.close(owner_pipe)
            for inherited in (*self._tell, tell):
                os.close(inherited)
            said = os.read(hear, 1_024).decode()
            if said:
                WorkerProcess(assignment, said[PORT_DIGITS:], int(said[:PORT_DIGITS]), local=True).serve()

        self.all.append(fork(life, ended))
        os.close(hear)
        self._tell.append(tell)
