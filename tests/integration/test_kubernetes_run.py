"""Whole runs against a Service: real load on real sockets, the pods known by a cluster's API server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from scale_app.adapters.kubernetes.client import Clusters
from scale_app.domain.demo import DemoChange, Policy
from scale_app.domain.errors import ClusterForbidden, TargetUnavailable
from scale_app.domain.events import ClusterChanged, Event, PodChanged, SnapshotTaken
from scale_app.domain.plan import LoadPlan
from scale_app.domain.snapshot import RunState, Source
from scale_app.service.hub import Hub
from tests.fake_api_server import FakeApiServer
from tests.integration.hubs import opened_hub, seen
from tests.kubernetes_objects import endpoint, endpoint_slice, node, pod, service, shop


@dataclass
class Town:
    """A hub, a cluster, and three pods behind a balancer, which the cluster knows as Service shop/cart."""

    hub: Hub
    server: FakeApiServer
    url: str
    pods: list[str]

    def plan(self, duration_s: float = 3.0) -> LoadPlan:
        return LoadPlan(self.url, users=20, spawn_rate=200, duration_s=duration_s, service="shop/cart")

    def show(self, *more: str) -> None:
        pods = (*self.pods, *more)
        self.server.put("endpointslices", endpoint_slice(*(endpoint(name, node="n1") for name in pods)))

    async def after(self, run_id: str, elapsed_s: float) -> None:
        """Wait until the run has sent load for so long."""
        async with self.hub.subscribe(run_id) as events:
            async for _, event in events:
                if isinstance(event, SnapshotTaken) and event.elapsed_s >= elapsed_s:
                    return


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    server = FakeApiServer()
    await server.start()
    clusters = Clusters(server.kubeconfig(tmp_path))
    async with opened_hub(tmp_path, clusters) as hub:
        status = await hub.demo.change(DemoChange(pods=3, policy=Policy.ROUND_ROBIN))
        names = [each.name for each in status.pods]
        shop(server, names)
        yield Town(hub, server, status.url, names)
    await clusters.close()
    await server.stop()


def told(events: list[Event]) -> list[tuple[str, str]]:
    happened = [event for event in events if isinstance(event, (PodChanged, ClusterChanged))]
    return [(event.pod if isinstance(event, PodChanged) else event.subject, event.change) for event in happened]


async def test_ready_pods_that_get_nothing_count_and_the_settings_are_kept(town: Town) -> None:
    town.show("cart-idle")
    _, last = await seen(town.hub, await town.hub.start(town.plan()))
    assert (last.state, last.source, last.pods_problem) == (RunState.FINISHED, Source.HEADER, "")
    assert {(row.node, row.zone, row.ready) for row in last.pods} == {("n1", "z1", True)}
    assert last.service is not None
    assert last.service.readiness_probe is True
    idle = next(row for row in last.pods if row.name == "cart-idle")
    assert (idle.requests, idle.outlier) == (0, True)
    assert last.balance.score is not None
    assert last.balance.score < 0.6


async def test_a_service_that_nobody_named_is_known_by_its_address(town: Town) -> None:
    town.show("cart-idle")
    plan = replace(town.plan(2.0), service="")
    _, last = await seen(town.hub, await town.hub.start(plan))
    assert (last.roster_known, [row.name for row in last.pods]) == (False, sorted(town.pods))
    port = urlsplit(town.url).port
    town.server.put("services", service(clusterIP="127.0.0.1", clusterIPs=["127.0.0.1"], ports=[{"port": port}]))
    _, last = await seen(town.hub, await town.hub.start(plan))
    assert last.roster_known
    assert next(row for row in last.pods if row.name == "cart-idle").outlier


async def test_the_clusters_events_are_on_the_runs_time_axis_and_its_outage_costs_no_run(town: Town) -> None:
    run_id = await town.hub.start(town.plan(5.0))
    await town.after(run_id, 1.0)
    town.server.put("pods", pod(town.pods[0], restarts=1))
    town.server.put("nodes", node("n1", ready=False))
    town.server.put("services", service(sessionAffinity="ClientIP"))
    town.show("cart-new")
    await town.after(run_id, 2.0)
    await town.server.stop()
    await town.after(run_id, 3.0)
    away = (await town.hub.run(run_id)).last
    await town.server.start()
    _, last = await seen(town.hub, run_id)
    assert away is not None
    assert "could not be asked" in away.pods_problem
    assert [row.name for row in away.pods] == sorted([*town.pods, "cart-new"])
    assert (last.state, last.pods_problem, last.requests > away.requests) == (RunState.FINISHED, "", True)
    assert next(row for row in last.pods if row.name == town.pods[0]).restarts == 1
    assert set(told(await town.hub.events(run_id))) == {
        (town.pods[0], "restarted"),
        ("n1", "node_unready"),
        ("Service", "settings"),
        ("cart-new", "joined"),
        ("cluster", "watch_lost"),
        ("cluster", "watch_back"),
    }


async def test_a_service_that_cannot_be_seen_or_has_no_ready_pod_is_not_loaded(town: Town) -> None:
    found, rights = await asyncio.gather(town.hub.targets(), town.hub.permissions())
    assert [str(target.service) for target in found.targets] == ["shop/cart"]
    assert rights.rows[0].allowed
    town.server.put("endpointslices", endpoint_slice(endpoint("a", ready=False)))
    with pytest.raises(TargetUnavailable, match="its only pod is not ready"):
        await town.hub.start(town.plan())
    town.server.denied.add("list endpointslices.discovery.k8s.io")
    with pytest.raises(ClusterForbidden, match=r"list endpointslices\.discovery\.k8s\.io"):
        await town.hub.start(town.plan())
    assert await town.hub.runs() == []
