"""Watches the pods of a run's Service: every change in them, and in what decides who of them gets work.

Who should share the work is decided by the EndpointSlices' ready conditions alone. The phase of a pod says something
else: a running pod may not be ready, and a pod that is asked to end still runs.

Only the EndpointSlices are needed. What else the account may watch makes the story fuller; what it may not is named
once, and the run goes on without. A cluster that cannot be asked for a while costs no run: what was seen last stands,
the run says so, and the lists are read again when it is back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from scale_app.adapters.kubernetes import objects
from scale_app.adapters.kubernetes.catalog import serves
from scale_app.adapters.kubernetes.client import ClusterClient, Json
from scale_app.adapters.kubernetes.leading import read_leading, read_proxy_mode
from scale_app.adapters.kubernetes.list_watch import ListWatch, Timing, listed
from scale_app.adapters.kubernetes.route_splits import follow_split
from scale_app.adapters.kubernetes.service_objects import ServiceObjects
from scale_app.adapters.kubernetes.split_pods import SplitWatch
from scale_app.domain.cluster import NO_CLUSTER, ServiceRef
from scale_app.domain.errors import ClusterForbidden, ClusterUnavailable, TargetUnavailable, named
from scale_app.domain.samples import PodsLost, PodsSample, PodUsage, Sample
from scale_app.domain.source import METRICS
from scale_app.ports import Admitted, Clock

T = TypeVar("T")
log = logging.getLogger(__name__)
NOT_SEEN = "No longer visible because of an unexpected error ({error}): {what}."
NEEDED = "needed"
ClusterOf = Callable[[ServiceRef], ClusterClient]


@dataclass(frozen=True, slots=True)
class WatchTiming(Timing):
    """usage_every_s: between two looks at CPU and memory; leading_every_s: at Ingresses, routes and kube-proxy;
    routes_every_s: at the routes, for one that a run goes through; while one shares its requests, more often.

    Changes that come within the longer of together_s and together_s_per_pod are told together: 1,000 pods that start
    are not 1,000 lists of 1,000 pods, each of which is looked through and kept.
    """

    together_s: float = 0.1
    together_s_per_pod: float = 0.001
    usage_every_s: float = 15.0
    leading_every_s: float = 30.0
    routes_every_s: float = 2.0


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
        cluster, every_s = self.cluster_of(target.service), self.timing.routes_every_s
        splits = follow_split(cluster, target, target.service, every_s)
        watch = SplitWatch(target.service, partial(self._watch, target), self.clock)
        async with aclosing(watch.samples(splits)) as samples:
            async for sample in samples:
                yield sample

    def _watch(self, target: Admitted, service: ServiceRef) -> AsyncGenerator[Sample, None]:
        return Watch(self.cluster_of(service), target, service, self.client_node, self.timing).samples(self.clock)


class Watch:
    """One run's watch: a list-and-watch loop for each kind of object, and what they say put together."""

    def __init__(
        self, cluster: ClusterClient, target: Admitted, service: ServiceRef, client_node: str, timing: WatchTiming
    ) -> None:
        self._cluster = cluster
        self._target = target
        self._namespace, self._name = service.namespace, service.name
        self._client_node = client_node
        self._timing = timing
        self._changed = asyncio.Event()
        self._service_settled = asyncio.Event()
        self._missing: dict[str, str] = {}
        self._troubles: dict[str, str] = {}
        self._usage: dict[str, PodUsage] | None = None
        self._leading: tuple[str, ...] | None = None
        self._proxy_mode = ""
        label = {"labelSelector": f"{objects.SERVICE_LABEL}={service.name}"}
        named = {"fieldSelector": f"metadata.name={service.name}"}
        self._slices = self._list_watch("apis/discovery.k8s.io/v1", "endpointslices", objects.endpoint_slice, label)
        self._services = self._list_watch("api/v1", "services", objects.service, named)
        self._pods = self._list_watch("api/v1", "pods", objects.pod)
        self._nodes = ListWatch(cluster, "/api/v1/nodes", objects.node, timing=timing)
        self._deployments = self._list_watch("apis/apps/v1", "deployments", objects.workload("Deployment"))
        self._stateful = self._list_watch("apis/apps/v1", "statefulsets", objects.workload("StatefulSet"))
        self._optional: Mapping[ListWatch[Any], str] = {
            self._services: "the Service's settings",
            self._pods: "pods that are created, restarted or terminated",
            self._nodes: "nodes that join, leave or fail",
            self._deployments: "the scaling of Deployments",
            self._stateful: "the scaling of StatefulSets",
        }

    async def samples(self, clock: Clock) -> AsyncGenerator[Sample, None]:
        """For ever. Raises ClusterForbidden."""
        last: PodsSample | None = None
        lost = ""
        async with self._following() as needed:
            while True:
                await self._changed.wait()
                self._changed.clear()
                if needed.done():
                    needed.result()  # raises: a loop that is allowed never ends
                if trouble := self._troubles.get(NEEDED, ""):
                    if trouble != lost:
                        yield PodsLost(clock.monotonic_s(), f"The pods shown are those seen last. {trouble}")
                    lost = trouble
                elif self._complete():
                    sample = self._objects().sample(clock.monotonic_s())
                    if lost or last is None or replace(last, at_s=sample.at_s) != sample:
                        yield sample
                    last, lost = sample, ""
                    together_s = len(sample.pods) * self._timing.together_s_per_pod
                    await asyncio.sleep(max(self._timing.together_s, together_s))

    @asynccontextmanager
    async def _following(self) -> AsyncIterator[asyncio.Task[None]]:
        """All kinds are followed; gives the task that follows the one kind that is needed."""
        needed = asyncio.create_task(self._slices.follow(self._wake, partial(self._note, NEEDED)))
        needed.add_done_callback(lambda _: self._changed.set())
        others = [asyncio.create_task(self._follow(kind, what)) for kind, what in self._optional.items()]
        others += [asyncio.create_task(self._follow_usage()), asyncio.create_task(self._follow_leading())]
        try:
            yield needed
        finally:
            for task in (needed, *others):
                task.cancel()
            await asyncio.gather(needed, *others, return_exceptions=True)

    def _complete(self) -> bool:
        """True when every kind was listed once, or cannot be: a story that begins while it is read is no news."""
        return self._slices.known and self._leading is not None and all(map(self._settled, self._optional))

    def _settled(self, kind: ListWatch[Any]) -> bool:
        return kind.known or kind.path in self._missing or kind.path in self._troubles

    def _objects(self) -> ServiceObjects:
        workloads = [*self._deployments.objects.values(), *self._stateful.objects.values()]
        return ServiceObjects(
            endpoints=objects.endpoints_of(self._slices.objects.values()),
            service=next(iter(self._services.objects.values()), None),
            pods=list(self._pods.objects.values()) if self._pods.known else None,
            nodes=list(self._nodes.objects.values()) if self._nodes.known else None,
            workloads=workloads if self._deployments.known or self._stateful.known else None,
            usage=self._usage,
            client_node=self._client_node,
            missing=" ".join(filter(None, (self._lacking(), *self._troubles.values()))),
            url=self._target.url,
            networks=self._target.networks,
            leading=self._leading or (),
            proxy_mode=self._proxy_mode,
        )

    def _list_watch(
        self, api: str, kind: str, read: Callable[[Json], T], query: Mapping[str, str] | None = None
    ) -> ListWatch[T]:
        path = f"/{api}/namespaces/{self._namespace}/{kind}"
        return ListWatch(self._cluster, path, read, query, self._timing)

    async def _follow(self, kind: ListWatch[Any], what: str) -> None:
        try:
            if kind is self._pods:
                await self._select_pods()
            await kind.follow(self._wake, partial(self._note, kind.path))
        except ClusterForbidden as error:
            self._missing[kind.path] = f"{what} ({error.rule})"
            self._wake()
        except Exception as error:
            log.exception("%s are no longer watched", what)
            self._note(kind.path, NOT_SEEN.format(what=what, error=named(error)))

    def _lacking(self) -> str:
        """One sentence for all rights that are missing, "" for none."""
        listed = ", ".join(self._missing.values())
        return f"Not visible in this run because permissions are missing: {listed}." if listed else ""

    async def _select_pods(self) -> None:
        """Those that the Service selects; all of the namespace when the Service cannot be read."""
        await self._service_settled.wait()
        for service in self._services.objects.values():
            if service.selector:
                labels = ",".join(f"{name}={value}" for name, value in sorted(service.selector.items()))
                self._pods.query["labelSelector"] = labels

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
        return dict(filter(None, map(objects.usage, items)))

    async def _follow_leading(self) -> None:
        while True:
            try:
                self._proxy_mode = await read_proxy_mode(self._cluster, self._client_node)
                self._leading = await read_leading(self._cluster, self._namespace, self._name)
            except ClusterUnavailable:  # what was read last stands
                self._leading = self._leading or ()
            except Exception:
                log.exception("what leads to the Service could not be read")
                self._leading = self._leading or ()
            self._wake()
            await asyncio.sleep(self._timing.leading_every_s)

    def _note(self, path: str, trouble: str) -> None:
        self._troubles[path] = trouble
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        if self._settled(self._services):
            self._service_settled.set()
