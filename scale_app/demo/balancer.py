"""Which pod gets a connection or request: the one decision that makes the balance of the demo."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from random import Random

from scale_app.demo.pods import CLIENT_NODE, Pod
from scale_app.domain.demo import Policy


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

    def reachable(self, pods: Sequence[Pod]) -> list[Pod]:
        """Those of the ready pods that the policy lets the client reach; the client is on CLIENT_NODE."""
        if self.policy not in (Policy.LOCAL, Policy.PREFER_SAME_NODE):
            return list(pods)
        near = [pod for pod in pods if pod.node == CLIENT_NODE]
        return near if near or self.policy is Policy.LOCAL else list(pods)

    def pick(self, pods: Sequence[Pod], client_address: str) -> Pod:
        """One of the pods, which are reachable and at least one."""
        return self._picks[self.policy](pods, client_address)

    def _random(self, pods: Sequence[Pod], _: str) -> Pod:
        return self._rng.choice(pods)

    def _round_robin(self, pods: Sequence[Pod], _: str) -> Pod:
        self._turn = (self._turn + 1) % len(pods)
        return pods[self._turn]

    def _least_connections(self, pods: Sequence[Pod], _: str) -> Pod:
        fewest = min(len(pod.links) for pod in pods)
        return self._rng.choice([pod for pod in pods if len(pod.links) == fewest])

    def _source_sticky(self, pods: Sequence[Pod], client_address: str) -> Pod:
        # The highest of one hash per pod: when a pod goes, only its own clients move to another.
        return max(pods, key=lambda pod: blake2b(f"{client_address} {pod.name}".encode(), digest_size=8).digest())

    def _weighted(self, pods: Sequence[Pod], _: str) -> Pod:
        return self._rng.choices(pods, [pod.share for pod in pods])[0]
