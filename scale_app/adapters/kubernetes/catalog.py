"""Lists what the configured clusters offer, finds the one Service of a plan, and asks what this account may do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from scale_app.adapters.kubernetes import objects
from scale_app.adapters.kubernetes.border import NotThere
from scale_app.adapters.kubernetes.client import ClusterClient, Clusters, Json
from scale_app.adapters.kubernetes.entry import dropped
from scale_app.adapters.kubernetes.list_watch import listed
from scale_app.adapters.kubernetes.objects import at
from scale_app.adapters.kubernetes.offers import ClusterObjects, problem_of, targets_of
from scale_app.adapters.kubernetes.reached import services_at
from scale_app.adapters.kubernetes.route_splits import shares_of
from scale_app.domain.cluster import (
    Need,
    PermissionList,
    Rule,
    ServiceFound,
    ServiceRef,
    SourcePermission,
    TargetList,
    service_ref,
)
from scale_app.domain.errors import ClusterForbidden, ClusterUnavailable, ScaleError, TargetUnavailable
from scale_app.domain.source import DISCOVERY, GATEWAY, METRICS, NEEDS, NETWORKING

LEADING = {
    "services": "api/v1",
    "ingresses": f"apis/{NETWORKING}/v1",
    "httproutes": f"apis/{GATEWAY}/v1",
    "gateways": f"apis/{GATEWAY}/v1",
}
"""Services and what leads to them: the API of each kind."""
SEARCHED = ("services", "ingresses", "routes", "gateways")
OFFERED = {**LEADING, "endpointslices": f"apis/{DISCOVERY}/v1"}
NOT_EVERYWHERE = (GATEWAY, METRICS)
"""API groups that a cluster has only when somebody installed them."""
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class KubernetesCatalog:
    """Fulfils ClusterCatalog. client_node: where the load comes from, "" when unknown or outside of the cluster.

    now: seconds of a clock that never goes back.
    """

    def __init__(self, clusters: Clusters, client_node: str = "", now: Callable[[], float] = time.monotonic) -> None:
        self._clusters = clusters
        self._client_node = client_node
        self._now = now
        self._searched: dict[ClusterClient, tuple[float, ClusterObjects]] = {}

    async def targets(self) -> TargetList:
        """See ClusterCatalog. What cannot be read is in `problem`; the rest is listed all the same."""
        lists = await asyncio.gather(*(self._targets_of(cluster) for cluster in self._clusters.all()))
        contexts = tuple(cluster.context for cluster in self._clusters.all() if cluster.context)
        return replace(_joined(lists), contexts=contexts)

    async def permissions(self, service: str = "") -> PermissionList:
        context = namespace = ""
        try:
            ref = service_ref(service) if service else None
            cluster = await self._clusters.check(ref) if ref else self._clusters.all()[0]
            context = cluster.context
            namespace = ref.namespace if ref else (await self._clusters.namespaces(cluster))[0]
            return PermissionList(await permissions_of(cluster, namespace), context, namespace)
        except ScaleError as error:
            return PermissionList((), context, namespace, str(error))

    async def find(self, service: ServiceRef) -> ServiceFound:
        """The Service as it is now. Raises ClusterUnavailable, TargetRefused for a namespace that is not looked at,
        and TargetUnavailable when there is no such Service."""
        cluster = await self._clusters.check(service)
        base = f"namespaces/{service.namespace}"
        label = {"labelSelector": f"{objects.SERVICE_LABEL}={service.name}"}
        named = {"fieldSelector": f"metadata.name={service.name}"}
        (services, _), (slices, _) = await asyncio.gather(
            listed(cluster, f"/api/v1/{base}/services", named),
            listed(cluster, f"/apis/{DISCOVERY}/v1/{base}/endpointslices", label),
        )
        if not services:
            raise TargetUnavailable(
                f"There is no Service {service} in the cluster. See kubectl -n {service.namespace} get services."
            )
        found = objects.service(services[0])
        parsed = list(map(objects.endpoint_slice, slices))
        endpoints = objects.endpoints_of(parsed)
        problem, idle = problem_of(found, endpoints)
        ports = tuple(port.number for port in found.ports)
        ready = [endpoint for endpoint in endpoints.values() if endpoint.ready]
        drops = dropped(found, ready, await self._nodes(cluster, found), self._client_node)
        at = tuple((each.ip, port) for part in parsed for each in part.endpoints if each.ready for port in part.ports)
        own = (*found.virtual, *found.outside)
        return ServiceFound(service, own, ports, problem, idle, drops, found.headless, at)

    async def _nodes(self, cluster: ClusterClient, service: objects.Service) -> list[objects.Node]:
        """Those whose ports may lead to no pod; none where that cannot be or may not be known."""
        if self._client_node or service.settings.external_traffic_policy != "Local":
            return []
        return list(map(objects.node, await _or_nothing(listed(cluster, "/api/v1/nodes"), [])))

    async def _targets_of(self, cluster: ClusterClient) -> TargetList:
        try:
            namespaces = await self._clusters.namespaces(cluster)
        except ClusterUnavailable as error:
            return TargetList(problem=str(error))
        return _joined(await asyncio.gather(*(self._in_namespace(cluster, name) for name in namespaces)))

    async def leads_to(
        self, url: str, addresses: Sequence[str], headers: Mapping[str, str], recent_s: float = 0.0
    ) -> ServiceRef | None:
        """The Service to which a URL leads that names none; None for no Service, or several. See `services_at`.

        Of several that a route shares by weights, one that gets requests: whoever watches its pods finds the others.
        recent_s: how old may be what the cluster listed last.
        """
        found = await asyncio.gather(*(self._search(each, recent_s) for each in self._clusters.all()))
        reached = [_reached(each, url, addresses, headers) for each in found]
        services = {str(service): service for each in reached for service in each}
        return next(iter(services.values())) if len(services) == 1 else None

    async def _search(self, cluster: ClusterClient, recent_s: float) -> ClusterObjects:
        """All in the cluster that a URL may lead to; nothing when it cannot be asked."""
        at_s, known = self._searched.get(cluster, (self._now(), None))
        if known is None or self._now() - at_s >= recent_s:
            at_s, known = self._now(), await self._searchable(cluster)
            self._searched[cluster] = at_s, known
        return known

    async def _searchable(self, cluster: ClusterClient) -> ClusterObjects:
        try:
            namespaces = await self._clusters.namespaces(cluster)
        except ClusterUnavailable:
            return ClusterObjects(())
        nodes, parts = await asyncio.gather(
            _or_nothing(listed(cluster, "/api/v1/nodes"), []),
            asyncio.gather(*(_read(cluster, name, LEADING, []) for name in namespaces)),
        )
        of_all: dict[str, Any] = {kind: [each for part in parts for each in getattr(part, kind)] for kind in SEARCHED}
        at_nodes = [address for node in nodes for address in objects.node(node).addresses]
        return ClusterObjects(**of_all, context=cluster.context, nodes=at_nodes)

    async def _in_namespace(self, cluster: ClusterClient, namespace: str) -> TargetList:
        problems: list[str] = []
        found = await _read(cluster, namespace, OFFERED, problems)
        problem = " ".join(dict.fromkeys(problems))
        return TargetList(targets=tuple(targets_of(found)), namespaces=(namespace,), problem=problem)


def _reached(
    found: ClusterObjects, url: str, addresses: Sequence[str], headers: Mapping[str, str]
) -> Sequence[ServiceRef]:
    """The Services of one cluster that share the URL's requests; one of them where a route shares them by weights."""
    services = services_at(found, url, addresses, headers)
    shares = shares_of(services[0], url, found.ingresses, found.routes, headers) if len(services) > 1 else None
    weights = shares.weights if shares else {}
    if not {replace(each, port=0) for each in services} <= weights.keys():
        return services
    return [each for each in services if weights[replace(each, port=0)]][:1]


async def _read(
    cluster: ClusterClient, namespace: str, kinds: Mapping[str, str], problems: list[str]
) -> ClusterObjects:
    """The objects of these kinds, of which services is one. problems: gets what could not be read."""
    where = "" if namespace == "*" else f"/namespaces/{namespace}"
    paths = {kind: f"/{api}{where}/{kind}" for kind, api in kinds.items()}
    lists = await asyncio.gather(*(_or_nothing(listed(cluster, path), problems) for path in paths.values()))
    documents: dict[str, list[Json]] = dict(zip(paths, lists, strict=True))
    return ClusterObjects(
        [objects.service(each) for each in documents["services"]],
        [objects.endpoint_slice(each) for each in documents.get("endpointslices", ())],
        documents["ingresses"],
        documents["httproutes"],
        documents["gateways"],
        inside=cluster.inside,
        context=cluster.context,
    )


def _joined(lists: Sequence[TargetList]) -> TargetList:
    return TargetList(
        targets=tuple(target for each in lists for target in each.targets),
        namespaces=tuple(dict.fromkeys(name for each in lists for name in each.namespaces)),
        problem=" ".join(dict.fromkeys(each.problem for each in lists if each.problem)),
    )


async def _or_nothing(reading: Awaitable[tuple[list[Json], str]], problems: list[str]) -> list[Json]:
    """The objects; none for a kind that this cluster does not serve, or, with a sentence, may not or cannot be read."""
    try:
        return (await reading)[0]
    except NotThere:
        return []
    except ClusterForbidden as error:
        problems.append(f"Not listed, because the account may not {error.rule}.")
    except ClusterUnavailable as error:
        problems.append(str(error))
    return []


async def permissions_of(cluster: ClusterClient, namespace: str) -> tuple[SourcePermission, ...]:
    """A row for each of NEEDS, for one namespace or "*" for all. Raises ClusterUnavailable."""
    asked = list(dict.fromkeys((need.cluster_wide, rule) for need in NEEDS for rule in need.rules))
    answers = await asyncio.gather(*(_may(cluster, rule, "*" if wide else namespace) for wide, rule in asked))
    served = await asyncio.gather(*(serves(cluster, group) for group in NOT_EVERYWHERE))
    unserved = [group for group, there in zip(NOT_EVERYWHERE, served, strict=True) if not there]
    allowed = dict(zip(asked, answers, strict=True))
    return tuple(
        _row(need, {rule: allowed[need.cluster_wide, rule] for rule in need.rules}, unserved) for need in NEEDS
    )


async def serves(cluster: ClusterClient, group: str) -> bool:
    """True unless the cluster has no such API group. Raises ClusterUnavailable."""
    try:
        await cluster.get(f"/apis/{group}")
    except NotThere:
        return False
    except ClusterForbidden:  # a right to use it says nothing about the right to ask for it
        return True
    return True


async def _may(cluster: ClusterClient, rule: Rule, namespace: str) -> bool | None:
    """None when the cluster says neither yes nor no, because an authorizer of it failed."""
    resource, _, subresource = rule.resource.partition("/")
    attributes = {
        "verb": rule.verb,
        "group": rule.api_group,
        "resource": resource,
        **({"subresource": subresource} if subresource else {}),
        **({} if namespace == "*" else {"namespace": namespace}),
    }
    answer = await cluster.post(
        REVIEWS,
        {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        },
    )
    if at(answer, "status", "allowed") is True:
        return True
    return None if at(answer, "status", "evaluationError") else False


def _row(need: Need, allowed: dict[Rule, bool | None], unserved: Sequence[str]) -> SourcePermission:
    """unserved: API groups that the cluster has not."""
    lacking = next((rule.api_group for rule in need.rules if rule.api_group in unserved), "")
    missing = tuple(rule for rule, answer in allowed.items() if answer is False)
    unsure = any(answer is None for answer in allowed.values())
    if missing:
        rules = " and ".join(str(rule) for rule in missing)
        sentence = f"Not allowed: the account lacks {rules}. Grant it in a Role, or do without: {need.used_for}."
    elif unsure:
        sentence = f"The cluster could not say whether this is allowed: {need.used_for}."
    elif lacking:
        sentence = f"Allowed, but this cluster has no {lacking}, so there is nothing to read: {need.used_for}."
    else:
        sentence = f"Works: {need.used_for}."
    return SourcePermission(
        need.source, need.used_for, need.rules, None if unsure and not missing else not missing, missing, sentence
    )
