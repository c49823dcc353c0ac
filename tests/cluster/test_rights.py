"""Every right by itself and missing, on a real cluster with its real authorizer; and the manifests that grant them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from pathlib import Path
from typing import cast

import pytest

from scale_app.adapters.kubernetes.catalog import KubernetesCatalog
from scale_app.adapters.kubernetes.client import Clusters
from scale_app.adapters.kubernetes.directory import KubernetesPods, WatchTiming
from scale_app.adapters.this_machine import SystemClock
from scale_app.domain.cluster import Rule, ServiceRef
from scale_app.domain.errors import ClusterForbidden
from scale_app.domain.samples import PodsLost, PodsSample, Sample
from scale_app.domain.snapshot import Source
from scale_app.domain.source import NEEDS
from scale_app.ports import Admitted
from tests.cluster.accounts import account, kubeconfig_of
from tests.cluster.handle import Cluster
from tests.cluster.installation import made_of
from tests.cluster.targets import echo, service

LIMIT_S = 20.0
NEEDED = next(need for need in NEEDS if need.needed)
TIMING = WatchTiming(watch_s=3)
OPTIONAL = ("pods", "workloads", "nodes")


@pytest.fixture
def shop(cluster: Cluster, namespace: str) -> str:
    """A namespace with three pods behind the Service echo."""
    cluster.apply([echo(3), service("echo")], namespace)
    cluster.wait_for_pods(namespace, "app=echo", 3)
    return namespace


def rights_of(*sources: str) -> list[Rule]:
    return [rule for need in NEEDS if need.source in sources for rule in need.rules]


def acting(cluster: Cluster, namespace: str, folder: Path, rules: Iterable[Rule], name: str = "scale") -> Clusters:
    """The cluster as an account that may do just this, in every namespace."""
    given = [(rule.verb, rule.resource, rule.api_group) for rule in rules]
    account(cluster, namespace, name, given, everywhere=True)
    return Clusters(str(kubeconfig_of(cluster, namespace, name, folder)))


async def first_of(clusters: Clusters, namespace: str) -> PodsSample:
    watch = samples(clusters, namespace)
    try:
        sample = await asyncio.wait_for(anext(watch), LIMIT_S)
    finally:
        await watch.aclose()
        await clusters.close()
    assert isinstance(sample, PodsSample)
    return sample


def samples(clusters: Clusters, namespace: str) -> AsyncGenerator[Sample, None]:
    target = Admitted("http://echo/", Source.HEADER, (), ServiceRef(namespace, "echo"))
    return cast(AsyncGenerator[Sample, None], KubernetesPods(clusters.of, SystemClock(), timing=TIMING).watch(target))


async def test_the_needed_rights_alone_show_who_should_share(cluster: Cluster, shop: str, tmp_path: Path) -> None:
    clusters = acting(cluster, shop, tmp_path, NEEDED.rules)
    found = await KubernetesCatalog(clusters).targets()
    seen = await first_of(clusters, shop)
    assert [(target.name, target.ready) for target in found.targets] == [("echo", 3)]
    assert "list ingresses.networking.k8s.io" in found.problem
    assert [pod.ready for pod in seen.pods] == [True] * 3
    assert seen.service is not None
    assert (seen.nodes, seen.replicas) == (None, None)
    assert all(f"list {kind}" in seen.missing for kind in ("pods", "nodes", "deployments.apps", "statefulsets.apps"))


@pytest.mark.parametrize("source", OPTIONAL)
async def test_each_further_right_shows_what_it_is_for(
    cluster: Cluster, shop: str, tmp_path: Path, source: str
) -> None:
    seen = await first_of(acting(cluster, shop, tmp_path, rights_of(NEEDED.source, source)), shop)
    shown = {
        "pods": all(pod.owner for pod in seen.pods),
        "workloads": seen.replicas == {"Deployment echo": 3},
        "nodes": set(seen.nodes or ()) == {"n1", "n2", "n3"},
    }
    assert shown[source]
    assert not [other for other in OPTIONAL if other != source and shown[other]]


async def test_without_the_needed_right_the_rule_is_named(cluster: Cluster, shop: str, tmp_path: Path) -> None:
    clusters = acting(cluster, shop, tmp_path, rights_of("pods"))
    with pytest.raises(ClusterForbidden, match=r"list endpointslices\.discovery\.k8s\.io"):
        await first_of(clusters, shop)


async def test_a_right_of_another_namespace_is_no_right_here(cluster: Cluster, shop: str, tmp_path: Path) -> None:
    given = [(rule.verb, rule.resource, rule.api_group) for rule in NEEDED.rules]
    account(cluster, shop, "here", given)
    clusters = Clusters(str(kubeconfig_of(cluster, shop, "here", tmp_path)), namespaces=(shop, "default"))
    found = await KubernetesCatalog(clusters).targets()
    await clusters.close()
    assert {target.service.namespace for target in found.targets} == {shop}
    assert "list services" in found.problem


async def test_the_self_check_says_what_the_authorizer_says(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    for granted in NEEDS:
        clusters = acting(cluster, namespace, tmp_path, granted.rules, f"may-{granted.source.replace('_', '-')}")
        found = await KubernetesCatalog(clusters).permissions()
        await clusters.close()
        assert (found.problem, found.namespace) == ("", namespace)
        for row, need in zip(found.rows, NEEDS, strict=True):
            lacking = tuple(rule for rule in need.rules if rule not in granted.rules)
            assert row.missing == lacking
            assert row.allowed is not bool(lacking)


async def test_an_account_that_is_removed_during_a_run_is_told(cluster: Cluster, shop: str, tmp_path: Path) -> None:
    clusters = acting(cluster, shop, tmp_path, NEEDED.rules)
    watch = samples(clusters, shop)
    assert isinstance(await asyncio.wait_for(anext(watch), LIMIT_S), PodsSample)
    await asyncio.to_thread(cluster.kubectl, "delete", "serviceaccount", "scale", "-n", shop)
    try:
        async with asyncio.timeout(60):  # the watch that is open goes on to its end; the next one is refused
            while not isinstance(sample := await anext(watch), PodsLost):
                pass
    finally:
        await watch.aclose()
        await clusters.close()
    assert "(401)" in sample.problem


@pytest.mark.parametrize("everywhere", [False, True], ids=["one namespace", "everywhere"])
def test_the_manifests_grant_what_their_names_say(
    cluster: Cluster, namespace: str, tmp_path: Path, everywhere: bool
) -> None:
    chosen = ["targets", "access-log", *(["everywhere"] if everywhere else [])]
    listed = "".join(f"\n  - k8s/rights/{name}" for name in chosen)
    made = made_of(cluster, tmp_path, f"namespace: {namespace}\ncomponents:{listed}\n")
    cluster.kubectl("apply", "-f", "-", given=made)
    try:
        assert may(cluster, namespace, "list services") is True
        assert may(cluster, namespace, "get pods/log") is True
        assert may(cluster, namespace, "list pods") is False
        assert may(cluster, "kube-system", "list services") is everywhere
    finally:
        cluster.kubectl("delete", "-f", "-", given=made)


def may(cluster: Cluster, namespace: str, right: str) -> bool:
    """What the authorizer says of the account that k8s/ gives Scale."""
    verb, resource = right.split()
    review = f"""
apiVersion: authorization.k8s.io/v1
kind: SubjectAccessReview
spec:
  user: system:serviceaccount:scale:scale
  resourceAttributes: {{namespace: {namespace}, verb: {verb}, resource: {resource.partition("/")[0]},
    subresource: "{resource.partition("/")[2]}"}}
"""
    created = cluster.kubectl("create", "-o", "jsonpath={.status.allowed}", "-f", "-", given=review)
    return created == "true"
