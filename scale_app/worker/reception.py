"""Where workers of other machines present themselves: the master's side of `join`."""

from __future__ import annotations

import time
from collections.abc import Callable

from locust.rpc import Message

from scale_app.codec import to_json
from scale_app.worker.job import Job
from scale_app.worker.master import Master
from scale_app.worker.version import code_version

PROMISE_KEPT_S = 10.0


class Reception:
    """Gives the job to as many processes of other machines as are missing. Strangers do not get as far as this."""

    def __init__(self, job: Job, master: Master, missing: Callable[[], int]) -> None:
        """missing: how many processes of other machines the run lacks now."""
        self._job = to_json(job)
        self._master = master
        self._missing = missing
        self._promised_until_s: list[float] = []
        master.register_message("hello", self._hello, concurrent=True)

    def arrived(self) -> None:
        """One of those that were given the job has joined."""
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
            self._master.send_message("job", {"job": self._job, "places": places}, msg.node_id)
        else:
            self._master.send_message("full", None, msg.node_id)
