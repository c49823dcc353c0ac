"""The one place where ports meet adapters. One process, one hub."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache

from scale_app.adapters.demo_cluster import DemoCluster
from scale_app.adapters.gatekeeper import TargetGatekeeper
from scale_app.adapters.kubernetes.catalog import KubernetesCatalog
from scale_app.adapters.kubernetes.clusters import Clusters
from scale_app.adapters.kubernetes.counters.all_sources import counters_of_cluster
from scale_app.adapters.kubernetes.directory import KubernetesPods
from scale_app.adapters.locust_process import LocustProcess
from scale_app.adapters.notify import notifiers
from scale_app.adapters.simulated import SimulatedGenerator, SimulatedPods
from scale_app.adapters.single_instance import single_instance
from scale_app.adapters.store import SqlRunStore, migrate
from scale_app.adapters.system_clock import SystemClock
from scale_app.domain.snapshot import Source
from scale_app.service.hub import Hub, Outside
from scale_app.settings import Settings, load_settings


@cache
def settings() -> Settings:
    """This process's settings. Raises SettingsError."""
    return load_settings()


@cache
def hub() -> Hub:
    """This process's hub; `lifespan` opens and closes it."""
    clock, demo = SystemClock(), _demo()
    workers = LocustProcess(clock)
    clusters, catalog = _clusters(), _catalog()
    outside = Outside(
        gatekeeper=TargetGatekeeper(
            settings().allowed_targets, demo.url, find_service=catalog.find if catalog else None
        ),
        generators={Source.DEMO: workers, Source.HEADER: workers, Source.SIMULATED: SimulatedGenerator(clock)},
        directories={Source.DEMO: demo, Source.SIMULATED: SimulatedPods(clock)},
        store=SqlRunStore(settings().database_url, clock),
        demo=demo,
        clock=clock,
        notifiers=notifiers(settings().notify_urls),
        catalog=catalog,
        counters=counters_of_cluster(clusters.of, clock, settings().debug_image) if clusters else {},
        cluster_pods=KubernetesPods(clusters.of, clock, settings().kube_node) if clusters else None,
    )
    return Hub(outside, settings().limits, settings().max_runs, settings().public_url)


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Database migrated, hub open; at the end every load, the demo and the database are let go."""
    with single_instance(settings().database_url):
        await migrate(settings().database_url)
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


@cache
def _clusters() -> Clusters | None:
    """The configured clusters; None without any."""
    here = settings()
    return Clusters(here.kube_config, here.kube_contexts, here.kube_namespaces) if here.kube_config else None


@cache
def _catalog() -> KubernetesCatalog | None:
    clusters = _clusters()
    return KubernetesCatalog(clusters) if clusters else None
