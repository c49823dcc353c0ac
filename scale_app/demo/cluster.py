"""The demo's state: its pods, the balancer before them, and every change that people can make to them.

The balancer's pick is the one decision that makes the demo's balance. Nothing here knows sockets or clocks:
connections and delayed calls come in from outside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from itertools import product
from random import Random
from typing import Protocol

from scale_app.domain.cluster import ServiceSettings
from scale_app.domain.demo import DemoChange, DemoStatus, Fault, Policy
from scale_app.domain.errors import PlanError
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
DEFAULT_PODS = 5
DEFAULT_WEIGHT = 3.0
REPLACEMENT_READY_S = 2.0


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
        if self.fault is Fault.FAST_FAILING_POD:
            return 500
        return 500 if self.fault is Fault.FAILING_POD and rng.random() < FAILING_SHARE else 200


def pod_names(seed: int) -> Iterator[str]:
    """Pod names as a Deployment gives them, the same sequence for the same seed, none twice."""
    rng, used = Random(seed), set[str]()
    while True:
        name = NAME_PREFIX + "".join(rng.choices(SUFFIX_LETTERS, k=SUFFIX_LENGTH))
        if name not in used:
            used.add(name)
            yield name


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


class DelayedCall(Protocol):
    def cancel(self) -> None:
        """Never make the call."""


Later = Callable[[float, Callable[[], None]], DelayedCall]


class PodCluster:
    """Pods in places. Place 0 is "the first pod": it has the fault and the weight, and so has its replacement.

    Places go to the nodes in turn.

    later(delay_s, call) makes a call once after a delay. on_ready is told when a replacement has become ready.
    """

    def __init__(self, names: Iterator[str], rng: Random, later: Later, on_ready: Callable[[], None]) -> None:
        self.rng = rng
        self._names = names
        self._later = later
        self._on_ready = on_ready
        self._balancer = Balancer(Policy.RANDOM, rng)
        self._fault = Fault.NONE
        self._weight = DEFAULT_WEIGHT
        self._departed: list[DemoPod] = []
        self._starting: dict[DemoPod, DelayedCall] = {}
        self._pods = [self._new_pod(place, ready=True) for place in range(DEFAULT_PODS)]
        self._settle()

    def pick(self, client_address: str) -> DemoPod | None:
        """The pod for a new connection or request, or None while no ready pod can be reached."""
        return self._balancer.pick(self._reachable, client_address) if self._reachable else None

    @property
    def per_request(self) -> bool:
        """True when a pod is picked for each request."""
        return self._balancer.per_request

    def status(self, url: str) -> DemoStatus:
        """The demo now, as it is shown."""
        policy = self._balancer.policy
        shares = {pod: pod.share if policy is Policy.WEIGHTED else 1.0 for pod in self._pods}
        return DemoStatus(
            url=url,
            policy=policy,
            fault=self._fault,
            weight=self._weight,
            pods=tuple(PodSeen(pod.name, pod.node, pod.ready, weight) for pod, weight in shares.items()),
            answered=self.answered(),
            service=self._service(),
        )

    def answered(self) -> dict[str, int]:
        """Requests that each pod has answered, dead pods included."""
        return {pod.name: pod.answered for pod in self._departed + self._pods}

    def _service(self) -> ServiceSettings:
        policy = self._balancer.policy
        return ServiceSettings(
            session_affinity="ClientIP" if policy is Policy.SOURCE_STICKY else "None",
            internal_traffic_policy="Local" if policy is Policy.LOCAL else "Cluster",
            traffic_distribution="PreferSameNode" if policy is Policy.PREFER_SAME_NODE else "",
            client_node=CLIENT_NODE,
            weights={pod.name: pod.share for pod in self._pods} if policy is Policy.WEIGHTED else {},
        )

    def change(self, change: DemoChange) -> None:
        """Make all of a change, or nothing of it. Raises PlanError when there is no pod of the name to kill."""
        doomed = None if change.kill_pod is None else self._named(change.kill_pod)
        if change.policy is not None:
            self._balancer.policy = change.policy
        if change.fault is not None:
            self._fault = change.fault
        if change.weight is not None:
            self._weight = change.weight
        if doomed is not None:
            self._replace(doomed)
        if change.pods is not None:
            self._scale(change.pods)
        self._settle()

    def _settle(self) -> None:
        """Derive what connections look at from the places and settings."""
        for place, pod in enumerate(self._pods):
            pod.fault = self._fault if place == 0 else Fault.NONE
            pod.share = self._weight if place == 0 else 1.0
            beside = place > 0 and self._fault is Fault.FAST_FAILING_POD
            pod.work_s = WORK_BESIDE_FAST_FAILURES_S if beside else 0.0
        self._reachable = self._balancer.reachable([pod for pod in self._pods if pod.ready])

    def _named(self, name: str) -> DemoPod:
        for pod in self._pods:
            if pod.name == name:
                return pod
        raise PlanError("kill_pod", name, f"give the name of a pod that runs, such as {self._pods[0].name}")

    def _new_pod(self, place: int, *, ready: bool) -> DemoPod:
        return DemoPod(next(self._names), ready=ready, node=NODES[place % len(NODES)])

    def _replace(self, pod: DemoPod) -> None:
        self._depart(pod)
        for link in tuple(pod.links):
            link.reset()
        place = self._pods.index(pod)
        successor = self._pods[place] = self._new_pod(place, ready=False)
        self._starting[successor] = self._later(REPLACEMENT_READY_S, lambda: self._make_ready(successor))

    def _scale(self, pods: int) -> None:
        while len(self._pods) > pods:
            pod = self._pods.pop()
            self._depart(pod)
            for link in tuple(pod.links):
                link.drain()
        while len(self._pods) < pods:
            self._pods.append(self._new_pod(len(self._pods), ready=True))

    def _depart(self, pod: DemoPod) -> None:
        pod.ready = False
        self._departed.append(pod)
        if start := self._starting.pop(pod, None):
            start.cancel()

    def _make_ready(self, pod: DemoPod) -> None:
        del self._starting[pod]
        pod.ready = True
        self._settle()
        self._on_ready()
