"""The one place where ports meet adapters. One process, one hub.

Adapters that only some settings ask for are loaded by those: the clusters' and Apprise take half a second and 20 MB.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from typing import TYPE_CHECKING

from scale_app.adapters.demo_cluster import DemoCluster
from scale_app.adapters.gatekeeper import TargetGatekeeper
from scale_app.adapters.locust_process import LocustProcess
from scale_app.adapters.simulated import SimulatedGenerator, SimulatedPods
from scale_app.adapters.store import SqlRunStore
from scale_app.adapters.this_machine import SystemClock
from scale_app.domain.snapshot import Source
from scale_app.history import prepared
from scale_app.ports import Adapters
from scale_app.service.hub import Hub
from scale_app.settings import Settings, load_settings

if TYPE_CHECKING:
    from scale_app.adapters.kubernetes.catalog import KubernetesCatalog
    from scale_app.adapters.kubernetes.client import Clusters
    from scale_app.adapters.kubernetes.directory import KubernetesPods
    from scale_app.ports import Clock, Notifier, RequestCounter


@cache
def settings() -> Settings:
    """This process's settings. Raises SettingsError."""
    return load_settings()


@cache
def hub() -> Hub:
    """This process's hub; `lifespan` opens and closes it."""
    own, clock, demo = settings(), SystemClock(), _demo()
    workers = LocustProcess(clock)
    catalog, cluster_pods, counters = _of_clusters(clock)
    adapters = Adapters(
        gatekeeper=TargetGatekeeper(own.allowed_targets, demo.url, find_service=catalog.find if catalog else None),
        generators={Source.DEMO: workers, Source.HEADER: workers, Source.SIMULATED: SimulatedGenerator(clock)},
        directories={Source.DEMO: demo, Source.SIMULATED: SimulatedPods(clock)},
        store=SqlRunStore(own.database_url, clock),
        demo=demo,
        clock=clock,
        notifiers=_notifiers(),
        catalog=catalog,
        counters=counters,
        cluster_pods=cluster_pods,
    )
    return Hub(adapters, own.limits, own.max_runs, own.public_url, retention=own.retention)


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Database migrated, hub open; at the end every load, the demo and the database are let go."""
    async with prepared(settings().database_url):
        await hub().open()
        try:
            yield
        finally:
            await hub().close()
            await _demo().close()
            if clusters := _clusters():
                await clusters.close()


@cache
def _demo() -> DemoCluster:
    return DemoCluster(SystemClock())


def _notifiers() -> tuple[Notifier, ...]:
    if not settings().notify_urls:
        return ()
    from scale_app.adapters.notify import notifiers

    return notifiers(settings().notify_urls)


@cache
def _clusters() -> Clusters | None:
    """The configured clusters; None without any."""
    here = settings()
    if not here.kube_config:
        return None
    from scale_app.adapters.kubernetes.client import Clusters

    return Clusters(here.kube_config, here.kube_contexts, here.kube_namespaces)


def _of_clusters(
    clock: Clock,
) -> tuple[KubernetesCatalog | None, KubernetesPods | None, Mapping[Source, RequestCounter]]:
    if (clusters := _clusters()) is None:
        return None, None, {}
    from scale_app.adapters.kubernetes.catalog import KubernetesCatalog
    from scale_app.adapters.kubernetes.counters import counters_of_cluster
    from scale_app.adapters.kubernetes.directory import KubernetesPods

    pods = KubernetesPods(clusters.of, clock, settings().kube_node)
    return KubernetesCatalog(clusters), pods, counters_of_cluster(clusters.of, clock, settings().debug_image)
