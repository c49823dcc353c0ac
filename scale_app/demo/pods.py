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
    """A pod behind the balancer. answered: requests whose answer it has written. share: its weight under WEIGHTED."""

    __slots__ = ("answered", "answers", "fault", "links", "name", "ready", "share")

    def __init__(self, name: str, *, ready: bool) -> None:
        self.name = name
        self.ready = ready
        self.fault = Fault.NONE
        self.share = 1.0
        self.answered = 0
        self.links: set[Link] = set()
        self.answers = {
            (status, head_only, connection): answer(status, name, head_only=head_only, connection=connection)
            for status, head_only, connection in product(REASONS, (False, True), ("", "close", "keep-alive"))
        }

    @property
    def delay_s(self) -> float:
        """How long it thinks before each answer."""
        return SLOW_ANSWER_S if self.fault is Fault.SLOW_POD else 0.0

    def status(self, rng: Random) -> int:
        """The status of its next answer."""
        return 500 if self.fault is Fault.FAILING_POD and rng.random() < FAILING_SHARE else 200

    def seen(self) -> PodSeen:
        """The pod as a directory lists it: meant to get the same share as the others, whatever the policy does."""
        return PodSeen(self.name, ready=self.ready)


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
