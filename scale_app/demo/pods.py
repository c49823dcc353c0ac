"""The demo's pods, and the balancer that picks one: the one decision that makes the demo's balance."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from itertools import product
from random import Random
from typing import Protocol

from scale_app.domain.demo import Fault, Policy
from scale_app.domain.samples import PodSeen

SLOW_ANSWER_S = 0.150
FAILING_SHARE = 0.30
ONE_AT_A_TIME_S = 0.008
WORK_BESIDE_FAST_FAILURES_S = 0.020

NODES = ("node-a", "node-b", "node-c")
CLIENT_NODE = NODES[0]

REASONS = {200: "OK", 400: "Bad Request", 500: "Internal Server Error"}

NAME_PREFIX = "demo-6d9f7c5b8-"
SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"  # Kubernetes' own: no vowels, no digits that look like letters
SUFFIX_LENGTH = 5


class Link(Protocol):
    """A client's connection to a pod."""

    def reset(self) -> None:
        """Cut it at once with a TCP reset."""

    def drain(self) -> None:
        """End it after the request in flight."""


class DemoPod:
    """A pod behind the balancer: its name, its prebuilt answers, its connections, and its own count of answers.

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


class PodNames:
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


class Balancer:
    """Picks a pod by the policy in force, which may change between two picks."""

    def __init__(self, policy: Policy, rng: Random) -> None:
        self.policy = policy
        self._rng = rng
        self._turn = -1
        self._picks = {
            Policy.RANDOM: self._random,
            Policy.ROUND_ROBIN: self._round_robin,
            Policy.LEAST_CONNECTIONS: self._least_connections,
            Policy.SOURCE_STICKY: self._source_sticky,
            Policy.WEIGHTED: self._weighted,
            Policy.SOURCE_HASH: self._source_sticky,
            Policy.LOCAL: self._random,
            Policy.PREFER_SAME_NODE: self._random,
            Policy.LAYER7_ROUND_ROBIN: self._round_robin,
        }

    @property
    def per_request(self) -> bool:
        """True when the policy picks a pod for each request, as a layer-7 proxy does."""
        return self.policy is Policy.LAYER7_ROUND_ROBIN

    def reachable(self, pods: Sequence[DemoPod]) -> list[DemoPod]:
        """Those of the ready pods that the policy lets the client reach; the client is on CLIENT_NODE."""
        if self.policy not in (Policy.LOCAL, Policy.PREFER_SAME_NODE):
            return list(pods)
        near = [pod for pod in pods if pod.node == CLIENT_NODE]
        return near if near or self.policy is Policy.LOCAL else list(pods)

    def pick(self, pods: Sequence[DemoPod], client_address: str) -> DemoPod:
        """One of the pods, which are reachable and at least one."""
        return self._picks[self.policy](pods, client_address)

    def _random(self, pods: Sequence[DemoPod], _: str) -> DemoPod:
        return self._rng.choice(pods)

    def _round_robin(self, pods: Sequence[DemoPod], _: str) -> DemoPod:
        self._turn = (self._turn + 1) % len(pods)
        return pods[self._turn]

    def _least_connections(self, pods: Sequence[DemoPod], _: str) -> DemoPod:
        fewest = min(len(pod.links) for pod in pods)
        return self._rng.choice([pod for pod in pods if len(pod.links) == fewest])

    def _source_sticky(self, pods: Sequence[DemoPod], client_address: str) -> DemoPod:
        # The highest of one hash per pod: when a pod goes, only its own clients move to another.
        return max(pods, key=lambda pod: blake2b(f"{client_address} {pod.name}".encode(), digest_size=8).digest())

    def _weighted(self, pods: Sequence[DemoPod], _: str) -> DemoPod:
        return self._rng.choices(pods, [pod.share for pod in pods])[0]


def answer(status: int, pod: str, *, head_only: bool, connection: str) -> bytes:
    """A complete answer of a pod, ready to be written."""
    body = "" if status == 200 else f"{status} {REASONS[status]} "
    body += f"from {pod}\n"
    lines = [
        f"HTTP/1.1 {status} {REASONS[status]}",
        f"X-Pod-Name: {pod}",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(body)}",
    ]
    if connection:
        lines.append(f"Connection: {connection}")
    return ("\r\n".join(lines) + "\r\n\r\n" + ("" if head_only else body)).encode()
