"""Several senders of one run, led from here: Locust's master. Their counts are one, and a dead one's users move on."""

from __future__ import annotations

import time
from collections.abc import Callable
from signal import SIGKILL
from typing import Any

import gevent  # type: ignore[import-untyped]
from gevent.event import Event  # type: ignore[import-untyped]
from locust.env import Environment
from locust.rpc import Message

from scale_app.child_process.watchdog import Lookout
from scale_app.codec import from_json, to_json
from scale_app.domain.samples import GeneratorNotice, Sample, TrafficSample
from scale_app.domain.timetable import Leg
from scale_app.worker.arrival_shares import Dealer
from scale_app.worker.engine import DRAIN_SPARE_S
from scale_app.worker.executor import CannotBegin
from scale_app.worker.listener import Reception, door_for
from scale_app.worker.merge import Books
from scale_app.worker.sealed import seal
from scale_app.worker.traffic import Job
from scale_app.worker.worker_process import LocalHands
from scale_app.worker.worker_roster import PATIENCE_S, Forked, Member, Members

JOIN_WITHIN_S = 20.0
ASK_EVERY_S = 0.5
ANSWER_WITHIN_S = 0.4
LOOK_EVERY_S = 0.1
REPORT_SPARE_S = 5.0
FAREWELL_S = 0.05


class Crew:
    """See force.Force. say, give_up: where notices, and what ends the run, are told."""

    def __init__(
        self,
        job: Job,
        environment: Environment,
        owner_pipe: int,
        say: Callable[[Sample], None],
        give_up: Callable[[str], None],
    ) -> None:
        """Forks at once: nothing else may have begun in this process. Raises CannotBegin."""
        self._plan = job.plan
        self._say = say
        self._give_up = give_up
        self._books = Books()
        self._members = Members()
        self._changed = Event()
        self._asked = 0
        self._asked_at_s = 0.0
        self._goal: tuple[int, float] | None = None
        self._arrivals = Dealer(job.plan.pattern)
        self._begun = False
        self._finishing = False
        self._door = door_for(job.plan.remote_workers)
        seal(self._door.keys)
        self._local = LocalHands(job, owner_pipe, self._exited)
        self._master = self._door.open(environment)
        self._reception = Reception(job, self._master, self._missing)
        for kind, heed in {
            "joined": self._joined,
            "counted": self._counted,
            "leaving": self._leaves,
            "finished": self._finished,
            "broken": self._broken,
        }.items():
            # Concurrent, so that what goes wrong in it reaches `watch_for_faults` and not a log of Locust's.
            self._master.register_message(kind, heed, concurrent=True)

    # -- what the session asks

    def begin(self) -> None:
        """Wait until every process has joined. Raises CannotBegin."""
        self._local.join(self._door.near, self._master.port)
        gevent.spawn(self._keep_asking)
        self._await(self._all_decided, JOIN_WITHIN_S)
        wanted, came = len(self._local.all), self._members.near()
        if came < wanted:
            why = next((forked.exited for forked in self._local.all if forked.exited), "the machine is too busy")
            raise CannotBegin(f"Only {came} of {wanted} load-generating processes became ready ({why}).")
        if self._missing():
            raise CannotBegin(self._door.nobody_came(self._members.far(), JOIN_WITHIN_S))
        self._begun = True
        gevent.spawn(self._keep_looking)

    def start(self, user_count: int, spawn_rate: float) -> None:
        self._goal = (user_count, spawn_rate)
        self._master.start(user_count, spawn_rate)

    def follow(self, leg: Leg, began_s: float) -> None:
        self._arrivals.follow(leg, began_s)
        self._deal()

    def sample(self) -> TrafficSample:
        """The sum of what all have counted by now; of one that does not answer at once, what it said last."""
        self._ask()
        asked = self._asked
        self._await(lambda: all(m.finished or m.answered >= asked for m in self._members.living), ANSWER_WITHIN_S)
        return self._books.total(time.monotonic(), len(self._members.living), self._members.gone)

    def drain(self) -> None:
        self._finishing = True
        self._master.halt()
        self._tell(self._members.living, "finish")
        within_s = self._plan.timeout_s + DRAIN_SPARE_S + REPORT_SPARE_S
        self._await(lambda: all(m.finished for m in self._members.living), within_s)
        for member in [m for m in self._members.living if not m.finished]:
            self._lose(member, "did not report when the load was over")
        self._tell(self._members.living, "bye")
        gevent.sleep(FAREWELL_S)

    # -- what members say

    def _joined(self, msg: Message, **_: object) -> None:
        pid = msg.data["pid"]
        forked = next((forked for forked in self._local.all if forked.pid == pid), None)
        where = "" if forked else str(msg.data["host"])
        self._members.add(msg.node_id, where, forked)
        if where:
            self._reception.arrived()
        self._changed.set()
        if self._begun and not self._finishing:
            self._notice(f"A load-generating process on {where} joined.")
            self._share_out()

    def _counted(self, msg: Message, **_: object) -> None:
        member = self._members.named(msg.node_id)
        if member is not None and not member.finished:
            self._books.take(member.number, from_json(TrafficSample, msg.data["sample"]))
            member.answered = msg.data["n"]
            self._changed.set()

    def _leaves(self, msg: Message, **_: object) -> None:
        """It was asked to end by its own machine: its users move first, then it finishes what it has in flight."""
        member = self._members.named(msg.node_id)
        if member is None or member.leaving or self._finishing:
            return
        member.leaving = True
        self._master.forget(member.name)
        left = len(self._members.working)
        if left == 0:
            self._give_up("The last load-generating process was asked to end, so the run had to end too.")
            return
        self._notice(member.befell("was asked to end", left))
        self._share_out()
        self._tell([member], "finish")

    def _finished(self, msg: Message, **_: object) -> None:
        member = self._members.named(msg.node_id)
        if member is None or member.gone:
            return
        self._books.take(member.number, from_json(TrafficSample, msg.data["sample"]))
        member.finished = True
        self._changed.set()
        if not self._finishing:
            self._tell([member], "bye")
            self._part_with(member)

    def _broken(self, msg: Message, **_: object) -> None:
        self._give_up(msg.data["sentence"])

    # -- who is there

    def _missing(self) -> int:
        """Processes of other machines that the plan asks for and that are not here."""
        return 0 if self._finishing else self._plan.remote_workers - self._members.far()

    def _all_decided(self) -> bool:
        complete = self._members.near() >= len(self._local.all) and not self._missing()
        return complete or any(forked.exited for forked in self._local.all)

    def _exited(self, forked: Forked) -> None:
        """The system says so, at once."""
        for member in self._members.living:
            if member.forked is forked:
                self._lose(member, f"ended ({forked.exited})")
        self._changed.set()

    def _keep_looking(self) -> None:
        """A process that hangs sends no heartbeats."""
        while not self._finishing:
            gevent.sleep(LOOK_EVERY_S)
            for member in self._members.working:
                if member.silence.too_long(self._master.silent_s(member.name), member.standing):
                    self._lose(member, "stopped answering")
            self._forget_strangers()

    def _forget_strangers(self) -> None:
        """Those that died before they had joined, but to whom Locust has given users."""
        for name in self._master.names():
            if self._members.named(name) is None and self._master.silent_s(name) >= PATIENCE_S["unknown"]:
                self._master.forget(name)
                self._share_out()

    def _lose(self, member: Member, how: str) -> None:
        if member.gone or member.finished:
            return
        self._part_with(member)
        self._master.forget(member.name)
        if member.forked is not None:
            member.forked.signal(SIGKILL)
        left = len(self._members.working)
        if left == 0:
            self._give_up(f"The last load-generating process {how}, so the run had to end.")
            return
        self._share_out()
        missing = "What it had reported stays counted; answers that it got in its last half second are missing."
        self._notice(f"{member.befell(how, left, moved=not self._finishing)} {missing}")

    def _part_with(self, member: Member) -> None:
        member.gone = True
        self._books.gone(member.number)

    def _notice(self, sentence: str) -> None:
        if self._begun:  # the owner's first word is whether the run can begin
            self._say(GeneratorNotice(time.monotonic(), sentence))

    # -- talking to members

    def _share_out(self) -> None:
        """Users and arrivals among those that are there now."""
        self._arrivals.deal_anew(time.monotonic())
        self._deal()
        if self._goal is not None and not self._finishing:
            self._master.start(*self._goal)

    def _deal(self) -> None:
        working = self._members.working
        for place, member in enumerate(working):
            if (pace := self._arrivals.pace(place, len(working), time.monotonic())) is not None:
                self._tell([member], "pace", {"pace": to_json(pace)})

    def _keep_asking(self) -> None:
        while True:
            if time.monotonic() - self._asked_at_s >= ASK_EVERY_S / 2:
                self._ask()
            gevent.sleep(ASK_EVERY_S)

    def _ask(self) -> None:
        self._asked += 1
        self._asked_at_s = time.monotonic()
        self._tell(self._members.living, "count", {"n": self._asked})

    def _tell(self, members: list[Member], kind: str, data: dict[str, Any] | None = None) -> None:
        for member in members:
            self._master.send_message(kind, data, member.name)

    def _await(self, true: Callable[[], bool], within_s: float) -> None:
        """Return when it is true, or when the time is over; we may stand still ourselves meanwhile."""
        lookout = Lookout(LOOK_EVERY_S, time.monotonic())
        while not true() and within_s > 0:
            self._changed.clear()
            self._changed.wait(min(within_s, LOOK_EVERY_S))
            within_s -= lookout.passed_s(time.monotonic())
