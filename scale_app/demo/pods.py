"""One pod of the demo: its name, its prebuilt answers, its connections, and its own count of answers."""

from __future__ import annotations

from itertools import product
from random import Random
from typing import Protocol

from scale_app.demo.http1 import REASONS, answer
from scale_app.domain.demo import Fault
from scale_app.domain.samples import PodSeen

SLOW_ANSWER_S = 0.150
FAILING_SHARE = 0.30
ONE_AT_A_TIME_S = 0.008
WORK_BESIDE_FAST_FAILURES_S = 0.020

NODES = ("node-a", "node-b", "node-c")
CLIENT_NODE = NODES[0]

NAME_PREFIX = "demo-6d9f7c5b8-"
SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"  # Kubernetes' own: no vowels, no digits that look like letters
SUFFIX_LENGTH = 5


class Link(Protocol):
    """A client's connection to a pod."""

    def reset(self) -> None:
        """Cut it at once with a TCP reset."""

    def drain(self) -> None:
        """End it after the request in flight."""


class Pod:
    """A pod behind the balancer.

    answered: requests whose answer it has written. share: its weight under WEIGHTED. work_s: time that it needs for
    an answer when it is healthy. busy_until_s: when it will have answered all that it has taken, if one at a time.
    """

    __slots__ = ("answered", "answers", "busy_until_s", "fault", "links", "name", "node", "ready", "share", "work_s")

    def __init__(self, name: str, *, ready: bool, node: str = "") -> None:
        self.name = name
        self.node = node
        self.ready = ready
        self.fault = Fault.NONE
        self.share = 1.0
        self.work_s = 0.0
        self.busy_until_s = 0.0
        self.answered = 0
        self.links: set[Link] = set()
        self.answers = {
            (status, head_only, connection): answer(status, name, head_only=head_only, connection=connection)
            for status, head_only, connection in product(REASONS, (False, True), ("", "close", "keep-alive"))
        }

    @property
    def delay_s(self) -> float:
        """How long it works on an answer."""
        if self.fault is Fault.OVERLOADED_POD:
            return ONE_AT_A_TIME_S
        return SLOW_ANSWER_S if self.fault is Fault.SLOW_POD else self.work_s

    def take(self, now_s: float) -> float:
        """Take a request now; seconds until its answer, those before it in the queue included."""
        if self.fault is not Fault.OVERLOADED_POD:
            return self.delay_s
        self.busy_until_s = max(now_s, self.busy_until_s) + self.delay_s
        return self.busy_until_s - now_s

    def status(self, rng: Random) -> int:
        """The status of its next answer."""
        if self.fault is Fault.FAST_FAILING_POD:
            return 500
        return 500 if self.fault is Fault.FAILING_POD and rng.random() < FAILING_SHARE else 200

    def seen(self) -> PodSeen:
        """The pod as a directory lists it: meant to get the same share as the others, whatever the policy does."""
        return PodSeen(self.name, self.node, ready=self.ready)


class Names:
    """Pod names as a Deployment gives them, the same sequence for the same seed, none twice."""

    def __init__(self, seed: int) -> None:
        self._rng = Random(seed)
        self._used: set[str] = set()

    def new(self) -> str:
        """A name that was never given before."""
        while True:
            name = NAME_PREFIX + "".join(self._rng.choices(SUFFIX_LETTERS, k=SUFFIX_LENGTH))
            if name not in self._used:
                self._used.add(name)
                return name
