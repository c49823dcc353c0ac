"""What the target picker offers of a real cluster: Services, Ingresses, and routes if the Gateway API is installed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from scale_app.adapters.kubernetes.catalog import KubernetesCatalog
from scale_app.adapters.kubernetes.client import Clusters
from scale_app.domain.cluster import ClusterTarget, TargetList
from scale_app.domain.source import GATEWAY, NEEDS
from tests.cluster.accounts import account, kubeconfig_of
from tests.cluster.gateway import gateway_kinds
from tests.cluster.handle import Cluster
from tests.cluster.layout import node_ip
from tests.cluster.targets import Thing, echo, service

SHOWN = ("targets", "ingresses", "routes")
INGRESS_PATH: Thing = {
    "path": "/cart",
    "pathType": "Prefix",
    "backend": {"service": {"name": "echo", "port": {"number": 80}}},
}
INGRESS: Thing = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "Ingress",
    "metadata": {"name": "shop"},
    "spec": {
        "tls": [{"hosts": ["shop.example"]}],
        "rules": [{"host": "shop.example", "http": {"paths": [INGRESS_PATH]}}],
    },
}
ROUTES: list[Thing] = [
    {
        "apiVersion": f"{GATEWAY}/v1",
        "kind": "Gateway",
        "metadata": {"name": "edge"},
        "spec": {"gatewayClassName": "any", "listeners": [{"name": "web", "protocol": "HTTP", "port": 8080}]},
    },
    {
        "apiVersion": f"{GATEWAY}/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "checkout"},
        "spec": {
            "parentRefs": [{"name": "edge"}],
            "hostnames": ["route.example"],
            "rules": [{"backendRefs": [{"name": "echo", "port": 80, "weight": 3}, {"name": "idle", "port": 80}]}],
        },
    },
]


@pytest.fixture
def gateway_api(cluster: Cluster) -> Iterator[None]:
    """The kinds that a cluster has only when somebody installed them."""
    with gateway_kinds(cluster):
        yield


async def offered(cluster: Cluster, namespace: str, folder: Path, *sources: str) -> TargetList:
    """To an account with these rows' rights."""
    async with seen_with(cluster, namespace, folder, *sources) as catalog:
        return await catalog.targets()


@asynccontextmanager
async def seen_with(cluster: Cluster, namespace: str, folder: Path, *sources: str) -> AsyncIterator[KubernetesCatalog]:
    """The cluster as an account with these rows' rights sees it."""
    needs = [need for need in NEEDS if need.source in sources]
    name = "-".join(sources)
    for wide in {need.cluster_wide for need in needs}:
        rules = [rule for need in needs if need.cluster_wide is wide for rule in need.rules]
        given = ((rule.verb, rule.resource, rule.api_group) for rule in rules)
        account(cluster, namespace, name, given, everywhere=wide)
    clusters = Clusters(str(kubeconfig_of(cluster, namespace, name, folder)))
    try:
        yield KubernetesCatalog(clusters)
    finally:
        await clusters.close()


def by_kind(found: TargetList) -> dict[tuple[str, str], ClusterTarget]:
    return {(target.kind, target.service.name): target for target in found.targets}


@pytest.mark.usefixtures("gateway_api")
async def test_services_ingresses_and_routes_are_offered_with_their_urls_each_by_its_right(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    cluster.apply([echo(2), service("echo"), service("idle", app="nobody"), INGRESS, *ROUTES], namespace)
    cluster.wait_for_pods(namespace, "app=echo", 2)
    found = await offered(cluster, namespace, tmp_path, *SHOWN)
    targets = by_kind(found)
    assert found.problem == ""
    assert targets.keys() == {
        *((kind, name) for kind in ("Service", "HTTPRoute") for name in ("echo", "idle")),
        ("Ingress", "echo"),
    }
    assert (targets["Service", "echo"].ready, targets["Service", "idle"].ready) == (2, 0)
    assert targets["Ingress", "echo"].url == "https://shop.example/cart"
    assert targets["HTTPRoute", "echo"].url == "http://route.example:8080/"
    assert "backendRefs by weight: echo 3, idle 1" in targets["HTTPRoute", "echo"].notable
    less = await offered(cluster, namespace, tmp_path, "targets", "ingresses")
    assert by_kind(less).keys() == {("Service", "echo"), ("Service", "idle"), ("Ingress", "echo")}
    assert f"list httproutes.{GATEWAY}" in less.problem
    await every_way_leads_to_its_service(cluster, namespace, tmp_path)


BALANCER_IP, BALANCER_HOST = "198.18.200.8", "lb.example"


async def every_way_leads_to_its_service(cluster: Cluster, namespace: str, folder: Path) -> None:
    """Each with the right to what it is looked up in, and not without."""
    balanced = service("balanced", type="LoadBalancer")
    cluster.apply([balanced], namespace)
    given = {"status": {"loadBalancer": {"ingress": [{"ip": BALANCER_IP}, {"hostname": BALANCER_HOST}]}}}
    patch = ("--subresource=status", "--type=merge", "-p", json.dumps(given))
    cluster.kubectl("patch", "service", "balanced", "-n", namespace, *patch)
    port = cluster.get("service", "balanced", "-n", namespace)["spec"]["ports"][0]["nodePort"]
    ways = {
        ("targets",): (f"http://{cluster.address_of('echo', namespace)}/", "echo"),
        ("targets", "nodes"): (f"http://{node_ip('n3')}:{port}/", "balanced"),
        ("targets", "ingresses"): ("https://shop.example/cart", "echo"),
        ("targets", "routes"): ("http://route.example:8080/", "echo"),
    }
    for sources, (url, name) in ways.items():
        async with seen_with(cluster, namespace, folder, *sources) as catalog:
            assert await leads(catalog, url) == f"{namespace}/{name}"
            assert await leads(catalog, f"http://{BALANCER_IP}/") == f"{namespace}/balanced"
            assert await leads(catalog, "http://alias.example/", BALANCER_HOST) == f"{namespace}/balanced"
            hidden = [other for needed, (other, _) in ways.items() if not {*needed} <= {*sources}]
            assert {await leads(catalog, other) for other in hidden} == {None}


async def leads(catalog: KubernetesCatalog, url: str, *addresses: str) -> str | None:
    found = await catalog.leads_to(url, addresses, {})
    return str(found) if found else None


async def test_a_cluster_without_the_gateway_api_offers_the_rest_and_misses_nothing(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    cluster.apply([service("echo"), INGRESS], namespace)
    found = await offered(cluster, namespace, tmp_path, *SHOWN)
    assert by_kind(found).keys() == {("Service", "echo"), ("Ingress", "echo")}
    assert found.problem == ""
