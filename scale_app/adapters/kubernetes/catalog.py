"""Lists what the configured clusters offer, finds the one Service of a plan, and asks what this account may do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence

from scale_app.adapters.kubernetes import objects
from scale_app.adapters.kubernetes.border import NotThere
from scale_app.adapters.kubernetes.client import Cluster, Json
from scale_app.adapters.kubernetes.clusters import Clusters
from scale_app.adapters.kubernetes.feed import listed
from scale_app.adapters.kubernetes.offers import Found, problem_of, targets_of
from scale_app.adapters.kubernetes.permissions import rows
from scale_app.adapters.kubernetes.sight import endpoints_of
from scale_app.domain.cluster import PermissionList, ServiceFound, ServiceRef, TargetList, service_ref
from scale_app.domain.cluster_rights import DISCOVERY, GATEWAY, NETWORKING
from scale_app.domain.errors import ClusterForbidden, ClusterUnavailable, ScaleError, TargetUnavailable

OPTIONAL = (
    (f"apis/{NETWORKING}/v1", "ingresses"),
    (f"apis/{GATEWAY}/v1", "httproutes"),
    (f"apis/{GATEWAY}/v1", "gateways"),
)


class KubernetesCatalog:
    """Fulfils ClusterCatalog."""

    def __init__(self, clusters: Clusters) -> None:
        self._clusters = clusters

    async def targets(self) -> TargetList:
        """See ClusterCatalog. What cannot be read is in `problem`; the rest is listed all the same."""
        lists = await asyncio.gather(*(self._targets_of(cluster) for cluster in self._clusters.all()))
        return TargetList(
            targets=tuple(target for each in lists for target in each.targets),
            contexts=tuple(cluster.context for cluster in self._clusters.all() if cluster.context),
            namespaces=tuple(dict.fromkeys(name for each in lists for name in each.namespaces)),
            problem=" ".join(dict.fromkeys(each.problem for each in lists if each.problem)),
        )

    async def permissions(self, service: str = "") -> PermissionList:
        """See ClusterCatalog."""
        context = namespace = ""
        try:
            ref = service_ref(service) if service else None
            cluster = await self._clusters.check(ref) if ref else self._clusters.all()[0]
            context = cluster.context
            namespace = ref.namespace if ref else (await self._clusters.namespaces(cluster))[0]
            return PermissionList(await rows(cluster, namespace), context, namespace)
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
        problem, idle = problem_of(found, endpoints_of(map(objects.endpoint_slice, slices)))
        ports = tuple(port.number for port in found.ports)
        return ServiceFound(service, (*found.virtual, *found.outside), ports, problem, idle)

    async def _targets_of(self, cluster: Cluster) -> TargetList:
        try:
            namespaces = await self._clusters.namespaces(cluster)
        except ClusterUnavailable as error:
            return TargetList(problem=str(error))
        parts = await asyncio.gather(*(self._in_namespace(cluster, name) for name in namespaces))
        return TargetList(
            targets=tuple(target for part in parts for target in part.targets),
            namespaces=namespaces,
            problem=" ".join(dict.fromkeys(part.problem for part in parts if part.problem)),
        )

    async def _in_namespace(self, cluster: Cluster, namespace: str) -> TargetList:
        where = "" if namespace == "*" else f"/namespaces/{namespace}"
        problems: list[str] = []

        async def read(api: str, kind: str) -> list[Json]:
            return await _or_nothing(listed(cluster, f"/{api}{where}/{kind}"), problems)

        services, slices, *others = await asyncio.gather(
            read("api/v1", "services"),
            read(f"apis/{DISCOVERY}/v1", "endpointslices"),
            *(read(api, kind) for api, kind in OPTIONAL),
        )
        found = _found(cluster, services, slices, others)
        problem = " ".join(dict.fromkeys(problems))
        return TargetList(targets=tuple(targets_of(found)), problem=problem)


def _found(cluster: Cluster, services: Sequence[Json], slices: Sequence[Json], others: Sequence[list[Json]]) -> Found:
    ingresses, routes, gateways = others
    return Found(
        services=[objects.service(each) for each in services],
        slices=[objects.endpoint_slice(each) for each in slices],
        ingresses=ingresses,
        routes=routes,
        gateways=gateways,
        inside=cluster.inside,
        context=cluster.context,
    )


async def _or_nothing(reading: Awaitable[tuple[list[Json], str]], problems: list[str]) -> list[Json]:
    """The objects; none for a kind that this cluster does not serve, or, with a sentence, may not or cannot be read."""
    try:
        return (await reading)[0]
    except NotThere:
        return []
    except ClusterForbidden as error:
        problems.append(f"Not listed, since the account may not {error.rule}.")
    except ClusterUnavailable as error:
        problems.append(str(error))
    return []
