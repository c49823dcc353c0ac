"""The demo's state: its pods, the balancer before them, and every change that people can make to them.

It knows neither sockets nor clocks: connections and delayed calls come in from outside.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Protocol

from scale_app.demo.pods import CLIENT_NODE, NODES, WORK_BESIDE_FAST_FAILURES_S, Balancer, DemoPod, PodNames
from scale_app.domain.cluster import ServiceSettings
from scale_app.domain.demo import DemoChange, DemoStatus, Fault, Policy
from scale_app.domain.errors import PlanError

DEFAULT_PODS = 5
DEFAULT_WEIGHT = 3.0
REPLACEMENT_READY_S = 2.0


class DelayedCall(Protocol):
    def cancel(self) -> None:
        """Never make the call."""


Later = Callable[[float, Callable[[], None]], DelayedCall]


class PodCluster:
    """Pods in places. Place 0 is "the first pod": it has the fault and the weight, and so has its replacement.

    Places go to the nodes in turn.

    later(delay_s, call) makes a call once after a delay. on_ready is told when a replacement has become ready.
    """

    def __init__(self, names: PodNames, rng: Random, later: Later, on_ready: Callable[[], None]) -> None:
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
        return DemoStatus(
            url=url,
            policy=self._balancer.policy,
            fault=self._fault,
            weight=self._weight,
            pods=tuple(pod.seen() for pod in self._pods),
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
        return DemoPod(self._names.new(), ready=ready, node=NODES[place % len(NODES)])

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
