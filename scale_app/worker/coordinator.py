"""Leads the worker processes of one run, as Locust's master: adds up their counters, moves the users of a dead one."""

from __future__ import annotations

import time
from collections.abc import Callable
from signal import SIGKILL
from typing import Any

import gevent
from gevent.event import Event
from locust.env import Environment
from locust.rpc import Message

from scale_app.child_process import WaitClock
from scale_app.codec import from_json, to_json
from scale_app.domain.samples import GeneratorNotice, Sample, TrafficSample
from scale_app.domain.timetable import Leg
from scale_app.worker.engine import DRAIN_SPARE_S
from scale_app.worker.listener import Listener, WorkerAdmission, encrypt_sockets
from scale_app.worker.locust_compat import hear
from scale_app.worker.steering import ArrivalSplitter, CannotBegin
from scale_app.worker.traffic import Assignment
from scale_app.worker.worker_process import LocalProcesses
from scale_app.worker.worker_roster import PATIENCE_S, ForkedProcess, MergedCounters, RosterEntry, WorkerRoster

JOIN_WITHIN_S = 20.0
ASK_EVERY_S = 0.5
ANSWER_WITHIN_S = 0.4
LOOK_EVERY_S = 0.1
REPORT_SPARE_S = 5.0
FAREWELL_S = 0.05


class Coordinator:
    """See steering.Executor. say, give_up: where notices, and what ends the run, are told."""

    def __init__(
        self,
        assignment: Assignment,
        listener: Listener,
        environment: Environment,
        owner_pipe: int,
        say: Callable[[Sample], None],
        give_up: Callable[[str], None],
    ) -> None:
        """Forks at once: nothing else may have begun in this process. listener: where its processes are met.

        Raises CannotBegin.
        """
        self._plan = assignment.plan
        self._say = say
        self._give_up = give_up
        self._merged = MergedCounters()
        self._roster = WorkerRoster()
        self._changed = Event()
        self._asked = 0
        self._asked_at_s = 0.0
        self._goal: tuple[int, float] | None = None
        self._arrivals = ArrivalSplitter(assignment.plan.pattern)
        self._begun = False
        self._finishing = False
        self._listener = listener
        encrypt_sockets(self._listener.keys)
        self._local = LocalProcesses(assignment, owner_pipe, self._exited)
        self._master = self._listener.open(environment)
        self._admission = WorkerAdmission(assignment, self._master, self._missing)
        hear(
            self._master,
            joined=self._joined,
            counted=self._counted,
            leaving=self._leaves,
            finished=self._finished,
            broken=lambda msg, **_: give_up(msg.data["sentence"]),
        )

    # -- what the run asks

    def begin(self) -> None:
        """Wait until every process has joined. Raises CannotBegin."""
        self._local.join(self._listener.local, self._master.port)
        gevent.spawn(self._keep_asking)
        self._await(self._all_decided, JOIN_WITHIN_S)
        wanted, came = len(self._local.all), self._roster.local()
        if came < wanted:
            why = next((child.exited for child in self._local.all if child.exited), "the machine is too busy")
            raise CannotBegin(f"Only {came} of {wanted} worker processes became ready ({why}).")
        if self._missing():
            raise CannotBegin(self._listener.nobody_came(self._roster.remote(), JOIN_WITHIN_S))
        self._begun = True
        gevent.spawn(self._keep_looking)

    def start(self, user_count: int, spawn_rate: float) -> None:
        self._goal = (user_count, spawn_rate)
        self._master.start(user_count, spawn_rate)

    def follow(self, leg: Leg, began_s: float) -> None:
        self._arrivals.follow(leg, began_s)
        self._split_arrivals()

    def sample(self) -> TrafficSample:
        """The sum of what all have counted by now; a process that does not answer at once keeps its last count."""
        self._ask()
        asked = self._asked
        self._await(lambda: all(m.finished or m.answered >= asked for m in self._roster.living), ANSWER_WITHIN_S)
        return self._merged.total(time.monotonic(), len(self._roster.living), self._roster.gone)

    def drain(self) -> None:
        self._finishing = True
        self._master.halt()
        self._tell(self._roster.living, "finish")
        within_s = self._plan.timeout_s + DRAIN_SPARE_S + REPORT_SPARE_S
        self._await(lambda: all(m.finished for m in self._roster.living), within_s)
        for process in [m for m in self._roster.living if not m.finished]:
            self._lose(process, "did not report when the load was over")
        self._tell(self._roster.living, "bye")
        gevent.sleep(FAREWELL_S)

    # -- what worker processes say

    def _joined(self, msg: Message, **_: object) -> None:
        pid = msg.data["pid"]
        child = next((child for child in self._local.all if child.pid == pid), None)
        where = "" if child else str(msg.data["host"])
        self._roster.add(msg.node_id, where, child)
        if where:
            self._admission.arrived()
        self._changed.set()
        if self._begun and not self._finishing:
            self._notice(f"A worker process on {where} joined.")
            self._distribute()

    def _counted(self, msg: Message, **_: object) -> None:
        process = self._roster.named(msg.node_id)
        if process is not None and not process.finished:
            self._merged.take(process.number, from_json(TrafficSample, msg.data["sample"]))
            process.answered = msg.data["n"]
            self._changed.set()

    def _leaves(self, msg: Message, **_: object) -> None:
        """It was asked to end by its own machine: its users move first, then it finishes what it has in flight."""
        process = self._roster.named(msg.node_id)
        if process is None or process.leaving or self._finishing:
            return
        process.leaving = True
        self._master.forget(process.name)
        left = len(self._roster.working)
        if left == 0:
            self._give_up("The last worker process was asked to end, so the run ended too.")
            return
        self._notice(process.sentence("was asked to end", left))
        self._distribute()
        self._tell([process], "finish")

    def _finished(self, msg: Message, **_: object) -> None:
        process = self._roster.named(msg.node_id)
        if process is None or process.gone:
            return
        self._merged.take(process.number, from_json(TrafficSample, msg.data["sample"]))
        process.finished = True
        self._changed.set()
        if not self._finishing:
            self._tell([process], "bye")
            self._part_with(process)

    # -- who is there

    def _missing(self) -> int:
        """Processes of other machines that the plan asks for and that are not here."""
        return 0 if self._finishing else self._plan.remote_workers - self._roster.remote()

    def _all_decided(self) -> bool:
        complete = self._roster.local() >= len(self._local.all) and not self._missing()
        return complete or any(child.exited for child in self._local.all)

    def _exited(self, child: ForkedProcess) -> None:
        """The system says so, at once."""
        for process in self._roster.living:
            if process.child is child:
                self._lose(process, f"ended ({child.exited})")
        self._changed.set()

    def _keep_looking(self) -> None:
        """A process that hangs sends no heartbeats."""
        while not self._finishing:
            gevent.sleep(LOOK_EVERY_S)
            for process in self._roster.working:
                if process.silence.too_long(self._master.silent_s(process.name), process.state):
                    self._lose(process, "stopped answering")
            self._forget_unknown()

    def _forget_unknown(self) -> None:
        """Those that died before they had joined, but to whom Locust has given users."""
        for name in self._master.names():
            if self._roster.named(name) is None and self._master.silent_s(name) >= PATIENCE_S["unknown"]:
                self._master.forget(name)
                self._distribute()

    def _lose(self, process: RosterEntry, how: str) -> None:
        if process.gone or process.finished:
            return
        self._part_with(process)
        self._master.forget(process.name)
        if process.child is not None:
            process.child.signal(SIGKILL)
        left = len(self._roster.working)
        if left == 0:
            self._give_up(f"The last worker process {how}, so the run ended.")
            return
        self._distribute()
        missing = "Its reports stay counted; its answers of the last half second are missing."
        self._notice(f"{process.sentence(how, left, moved=not self._finishing)} {missing}")

    def _part_with(self, process: RosterEntry) -> None:
        process.gone = True
        self._merged.gone(process.number)

    def _notice(self, sentence: str) -> None:
        if self._begun:  # the owner's first word is whether the run can begin
            self._say(GeneratorNotice(time.monotonic(), sentence))

    # -- talking to worker processes

    def _distribute(self) -> None:
        """Users and arrivals among those that are there now."""
        self._arrivals.split_anew(time.monotonic())
        self._split_arrivals()
        if self._goal is not None and not self._finishing:
            self._master.start(*self._goal)

    def _split_arrivals(self) -> None:
        working = self._roster.working
        for place, process in enumerate(working):
            if (order := self._arrivals.order_for(place, len(working), time.monotonic())) is not None:
                self._tell([process], "arrivals", {"arrivals": to_json(order)})

    def _keep_asking(self) -> None:
        while True:
            if time.monotonic() - self._asked_at_s >= ASK_EVERY_S / 2:
                self._ask()
            gevent.sleep(ASK_EVERY_S)

    def _ask(self) -> None:
        self._asked += 1
        self._asked_at_s = time.monotonic()
        self._tell(self._roster.living, "count", {"n": self._asked})

    def _tell(self, processes: list[RosterEntry], kind: str, data: dict[str, Any] | None = None) -> None:
        for process in processes:
            self._master.send_message(kind, data, process.name)

    def _await(self, true: Callable[[], bool], within_s: float) -> None:
        """Return when it is true, or when the time is over; we may stand still ourselves meanwhile."""
        waited = WaitClock(LOOK_EVERY_S, time.monotonic())
        while not true() and within_s > 0:
            self._changed.clear()
            self._changed.wait(min(within_s, LOOK_EVERY_S))
            within_s -= waited.passed_s(time.monotonic())
