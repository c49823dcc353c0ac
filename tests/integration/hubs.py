"""A hub on real parts: hub, Locust worker, database and built-in pods, for tests of a run's whole path."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from scale_app.adapters.demo_cluster import DemoCluster
from scale_app.adapters.gatekeeper import TargetGatekeeper
from scale_app.adapters.in_process import LocalLeases
from scale_app.adapters.kubernetes.catalog import KubernetesCatalog
from scale_app.adapters.kubernetes.client import Clusters
from scale_app.adapters.kubernetes.directory import KubernetesPods, WatchTiming
from scale_app.adapters.locust_process import LocustProcess
from scale_app.adapters.store import SqlAccessStore, SqlRunStore, migrate
from scale_app.adapters.this_machine import SystemClock
from scale_app.domain.events import Event, SnapshotTaken
from scale_app.domain.plan import Limits
from scale_app.domain.snapshot import Snapshot, Source
from scale_app.ports import Adapters
from scale_app.service.access import Access
from scale_app.service.hub import Hub


@asynccontextmanager
async def unnoted_access(url: str) -> AsyncIterator[Access]:
    """The tokens in a database, with nobody to note who did what."""
    store = SqlAccessStore(url)
    try:
        yield Access(store, SystemClock(), lambda _: None)
    finally:
        await store.close()


@asynccontextmanager
async def opened_hub(folder: Path, clusters: Clusters | None = None, max_runs: int = 4) -> AsyncIterator[Hub]:
    """A hub with its real adapters and a demo of its own. Pods of tests listen on 127.0.0.1, also in this process."""
    clock = SystemClock()
    url = f"sqlite+aiosqlite:///{folder}/scale.db"
    await migrate(url)
    demo = DemoCluster(clock)
    workers = LocustProcess(clock)
    catalog = KubernetesCatalog(clusters) if clusters else None
    pods = KubernetesPods(clusters.of, clock, timing=WatchTiming(pauses_s=(0.0, 0.1))) if clusters else None
    adapters = Adapters(
        TargetGatekeeper(
            ("127.0.0.1",),
            demo.url,
            find_service=catalog.find if catalog else None,
            leads_to=catalog.leads_to if catalog else None,
        ),
        {Source.DEMO: workers, Source.HEADER: workers},
        {Source.DEMO: demo},
        SqlRunStore(url, clock),
        demo,
        clock,
        LocalLeases(clock),
        catalog=catalog,
        cluster_pods=pods,
    )
    async with unnoted_access(url) as access:
        hub = Hub(adapters, access, Limits(), max_runs=max_runs)
        await hub.open()
        try:
            yield hub
        finally:
            await hub.close()
            await demo.close()


async def seen(hub: Hub, run_id: str) -> tuple[list[Event], Snapshot]:
    """Every event that a viewer gets until the run's end, and the last snapshot."""
    async with hub.subscribe(run_id) as events:
        collected = [event async for _, event in events]
    last = collected[-1]
    assert isinstance(last, SnapshotTaken)
    return collected, last.snapshot
