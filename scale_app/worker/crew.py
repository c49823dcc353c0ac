"""Several senders of one run, led from here: Locust's master. Their counts are one, and a dead one's users move on."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import gevent  # type: ignore[import-untyped]
from gevent.event import Event  # type: ignore[import-untyped]
from locust.env import Environment
from locust.rpc import Message

from scale_app.codec import from_json
from scale_app.domain.plan import LoadPlan
from scale_app.domain.samples import GeneratorNotice, Sample, TrafficSample
from scale_app.worker.engine import DRAIN_SPARE_S
from scale_app.worker.force import CannotBegin
from scale_app.worker.fork import LOOPBACK, Forked, fork_hands
from scale_app.worker.job import Job
from scale_app.worker.master import Master
from scale_app.worker.merge import Books
from scale_app.worker.sealed import fresh_keys, seal

JOIN_WITHIN_S = 15.0
ASK_EVERY_S = 0.5
ANSWER_WITHIN_S = 0.4
LOOK_EVERY_S = 0.1
REPORT_SPARE_S = 1.0


@dataclass(slots=True)
class _Member:
    """name: Locust's for it. answered: the last question for counts that it answered."""

    number: int
    name: str
    forked: Forked | None
    answered: int = 0
    finished: bool = False
    lost: bool = False


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
        """Forks at once: nothing else may have begun in this process."""
        self._plan: LoadPlan = job.plan
        self._say = say
        self._give_up = give_up
        self._books = Books()
        self._members: dict[str, _Member] = {}
        self._changed = Event()
        self._asked = 0
        self._asked_at_s = 0.0
        self._goal: tuple[int, float] | None = None
        self._rate_per_s = 0.0
        self._finishing = False
        seal(fresh_keys())
        self._forked = fork_hands(job, owner_pipe, self._exited)
        self._master = Master.of(environment, LOOPBACK, 0)
        for kind, heed in {
            "joined": self._joined,
            "counted": self._counted,
            "finished": self._finished,
            "broken": self._broken,
        }.items():
            self._master.register_message(kind, heed, concurrent=True)

    # -- what the session asks

    def begin(self) -> None:
        """Wait until every process has joined. Raises CannotBegin."""
        for forked in self._forked:
            forked.join(self._master.port)
        gevent.spawn(self._keep_asking)
        self._await(self._all_decided, JOIN_WITHIN_S)
        if len(self._living()) < len(self._forked):
            ended = next((forked.exited for forked in self._forked if forked.exited), "it did not answer")
            raise CannotBegin(
                f"Only {len(self._living())} of {len(self._forked)} load-generating processes became ready ({ended})."
            )
        gevent.spawn(self._keep_looking)

    def start(self, user_count: int, spawn_rate: float) -> None:
        self._goal = (user_count, spawn_rate)
        self._master.start(user_count, spawn_rate)

    def set_rate(self, rate_per_s: float) -> None:
        if rate_per_s != self._rate_per_s:
            self._rate_per_s = rate_per_s
            self._share_rate()

    def sample(self) -> TrafficSample:
        """The sum of what all have counted by now; of one that does not answer at once, what it said last."""
        self._ask()
        asked = self._asked
        self._await(lambda: all(m.finished or m.answered >= asked for m in self._living()), ANSWER_WITHIN_S)
        lost = sum(member.lost for member in self._members.values())
        return self._books.total(time.monotonic(), len(self._members) - lost, lost)

    def drain(self) -> None:
        self._finishing = True
        self._master.halt()
        self._tell_all("finish")
        within_s = self._plan.timeout_s + DRAIN_SPARE_S + REPORT_SPARE_S
        self._await(lambda: all(m.finished for m in self._living()), within_s)
        for member in [m for m in self._living() if not m.finished]:
            self._lose(member, "did not report when the load was over")
        self._tell_all("bye")

    def _all_decided(self) -> bool:
        return len(self._members) >= len(self._forked) or any(forked.exited for forked in self._forked)

    # -- what members say

    def _joined(self, msg: Message, **_: object) -> None:
        pid = msg.data["pid"]
        forked = next((forked for forked in self._forked if forked.pid == pid), None)
        self._members[msg.node_id] = _Member(len(self._members), msg.node_id, forked)
        self._changed.set()

    def _counted(self, msg: Message, **_: object) -> None:
        member = self._members.get(msg.node_id)
        if member is not None and not member.finished:
            self._books.take(member.number, from_json(TrafficSample, msg.data["sample"]))
            member.answered = msg.data["n"]
            self._changed.set()

    def _finished(self, msg: Message, **_: object) -> None:
        member = self._members[msg.node_id]
        self._books.take(member.number, from_json(TrafficSample, msg.data["sample"]))
        member.finished = True
        self._changed.set()

    def _broken(self, msg: Message, **_: object) -> None:
        self._give_up(msg.data["sentence"])

    # -- who is alive

    def _living(self) -> list[_Member]:
        return [member for member in self._members.values() if not member.lost]

    def _exited(self, forked: Forked) -> None:
        """The system says so, at once."""
        for member in self._living():
            if member.forked is forked and not member.finished:
                self._lose(member, f"ended ({forked.exited})")
        self._changed.set()

    def _keep_looking(self) -> None:
        """A process that hangs misses Locust's heartbeats."""
        while not self._finishing:
            gevent.sleep(LOOK_EVERY_S)
            for member in self._living():
                if self._master.misses(member.name) and not self._finishing:
                    self._lose(member, "stopped answering")

    def _lose(self, member: _Member, how: str) -> None:
        member.lost = True
        self._books.gone(member.number)
        self._master.forget(member.name)
        if member.forked is not None:
            member.forked.kill()
        left = len(self._living())
        if left == 0:
            self._give_up(f"The last load-generating process {how}, so the run had to end.")
            return
        self._say(GeneratorNotice(time.monotonic(), self._sentence(how, left)))
        self._share_rate()
        if self._goal is not None and not self._finishing:
            self._master.start(*self._goal)

    def _sentence(self, how: str, left: int) -> str:
        moved = "" if self._finishing else f" Its users were moved to the {left} that are left."
        return (
            f"One of {left + 1} load-generating processes {how}.{moved} What it had reported stays counted; "
            f"answers that it got in its last half second are missing."
        )

    # -- talking to members

    def _keep_asking(self) -> None:
        while True:
            if time.monotonic() - self._asked_at_s >= ASK_EVERY_S / 2:
                self._ask()
            gevent.sleep(ASK_EVERY_S)

    def _ask(self) -> None:
        self._asked += 1
        self._asked_at_s = time.monotonic()
        self._tell_all("count", {"n": self._asked})

    def _share_rate(self) -> None:
        living = self._living()
        self._tell_all("pace", {"rate_per_s": self._rate_per_s / max(1, len(living))})

    def _tell_all(self, kind: str, data: dict[str, float] | None = None) -> None:
        for member in self._living():
            self._master.send_message(kind, data, member.name)

    def _await(self, true: Callable[[], bool], within_s: float) -> None:
        """Return when it is true, or when the time is over."""
        until_s = time.monotonic() + within_s
        while not true() and (left_s := until_s - time.monotonic()) > 0:
            self._changed.clear()
            self._changed.wait(left_s)
