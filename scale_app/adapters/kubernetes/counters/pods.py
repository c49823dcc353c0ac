"""The pods to count at: those behind a Service, as they come and go, with what a reader needs to reach them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from scale_app.adapters.kubernetes.client import ClusterClient, Json
from scale_app.adapters.kubernetes.list_watch import ListWatch, listed
from scale_app.adapters.kubernetes.objects import (
    SERVICE_LABEL,
    Endpoint,
    dicts_at,
    endpoint_slice,
    int_at,
    labels_at,
    list_at,
    text_at,
)
from scale_app.domain.cluster import ServiceRef
from scale_app.domain.errors import ClusterForbidden, CountingFailed

log = logging.getLogger(__name__)
MOST_PORTS = 4
KNOWN_WITHIN_S = 10.0
DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"


@dataclass(frozen=True, slots=True)
class CountedPod:
    """A pod of the Service. ports: on which it serves the Service's requests. ending: it was asked to end.

    What follows `ending` is empty when the account may not list pods. containers: each one's name and ports.
    main_container: as the pod says. metrics_*: where its annotations and port names say that its Prometheus page is.
    """

    namespace: str
    name: str
    uid: str = ""
    ip: str = ""
    node: str = ""
    ports: tuple[int, ...] = ()
    ending: bool = False
    restarts: int = 0
    containers: tuple[tuple[str, tuple[int, ...]], ...] = ()
    main_container: str = ""
    metrics_ports: tuple[int, ...] = ()
    metrics_path: str = ""

    @property
    def path(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/pods/{self.name}"

    @property
    def container(self) -> str:
        """The container that serves one of the ports; the main one; the first; "" when none is known."""
        serving = (name for name, own in self.containers if set(own) & set(self.ports))
        first = self.containers[0][0] if self.containers else ""
        return next(serving, "") or self.main_container or first


class TargetPods:
    """`async with` keeps `now` as the cluster has it. Raises CountingFailed, ClusterForbidden, ClusterUnavailable."""

    def __init__(self, cluster: ClusterClient, service: ServiceRef) -> None:
        base = f"/namespaces/{service.namespace}"
        of_service = {"labelSelector": f"{SERVICE_LABEL}={service.name}"}
        self.cluster = cluster
        self.service = service
        slices = f"/apis/discovery.k8s.io/v1{base}/endpointslices"
        self._slices = ListWatch(cluster, slices, endpoint_slice, of_service)
        self._pods = ListWatch(cluster, f"/api/v1{base}/pods", _pod)
        self._known = asyncio.Event()
        self._now: Mapping[str, CountedPod] | None = None
        self._trouble = ""
        self._tasks: list[asyncio.Task[None]] = []
        self.changed = asyncio.Event()

    async def __aenter__(self) -> TargetPods:
        needed = asyncio.create_task(self._slices.follow(self._wake, self._note))
        needed.add_done_callback(lambda _: self._known.set())
        self._tasks = [needed, asyncio.create_task(self._follow_details())]
        try:
            await asyncio.wait_for(self._known.wait(), KNOWN_WITHIN_S)
            if needed.done():
                await needed
        except TimeoutError:
            await self._end()
            late = f"The cluster did not list the pods within {KNOWN_WITHIN_S:g} s."
            raise CountingFailed(self._trouble or late) from None
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._end()

    def now(self) -> Mapping[str, CountedPod]:
        """{pod name: pod}, whether ready or not: a pod on its way out still answers.

        Raises what ended the watch of them, if it was not that it is not allowed: the list as it was read stands then.
        """
        needed = self._tasks[0]
        if needed.done() and not needed.cancelled() and not isinstance(needed.exception(), ClusterForbidden):
            needed.result()
        if self._now is None:
            self._now = self._put_together()
        return self._now

    def _put_together(self) -> Mapping[str, CountedPod]:
        found: dict[str, CountedPod] = {}
        for each in self._slices.objects.values():
            for endpoint in each.endpoints:
                known = found.get(endpoint.pod)
                ports = tuple(dict.fromkeys((*each.ports[:MOST_PORTS], *(known.ports if known else ()))))
                ip = known.ip if known and ":" not in known.ip else ""
                found[endpoint.pod] = self._counted(endpoint, ports, ip or endpoint.ip)
        return found

    def _counted(self, pod: Endpoint, ports: tuple[int, ...], ip: str) -> CountedPod:
        namespace = self.service.namespace
        details = self._pods.objects.get(f"{namespace}/{pod.pod}") or CountedPod(namespace, pod.pod)
        return replace(details, uid=pod.uid, ip=ip, node=pod.node, ports=ports, ending=pod.terminating)

    async def _follow_details(self) -> None:
        try:
            await self._pods.follow(self._wake, self._note)
        except ClusterForbidden:
            self._do_without_details()
        except Exception:
            log.exception("details of the pods beyond their addresses are no longer followed")
            self._do_without_details()

    def _do_without_details(self) -> None:
        self._pods.known = True  # the slices alone will do
        self._wake()

    def _note(self, trouble: str) -> None:
        """Of interest while nothing is known; later what was seen last stands, and each reading says what fails."""
        self._trouble = trouble

    def _wake(self) -> None:
        self._now = None
        self.changed.set()
        if self._slices.known and self._pods.known:
            self._known.set()

    async def _end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def pods_of_selector(cluster: ClusterClient, namespace: str, selector: str) -> Mapping[str, CountedPod]:
    """{pod name: pod} of the running pods with these labels. Raises ClusterUnavailable, ClusterForbidden."""
    items, _ = await listed(cluster, f"/api/v1/namespaces/{namespace}/pods", {"labelSelector": selector})
    return {pod.name: pod for pod in map(_pod, items) if pod.name and pod.ip}


def _pod(document: Json) -> CountedPod:
    annotations = labels_at(document, "metadata", "annotations")
    containers = dicts_at(document, "spec", "containers")
    own_ports = {text_at(item, "name"): _numbers(list_at(item, "ports")) for item in containers}
    scrape = annotations.get("prometheus.io/port", "")
    metrics_ports = [int(scrape)] if scrape.isascii() and scrape.isdigit() and 0 < int(scrape) < 65_536 else []
    metrics_ports += _numbers(port for item in containers for port in list_at(item, "ports") if _is_metrics(port))
    return CountedPod(
        text_at(document, "metadata", "namespace"),
        text_at(document, "metadata", "name"),
        uid=text_at(document, "metadata", "uid"),
        ip=text_at(document, "status", "podIP"),
        node=text_at(document, "spec", "nodeName"),
        ports=tuple(port for own in own_ports.values() for port in own)[:MOST_PORTS],
        restarts=sum(int_at(item, "restartCount") for item in list_at(document, "status", "containerStatuses")),
        containers=tuple(own_ports.items()),
        main_container=annotations.get(DEFAULT_CONTAINER, ""),
        metrics_ports=tuple(dict.fromkeys(metrics_ports))[:MOST_PORTS],
        metrics_path=annotations.get("prometheus.io/path", ""),
    )


def _numbers(ports: Iterable[object]) -> tuple[int, ...]:
    return tuple(int_at(port, "containerPort") for port in ports)


def _is_metrics(port: object) -> bool:
    name = text_at(port, "name")
    return "metrics" in name or name.startswith("prom")
