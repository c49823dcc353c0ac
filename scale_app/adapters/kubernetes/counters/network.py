"""Estimates shares by the bytes that each pod's network received, as the kubelets tell."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from scale_app.adapters.kubernetes.client import ClusterClient
from scale_app.adapters.kubernetes.counters.polling import AtPods, Counts
from scale_app.domain.errors import CountingFailed, ScaleError, named
from scale_app.domain.plan import LoadPlan
from scale_app.domain.samples import CountsSample
from scale_app.domain.source import Source
from scale_app.ports import Admitted
from scale_app.readings.network import PodBytes, received_bytes

log = logging.getLogger(__name__)
EVERY_S = 2.0
SUMMARY_LIMIT_S = 5.0


@dataclass(frozen=True, slots=True)
class NetworkShare(AtPods):
    """Fulfils RequestCounter, approximately."""

    every_s: float = EVERY_S

    async def counts(self, plan: LoadPlan, target: Admitted, sent: Callable[[], int]) -> Counts:
        """See RequestCounter."""
        first = True
        async with self.pods_of(plan, target) as pods:
            while True:
                now = pods.now()
                began_s = self.clock.monotonic_s()
                nodes = sorted({pod.node for pod in now.values() if pod.node})
                seen, problem = await _look(pods.cluster, nodes, pods.service.namespace)
                got = {name: seen[name] for name in now if name in seen}
                if first and now and not got:
                    raise CountingFailed(problem or "The kubelets tell nothing of the pods' networks. Count otherwise.")
                first = False
                yield self._sample(began_s, got, tuple(name for name in now if name not in got), problem)
                await asyncio.sleep(self.every_s)

    def _sample(self, began_s: float, got: dict[str, PodBytes], unread: tuple[str, ...], problem: str) -> CountsSample:
        clock = self.clock
        oldest_s = min((each.measured_at_epoch_s for each in got.values()), default=clock.epoch_s())
        return CountsSample(
            began_s,
            Source.NETWORK,
            {name: each.received for name, each in got.items()},
            unread=unread,
            took_s=clock.monotonic_s() - began_s,
            lag_s=max(0.0, clock.epoch_s() - oldest_s),
            approximate=True,
            problem=problem,
        )


async def _look(cluster: ClusterClient, nodes: list[str], namespace: str) -> tuple[dict[str, PodBytes], str]:
    """{pod name: bytes} of all these nodes, and a sentence for the first that did not answer."""
    answers = await asyncio.gather(*(_of_node(cluster, node, namespace) for node in nodes))
    seen = {name: each for of_node, _ in answers for name, each in of_node.items()}
    return seen, next((problem for _, problem in answers if problem), "")


async def _of_node(cluster: ClusterClient, node: str, namespace: str) -> tuple[dict[str, PodBytes], str]:
    try:
        summary = await cluster.get(f"/api/v1/nodes/{node}/proxy/stats/summary", limit_s=SUMMARY_LIMIT_S)
        return received_bytes(summary, namespace), ""
    except ScaleError as error:
        return {}, str(error)
    except Exception as error:
        log.exception("the network's bytes at the node %s could not be read", node)
        return {}, f"Reading the node {node} failed by an error that Scale did not foresee ({named(error)})."
