"""Watches the pods of a run's Service: every change in them, and in what decides who of them gets work.

Only the EndpointSlices are needed. What else the account may watch makes the story fuller; what it may not is named
once, and the run goes on without. A cluster that cannot be asked for a while costs no run: what was seen last stands,
the run says so, and the lists are read again when it is back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from scale_app.adapters.kubernetes import objects
from scale_app.adapters.kubernetes.catalog import serves
from scale_app.adapters.kubernetes.client import ClusterClient, Json
from scale_app.adapters.kubernetes.list_watch import ListWatch, Timing, listed
from scale_app.adapters.kubernetes.pods_sample import ServiceObjects
from scale_app.domain.cluster import NO_CLUSTER, ServiceRef
from scale_app.domain.errors import ClusterForbidden, ClusterUnavailable, TargetUnavailable, named
from scale_app.domain.samples import PodsLost, PodsSample, PodUsage, Sample
from scale_app.domain.source import METRICS
from scale_app.ports import Admitted, Clock

T = TypeVar("T")
log = logging.getLogger(__name__)
NOT_SEEN = "Not seen any more because of an error that Scale did not foresee ({error}): {what}."
NEEDED = "needed"
USAGE_EVERY_S = 15.0
TOGETHER_S = 0.1
TOGETHER_S_PER_POD = 0.001
"""Changes that come within the longer of the two are told together: 1,000 pods that start are not 1,000 lists of
1,000 pods, each of which is looked through and kept."""

ClusterOf = Callable[[ServiceRef], ClusterClient]


@dataclass(frozen=True, slots=True)
class WatchTiming(Timing):
    """together_s, together_s_per_pod: see TOGETHER_S_PER_POD. usage_every_s: between two looks at CPU and memory."""

    together_s: float = TOGETHER_S
    together_s_per_pod: float = TOGETHER_S_PER_POD
    usage_every_s: float = USAGE_EVERY_S


@dataclass(frozen=True, slots=True)
class KubernetesPods:
    """Fulfils PodDirectory for targets with a Service. cluster_of: raises ClusterUnavailable for an unknown context."""

    cluster_of: ClusterOf
    clock: Clock
    client_node: str = ""
    timing: WatchTiming = WatchTiming()

    async def watch(self, target: Admitted) -> AsyncGenerator[Sample, None]:
        """See PodDirectory. Raises ClusterForbidden when the account may not watch EndpointSlices."""
        if target.service is None:
            raise TargetUnavailable(NO_CLUSTER)
        watch = Watch(self.cluster_of(target.service), target.service, self.client_node, self.timing)
        async with aclosing(watch.samples(self.clock)) as samples:
            async for sample in samples:
                yield sample


class Watch:
    """One run's watch: a list-and-watch loop for each kind of object, and what they say put together."""

    def __init__(self, cluster: ClusterClient, service: ServiceRef, client_node: str, timing: WatchTiming) -> None:
        self._cluster = cluster
        self._namespace = service.namespace
        self._client_node = client_node
        self._timing = timing
        self._changed = asyncio.Event()
        self._service_settled = asyncio.Event()
        self._missing: dict[str, str] = {}
        self._troubles: dict[str, str] = {}
        self._usage: dict[str, PodUsage] | None = None
        label = {"labelSelector": f"{objects.SERVICE_LABEL}={service.name}"}
        named = {"fieldSelector": f"metadata.name={service.name}"}
        self._slices = self._list_watch("apis/discovery.k8s.io/v1", "endpointslices", objects.endpoint_slice, label)
        self._services = self._list_watch("api/v1", "services", objects.service, named)
        self._pods = self._list_watch("api/v1", "pods", objects.pod)
        self._nodes = ListWatch(cluster, "/api/v1/nodes", objects.node, timing=timing)
        self._deployments = self._list_watch("apis/apps/v1", "deployments", objects.workload("Deployment"))
        self._stateful = self._list_watch("apis/apps/v1", "statefulsets", objects.workload("StatefulSet"))

    async def samples(self, clock: Clock) -> AsyncGenerator[Sample, None]:
        """For ever. Raises ClusterForbidden."""
        needed = asyncio.create_task(self._slices.follow(self._wake, partial(self._note, NEEDED)))
        others = [asyncio.create_task(work) for work in self._others()]
        try:
            async with aclosing(self._told(clock, needed)) as told:
                async for sample in told:
                    yield sample
        finally:
            for task in (needed, *others):
                task.cancel()
            await asyncio.gather(needed, *others, return_exceptions=True)

    def _others(self) -> tuple[Coroutine[None, None, None], ...]:
        return (
            self._follow("the Service's settings", self._services),
            self._follow_pods(),
            self._follow("nodes that come, go or fail", self._nodes),
            self._follow("the scaling of Deployments", self._deployments),
            self._follow("the scaling of StatefulSets", self._stateful),
            self._follow_usage(),
        )

    async def _told(self, clock: Clock, needed: asyncio.Task[None]) -> AsyncGenerator[Sample, None]:
        last: PodsSample | None = None
        lost = ""
        while True:
            await self._next_change(needed)
            trouble = self._troubles.get(NEEDED, "")
            if trouble:
                if trouble != lost:
                    yield PodsLost(clock.monotonic_s(), f"The pods shown are those seen last. {trouble}")
                lost = trouble
            elif self._complete():
                sample = self._objects().sample(clock.monotonic_s())
                if lost or last is None or replace(last, at_s=sample.at_s) != sample:
                    yield sample
                last, lost = sample, ""
                await asyncio.sleep(max(self._timing.together_s, len(sample.pods) * self._timing.together_s_per_pod))

    async def _next_change(self, needed: asyncio.Task[None]) -> None:
        changed = asyncio.create_task(self._changed.wait())
        try:
            await asyncio.wait((changed, needed), return_when=asyncio.FIRST_COMPLETED)
        finally:
            changed.cancel()
            await asyncio.gather(changed, return_exceptions=True)
        if needed.done():
            needed.result()  # raises: a loop that is allowed never ends
        self._changed.clear()

    def _complete(self) -> bool:
        """True when every kind was listed once, or cannot be: a story that begins while it is read is no news."""
        settled = {**self._missing, **self._troubles}
        return self._slices.known and all(kind.known or kind.path in settled for kind in self._optional())

    def _optional(self) -> tuple[ListWatch[Any], ...]:
        return self._services, self._pods, self._nodes, self._deployments, self._stateful

    def _objects(self) -> ServiceObjects:
        workloads = [*self._deployments.objects.values(), *self._stateful.objects.values()]
        return ServiceObjects(
            slices=list(self._slices.objects.values()),
            service=next(iter(self._services.objects.values()), None),
            pods=list(self._pods.objects.values()) if self._pods.known else None,
            nodes=list(self._nodes.objects.values()) if self._nodes.known else None,
            workloads=workloads if self._deployments.known or self._stateful.known else None,
            usage=self._usage,
            client_node=self._client_node,
            missing=" ".join([*self._lacking(), *(text for text in self._troubles.values() if text)]),
        )

    def _list_watch(
        self, api: str, kind: str, read: Callable[[Json], T], query: Mapping[str, str] | None = None
    ) -> ListWatch[T]:
        path = f"/{api}/namespaces/{self._namespace}/{kind}"
        return ListWatch(self._cluster, path, read, query, self._timing)

    async def _follow(self, what: str, kind: ListWatch[Any]) -> None:
        try:
            await kind.follow(self._wake, partial(self._note, kind.path))
        except ClusterForbidden as error:
            self._missing[kind.path] = f"{what} ({error.rule})"
            self._wake()
        except Exception as error:
            log.exception("%s are not watched any more", what)
            self._note(kind.path, NOT_SEEN.format(what=what, error=named(error)))

    def _lacking(self) -> list[str]:
        """One sentence for all rights that are missing."""
        listed = ", ".join(self._missing.values())
        return [f"Not seen in this run, for lack of rights: {listed}."] if listed else []

    async def _follow_pods(self) -> None:
        """Those that the Service selects; all of the namespace when the Service cannot be read."""
        await self._service_settled.wait()
        for service in self._services.objects.values():
            if service.selector:
                labels = ",".join(f"{name}={value}" for name, value in sorted(service.selector.items()))
                self._pods.query["labelSelector"] = labels
        await self._follow("pods that are made, restarted or asked to end", self._pods)

    async def _follow_usage(self) -> None:
        path = f"/apis/{METRICS}/v1beta1/namespaces/{self._namespace}/pods"
        while True:
            try:
                self._usage = await self._used(path)
            except ClusterUnavailable:  # few clusters have no metrics server; it may also come later
                self._usage = None
            except Exception:
                log.exception("CPU and memory of the pods could not be read")
                self._usage = None
            self._wake()
            await asyncio.sleep(self._timing.usage_every_s)

    async def _used(self, path: str) -> dict[str, PodUsage] | None:
        """None when the account may not see it, which is said where there is something to see."""
        try:
            items, _ = await listed(self._cluster, path)
        except ClusterForbidden as error:
            if await serves(self._cluster, METRICS):
                self._missing[path] = f"CPU and memory of the pods ({error.rule})"
            return None
        self._missing.pop(path, None)
        return dict(used for item in items for used in _usage(item))

    def _note(self, path: str, trouble: str) -> None:
        self._troubles[path] = trouble
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        if self._services.known or self._services.path in {**self._missing, **self._troubles}:
            self._service_settled.set()


def _usage(item: Json) -> Iterator[tuple[str, PodUsage]]:
    with suppress(ValueError):
        name, cores, memory = objects.usage(item)
        yield name, PodUsage(round(cores, 3), memory)
