"""Which pod gets a new connection: the one decision that makes the balance of the demo."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from random import Random

from scale_app.demo.pods import Pod
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
        }

    def pick(self, pods: Sequence[Pod], client_address: str) -> Pod:
        """One of the pods, which are ready and at least one."""
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
