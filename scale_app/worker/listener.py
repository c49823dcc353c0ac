"""Where the worker processes of a run find their coordinator, which keys they must hold, and who is admitted."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import locust
import zmq
from locust.env import Environment
from locust.rpc import Message

from scale_app.codec import to_json
from scale_app.settings import load_worker_listener
from scale_app.worker.encrypted_sockets import Keys, fresh_keys, keys_of
from scale_app.worker.executor import CannotBegin
from scale_app.worker.locust_compat import Master, hear
from scale_app.worker.traffic import Assignment

LOOPBACK = "127.0.0.1"
EVERYWHERE = ("0.0.0.0", "::", "*")
PROMISE_KEPT_S = 10.0
PACKAGE = Path(__file__).parents[1]
SHARED = ("codec/*.py", "child_process/*.py", "domain/**/*.py", "worker/*.py")


@dataclass(frozen=True, slots=True)
class Listener:
    """host, port: where the coordinator listens; port 0 for any."""

    keys: Keys
    host: str
    port: int

    @property
    def local(self) -> str:
        """The address for processes of this machine."""
        return LOOPBACK if self.host in EVERYWHERE else self.host

    def open(self, environment: Environment) -> Master:
        """The master, listening. Raises CannotBegin."""
        try:
            return Master(environment, self.host, self.port)
        except zmq.ZMQError as error:
            raise CannotBegin(
                f"Workers of other machines cannot be met at {self.host}:{self.port} ({error}): another run with such "
                "workers is going on, or SCALE_WORKER_LISTEN names an address that this machine does not have."
            ) from None

    def nobody_came(self, came: int, within_s: float) -> str:
        """A sentence for a run that lacks workers of other machines."""
        return (
            f"Only {came} of the workers of other machines that the plan asks for joined at {self.host}:{self.port} "
            f"within {within_s:g} s: start `scale worker --master` there, with the same secret and the same version."
        )


def listener_for(remote_workers: int) -> Listener:
    """Open to holders of the installation's secret when the plan wants them, else to this run's own processes only.

    Raises CannotBegin.
    """
    if not remote_workers:
        return Listener(fresh_keys(), LOOPBACK, 0)
    listener = load_worker_listener()
    if not listener.listen:
        raise CannotBegin("Workers of other machines were asked for, but SCALE_WORKER_LISTEN is not set here.")
    host, _, port = listener.listen.rpartition(":")
    return Listener(keys_of(listener.secret), host.strip("[]"), int(port))


class WorkerAdmission:
    """Gives the assignment to as many remote worker processes as are missing. Only holders of the keys get here."""

    def __init__(self, assignment: Assignment, master: Master, missing: Callable[[], int]) -> None:
        """missing: how many processes of other machines the run lacks now."""
        self._assignment = to_json(assignment)
        self._master = master
        self._missing = missing
        self._promised_until_s: list[float] = []
        hear(master, hello=self._hello)

    def arrived(self) -> None:
        """One of those that were given the assignment has joined."""
        if self._promised_until_s:
            self._promised_until_s.pop(0)

    def _hello(self, msg: Message, **_: object) -> None:
        theirs, ours = str(msg.data["version"]), code_version()
        if theirs != ours:
            refusal = f"This worker runs {theirs}, its master {ours}: put the same version of Scale on both."
            self._master.send_message("refused", {"sentence": refusal}, msg.node_id)
            return
        now_s = time.monotonic()
        self._promised_until_s = [until_s for until_s in self._promised_until_s if until_s > now_s]
        places = min(int(msg.data["processes"]), self._missing() - len(self._promised_until_s))
        if places > 0:
            self._promised_until_s += [now_s + PROMISE_KEPT_S] * places
            self._master.send_message("assignment", {"assignment": self._assignment, "places": places}, msg.node_id)
        else:
            self._master.send_message("full", None, msg.node_id)


@cache
def code_version() -> str:
    """Of Locust, and of what coordinator and workers must have in common."""
    digest = hashlib.sha256()
    for path in sorted(path for pattern in SHARED for path in PACKAGE.glob(pattern)):
        digest.update(path.relative_to(PACKAGE).as_posix().encode())
        digest.update(path.read_bytes())
    return f"Locust {locust.__version__}, code {digest.hexdigest()[:12]}"
