"""A run's watch of its pods, against an API server on a real socket that does what real ones do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from scale_app.adapters.kubernetes.client import Clusters
from scale_app.adapters.kubernetes.directory import KubernetesPods, WatchTiming
from scale_app.adapters.this_machine import SystemClock
from scale_app.domain.cluster import ServiceRef, ServiceSettings
from scale_app.domain.errors import ClusterForbidden, ClusterUnavailable
from scale_app.domain.samples import PodsLost, PodsSample, PodUsage, Sample
from scale_app.domain.snapshot import Source
from scale_app.ports import Admitted
from tests.fake_api_server import Document, FakeApiServer
from tests.kubernetes_objects import deployment, endpoint, endpoint_slice, node, pod, service

TARGET = Admitted("http://127.0.0.9:8080/", Source.HEADER, ("127.0.0.9/32",), ServiceRef("shop", "cart"))
INGRESS = {
    "metadata": {
        "name": "front",
        "namespace": "shop",
        "annotations": {"nginx.ingress.kubernetes.io/affinity": "cookie"},
    },
    "spec": {"defaultBackend": {"service": {"name": "cart"}}},
}
LIMIT_S = 10.0
TIMING = WatchTiming(
    together_s=0.0, usage_every_s=0.05, leading_every_s=0.05, routes_every_s=0.05, pauses_s=(0.0, 0.02)
)


class Watched:
    """A server with a shop of three pods, and the samples of one watch of it."""

    def __init__(self, server: FakeApiServer, folder: Path, target: Admitted = TARGET) -> None:
        self.server = server
        self.clusters = Clusters(server.kubeconfig(folder))
        directory = KubernetesPods(self.clusters.of, SystemClock(), "n1", TIMING)
        self.samples = cast(AsyncGenerator[Sample, None], directory.watch(target))

    async def until(self, holds: Callable[[PodsSample], Any]) -> PodsSample:
        """The first list of pods of which that holds."""
        async with asyncio.timeout(LIMIT_S):
            async for sample in self.samples:
                if isinstance(sample, PodsSample) and holds(sample):
                    return sample
        raise AssertionError("the watch has ended")

    async def lost(self) -> PodsLost:
        async with asyncio.timeout(LIMIT_S):
            async for sample in self.samples:
                if isinstance(sample, PodsLost):
                    return sample
        raise AssertionError("the watch has ended")

    async def close(self) -> None:
        await self.samples.aclose()
        await self.clusters.close()


@pytest.fixture
async def watched(server: FakeApiServer, tmp_path: Path) -> AsyncIterator[Watched]:
    made = Watched(server, tmp_path)
    yield made
    await made.close()


def ready(sample: PodsSample) -> list[str]:
    return [pod.name for pod in sample.pods if pod.ready]


async def begun(watched: Watched) -> PodsSample:
    sample = await watched.until(bool)
    for kind in ("endpointslices", "services", "pods", "nodes", "deployments"):
        await watched.server.watched(kind)
    return sample


async def test_the_first_list_has_pods_nodes_zones_settings_and_wanted_pods(watched: Watched) -> None:
    first = await begun(watched)
    assert ready(first) == ["cart-1", "cart-2", "cart-3"]
    assert {(pod.node, pod.zone, pod.owner) for pod in first.pods} == {("n1", "z1", "cart-1")}
    assert first.service is not None
    assert (first.service.client_node, first.service.client_zone) == ("n1", "z1")
    assert first.service.readiness_probe is True
    assert first.replicas == {"Deployment cart": 3}
    assert first.nodes == {"n1": True}
    assert first.missing == ""


async def test_what_an_ingress_says_that_chooses_is_kept_and_its_change_is_told(watched: Watched) -> None:
    assert (await begun(watched)).service == ServiceSettings(
        client_node="n1", client_zone="z1", readiness_probe=True, entry="cluster address"
    )
    watched.server.put("ingresses", INGRESS)
    seen = await watched.until(lambda sample: sample.service.leading)
    assert seen.service is not None
    assert seen.service.leading == ("Ingress front: affinity: cookie",)


async def test_a_run_goes_on_where_ingresses_may_not_be_read(watched: Watched) -> None:
    watched.server.denied.add("list ingresses.networking.k8s.io")
    first = await begun(watched)
    assert first.service is not None
    assert (first.service.leading, first.missing) == ((), "")


async def test_a_pod_lives_from_pending_to_gone(watched: Watched) -> None:
    await begun(watched)
    server = watched.server
    old = [endpoint(f"cart-{number}") for number in (1, 2, 3)]
    server.put("pods", pod("cart-4"))
    assert not (await watched.until(lambda seen: len(seen.pods) == 4)).pods[3].ready
    server.put("endpointslices", endpoint_slice(*old, endpoint("cart-4")))
    await watched.until(lambda seen: len(ready(seen)) == 4)
    server.put("pods", pod("cart-1", deletionTimestamp="2026-01-01T00:00:00Z"))
    await watched.until(lambda seen: seen.pods[0].terminating)
    ending = endpoint("cart-1", conditions={"ready": False, "serving": True, "terminating": True})
    server.put("endpointslices", endpoint_slice(*old[1:], endpoint("cart-4"), ending))
    await watched.until(lambda seen: len(ready(seen)) == 3)
    server.put("endpointslices", endpoint_slice(*old[1:], endpoint("cart-4")))
    server.remove("pods", "shop", "cart-1")
    assert len((await watched.until(lambda seen: len(seen.pods) == 3)).pods) == 3


async def test_a_killed_container_is_seen_by_its_restart_and_a_new_pod_by_its_uid(watched: Watched) -> None:
    await begun(watched)
    watched.server.put("pods", pod("cart-1", restarts=1))
    assert (await watched.until(lambda seen: seen.pods[0].restarts == 1)).pods[0].uid == "uid-cart-1"
    watched.server.put("pods", pod("cart-1", uid="another"))
    await watched.until(lambda seen: seen.pods[0].uid == "another")


async def test_scaling_a_lost_node_and_changed_settings_are_seen(watched: Watched) -> None:
    await begun(watched)
    server = watched.server
    server.put("deployments", deployment(6))
    await watched.until(lambda seen: seen.replicas == {"Deployment cart": 6})
    server.put("nodes", node("n1", ready=False))
    await watched.until(lambda seen: seen.nodes == {"n1": False})
    server.put("services", service(sessionAffinity="ClientIP"))
    await watched.until(lambda seen: seen.service and seen.service.session_affinity == "ClientIP")


async def test_a_pod_in_two_slices_is_one_pod(watched: Watched) -> None:
    watched.server.put("endpointslices", endpoint_slice(endpoint("cart-1", ready=False), name="cart-v6"))
    first = await begun(watched)
    assert [pod.name for pod in first.pods] == ["cart-1", "cart-2", "cart-3"]
    assert first.pods[0].ready


ROUTE = {
    "metadata": {"name": "way", "namespace": "shop"},
    "spec": {
        "hostnames": ["shop.example"],
        "rules": [{"backendRefs": [{"name": "cart", "weight": 90}, {"name": "canary", "weight": 10}]}],
    },
}
THROUGH = replace(TARGET, url="http://shop.example/", networks=("127.0.0.88/32",))


async def test_services_that_a_route_splits_are_one_roster_of_which_each_pod_has_its_part_of_the_weight(
    server: FakeApiServer, tmp_path: Path
) -> None:
    server.served.add("httproutes")
    server.put("httproutes", ROUTE)
    server.put("services", service("canary"))
    server.put("endpointslices", endpoint_slice(endpoint("canary-1"), service="canary"))
    watched = Watched(server, tmp_path, THROUGH)
    first = await watched.until(bool)
    weights = {"canary-1": 10.0, "cart-1": 30.0, "cart-2": 30.0, "cart-3": 30.0}
    assert {pod.name: pod.weight for pod in first.pods if pod.ready} == weights
    assert first.service is not None
    assert (first.service.split, first.service.split_by) == ({"cart": 90.0, "canary": 10.0}, "HTTPRoute way")
    server.put("endpointslices", endpoint_slice(endpoint("canary-1"), endpoint("canary-2"), service="canary"))
    grown = await watched.until(lambda seen: len(seen.pods) == 5)
    assert [pod.weight for pod in grown.pods] == [5.0, 5.0, 30.0, 30.0, 30.0]
    await watched.close()


def sharing(**weights: int) -> Document:
    """The route, with these Services."""
    refs = [{"name": name, "weight": weight} for name, weight in weights.items()]
    return {**ROUTE, "spec": {**ROUTE["spec"], "rules": [{"backendRefs": refs}]}}


async def test_weights_that_change_in_mid_run_count_from_then_on(server: FakeApiServer, tmp_path: Path) -> None:
    server.served.add("httproutes")
    server.put("httproutes", sharing(cart=1))
    server.put("services", service("canary"))
    server.put("endpointslices", endpoint_slice(endpoint("canary-1"), service="canary"))
    watched = Watched(server, tmp_path, THROUGH)
    alone = await watched.until(bool)
    assert [(pod.name, pod.weight) for pod in alone.pods] == [("cart-1", 1.0), ("cart-2", 1.0), ("cart-3", 1.0)]
    for cart, canary in ((90, 10), (30, 70)):
        server.put("httproutes", sharing(cart=cart, canary=canary))
        turned = await watched.until(lambda seen, part=canary: seen.service.split.get("canary") == part)
        assert {pod.name: pod.weight for pod in turned.pods}["canary-1"] == canary
        assert turned.at_s > alone.at_s
    server.put("httproutes", sharing(cart=0, canary=1))
    assert ready(await watched.until(lambda seen: len(ready(seen)) == 1)) == ["canary-1"]
    server.put("httproutes", sharing(cart=50, canary=50))
    assert len(ready(await watched.until(lambda seen: len(ready(seen)) > 1))) == 4
    await watched.close()


def leading(name: str, to: str, **annotations: str) -> Document:
    given = {f"nginx.ingress.kubernetes.io/{key.replace('_', '-')}": value for key, value in annotations.items()}
    paths = [{"path": "/", "backend": {"service": {"name": to, "port": {"number": 80}}}}]
    rules = [{"host": "shop.example", "http": {"paths": paths}}]
    return {"metadata": {"name": name, "namespace": "shop", "annotations": given}, "spec": {"rules": rules}}


@pytest.mark.parametrize(
    ("headers", "there"), [({"X-Next": "always"}, ["canary-1"]), ({}, ["cart-1", "cart-2", "cart-3"])]
)
async def test_a_plan_that_sends_the_header_of_a_canary_has_the_canarys_pods(
    server: FakeApiServer, tmp_path: Path, headers: dict[str, str], there: list[str]
) -> None:
    server.served.add("ingresses")
    server.put("ingresses", leading("main", "cart"))
    server.put("ingresses", leading("next", "canary", canary="true", canary_by_header="X-Next"))
    server.put("services", service("canary"))
    server.put("endpointslices", endpoint_slice(endpoint("canary-1"), service="canary"))
    watched = Watched(server, tmp_path, replace(THROUGH, headers=headers))
    assert sorted(ready(await watched.until(bool))) == there
    await watched.close()


async def test_weights_stand_while_routes_cannot_be_read(server: FakeApiServer, tmp_path: Path) -> None:
    server.served.add("httproutes")
    server.put("httproutes", ROUTE)
    server.put("services", service("canary"))
    server.put("endpointslices", endpoint_slice(endpoint("canary-1"), service="canary"))
    watched = Watched(server, tmp_path, THROUGH)
    await watched.until(bool)
    server.broken.add("httproutes")
    await server.asked("list", "httproutes", server.requests.count(("list", "httproutes")) + 8)
    server.put("endpointslices", endpoint_slice(endpoint("canary-1"), endpoint("canary-2"), service="canary"))
    assert [pod.weight for pod in (await watched.until(lambda seen: len(seen.pods) == 5)).pods][:2] == [5.0, 5.0]
    await watched.close()


async def test_a_run_that_reaches_a_split_service_directly_has_its_own_pods_alone(
    server: FakeApiServer, tmp_path: Path
) -> None:
    server.served.add("httproutes")
    server.put("httproutes", ROUTE)
    watched = Watched(server, tmp_path)
    first = await watched.until(bool)
    assert [(pod.name, pod.weight) for pod in first.pods] == [("cart-1", 1.0), ("cart-2", 1.0), ("cart-3", 1.0)]
    await watched.close()


async def test_without_a_right_to_a_service_that_is_split_there_is_nothing_to_go_by(
    server: FakeApiServer, tmp_path: Path
) -> None:
    server.served.add("httproutes")
    server.put("httproutes", ROUTE)
    server.denied.add("list endpointslices.discovery.k8s.io")
    watched = Watched(server, tmp_path, THROUGH)
    with pytest.raises(ClusterForbidden):
        await watched.until(bool)
    await watched.close()


async def test_an_expired_version_is_listed_again(watched: Watched) -> None:
    await begun(watched)
    watched.server.forget()
    watched.server.put("pods", pod("cart-1", restarts=7))
    assert (await watched.until(lambda seen: seen.pods[0].restarts == 7)).pods[0].ready
    assert watched.server.requests.count(("list", "pods")) == 2


async def test_a_watch_that_ends_goes_on_from_its_version_without_a_list(watched: Watched) -> None:
    await begun(watched)
    watched.server.end_watches()
    await watched.server.watched("pods", 2)
    watched.server.put("pods", pod("cart-1", restarts=1))
    await watched.until(lambda seen: seen.pods[0].restarts == 1)
    assert watched.server.requests.count(("list", "pods")) == 1


async def test_a_cut_connection_is_made_again_and_nothing_is_missed(watched: Watched) -> None:
    await begun(watched)
    watched.server.cut()
    watched.server.put("endpointslices", endpoint_slice(endpoint("cart-1"), endpoint("cart-2")))
    assert ready(await watched.until(lambda seen: len(ready(seen)) == 2)) == ["cart-1", "cart-2"]


async def test_nonsense_in_a_watch_is_listed_again(watched: Watched) -> None:
    await begun(watched)
    for line in (b"hello", b'{"type": "ADDED", "object": []}', b'{"type": 7}', b'{"type": "ERROR", "object": {}}'):
        watched.server.say(line)
    watched.server.put("pods", pod("cart-1", restarts=2))
    await watched.until(lambda seen: seen.pods[0].restarts == 2)


async def test_a_server_that_is_away_is_told_and_what_happened_meanwhile_is_seen(watched: Watched) -> None:
    await begun(watched)
    await watched.server.stop()
    assert "could not be asked" in (await watched.lost()).problem
    watched.server.put("endpointslices", endpoint_slice(endpoint("cart-1")))
    await watched.server.start()
    assert ready(await watched.until(bool)) == ["cart-1"]


async def test_a_token_that_expires_during_a_run_is_told(watched: Watched) -> None:
    await begun(watched)
    watched.server.token = "another"
    watched.server.cut()
    assert "(401)" in (await watched.lost()).problem


async def test_a_server_that_is_back_with_the_same_pods_says_so(watched: Watched) -> None:
    await begun(watched)
    await watched.server.stop()
    await watched.lost()
    await watched.server.start()
    assert len((await watched.until(bool)).pods) == 3


@pytest.mark.parametrize(
    ("right", "what"),
    [
        ("list services", "the Service's settings"),
        ("list pods", "pods that are created"),
        ("list nodes", "nodes that join"),
        ("list deployments.apps", "scaling of Deployments"),
        ("list statefulsets.apps", "scaling of StatefulSets"),
    ],
)
async def test_without_one_right_the_rest_is_seen_and_the_right_is_named(
    server: FakeApiServer, watched: Watched, right: str, what: str
) -> None:
    server.denied.add(right)
    first = await watched.until(bool)
    assert ready(first) == ["cart-1", "cart-2", "cart-3"]
    assert what in first.missing
    assert right in first.missing
    assert first.missing.count("Not visible") == 1


async def test_without_endpointslices_there_is_nothing_to_go_by(server: FakeApiServer, watched: Watched) -> None:
    server.denied.add("list endpointslices.discovery.k8s.io")
    with pytest.raises(ClusterForbidden, match=r"list endpointslices\.discovery\.k8s\.io"):
        await anext(watched.samples)


async def test_a_kind_that_answers_with_errors_holds_up_nothing(server: FakeApiServer, watched: Watched) -> None:
    server.broken.add("nodes")
    first = await watched.until(bool)
    assert ready(first) == ["cart-1", "cart-2", "cart-3"]
    assert "status 500" in first.missing
    server.broken.clear()
    await watched.until(lambda seen: seen.missing == "" and seen.nodes == {"n1": True})


async def test_cpu_and_memory_are_shown_where_a_metrics_server_is(server: FakeApiServer, watched: Watched) -> None:
    assert (await watched.until(bool)).usage is None
    used = {"cpu": "1500m", "memory": "64Mi"}
    server.put("podmetrics", {"metadata": {"name": "cart-1", "namespace": "shop"}, "containers": [{"usage": used}, {}]})
    seen = await watched.until(lambda seen: seen.usage)
    assert seen.usage == {"cart-1": PodUsage(1.5, 64 * 2**20)}


async def test_without_the_right_to_cpu_and_memory_it_is_named_where_there_is_a_metrics_server(
    server: FakeApiServer, watched: Watched
) -> None:
    server.denied.add("list pods.metrics.k8s.io")
    seen = await watched.until(lambda seen: seen.missing)
    assert (ready(seen), seen.usage) == (["cart-1", "cart-2", "cart-3"], None)
    assert "CPU and memory of the pods (list pods.metrics.k8s.io)" in seen.missing
    server.put("podmetrics", {"metadata": {"name": "cart-1", "namespace": "shop"}, "containers": []})
    server.denied.clear()
    assert (await watched.until(lambda seen: not seen.missing)).usage == {"cart-1": PodUsage(0.0, 0)}


async def test_a_right_to_what_the_cluster_does_not_have_is_not_missed(server: FakeApiServer, watched: Watched) -> None:
    server.groups.remove("metrics.k8s.io")
    server.denied.update({"list pods.metrics.k8s.io", "list nodes"})
    seen = await watched.until(lambda seen: "list nodes" in seen.missing)
    await server.asked("list", "podmetrics", 3)
    assert "CPU" not in seen.missing
    server.remove("endpointslices", "shop", "cart-abc")
    assert "CPU" not in (await watched.until(lambda seen: not ready(seen))).missing


async def test_a_thousand_pods_are_seen_in_a_few_seconds(server: FakeApiServer, watched: Watched) -> None:
    names = [f"cart-{number}" for number in range(1_000)]
    for name in names:
        server.put("pods", pod(name))
    for part in range(10):
        of_part = names[part * 100 : (part + 1) * 100]
        server.put("endpointslices", endpoint_slice(*(endpoint(name) for name in of_part), name=f"cart-{part}"))
    server.remove("endpointslices", "shop", "cart-abc")
    assert len(ready(await watched.until(bool))) == 1_000


async def test_hostile_text_becomes_plain_lines(server: FakeApiServer, watched: Watched) -> None:
    strange = "\x1b[31m<script>\n" + "x" * 5_000
    server.put(
        "pods", pod("cart-9", labels={"app": "cart", "x": strange}, ownerReferences=[{"name": strange}, 7, None])
    )
    server.put(
        "services", service(sessionAffinity=strange, trafficDistribution=["x"], ports="no", selector={"app": "cart"})
    )
    server.put("endpointslices", endpoint_slice(endpoint("cart-9", zone=strange, hints="?"), {"targetRef": 3}))
    first = await watched.until(bool)
    seen = next(pod for pod in first.pods if pod.name == "cart-9")
    assert seen.zone.isprintable()
    assert len(seen.zone) <= 300
    assert first.service is not None
    assert first.service.session_affinity == "None"


async def test_an_unknown_context_is_refused(server: FakeApiServer, watched: Watched) -> None:
    with pytest.raises(ClusterUnavailable, match="'staging'"):
        watched.clusters.of(ServiceRef("shop", "cart", "staging"))
