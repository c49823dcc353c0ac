"""What leads to a Service and may choose among its pods: Ingresses, HTTPRoutes, and the mode of kube-proxy."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from scale_app.adapters.kubernetes.border import NotThere
from scale_app.adapters.kubernetes.client import ClusterClient
from scale_app.adapters.kubernetes.list_watch import listed
from scale_app.adapters.kubernetes.objects import Json, int_at, labels_at, list_at, text_at
from scale_app.domain.errors import ClusterForbidden, ScaleError
from scale_app.domain.source import GATEWAY, NETWORKING

NGINX = "nginx.ingress.kubernetes.io/"
CHOOSING = (
    "load-balance",
    "upstream-hash-by",
    "upstream-hash-by-subset",
    "upstream-hash-by-subset-size",
    "affinity",
    "affinity-mode",
    "affinity-canary-behavior",
    "session-cookie-name",
    "service-upstream",
    "canary",
    "canary-weight",
    "canary-weight-total",
    "canary-by-header",
    "canary-by-header-value",
    "canary-by-header-pattern",
    "canary-by-cookie",
)
"""Annotations of ingress-nginx that choose an algorithm or an affinity, or take a part of the traffic elsewhere."""
PROXY_PORT = 10249
ANSWER_WITHIN_S = 2.0
MODES = ("iptables", "ipvs", "nftables")


def chosen_by(ingress: Json) -> tuple[str, ...]:
    """The annotations of an Ingress that choose, as "load-balance: ewma"."""
    annotations = labels_at(ingress, "metadata", "annotations")
    return tuple(f"{name}: {value}" for name in CHOOSING if (value := annotations.get(NGINX + name)))


def paths_of(ingress: Json) -> list[tuple[str, Json]]:
    """The paths of an Ingress, each with its rule's host, "" for any."""
    rules = list_at(ingress, "spec", "rules")
    return [(text_at(rule, "host"), path) for rule in rules for path in list_at(rule, "http", "paths")]


def backends_of(rule: Json) -> list[Json]:
    """The Services to which a rule of an HTTPRoute leads."""
    return [ref for ref in list_at(rule, "backendRefs") if text_at(ref, "kind") in ("", "Service")]


def conditions_met(match: Json, headers: Mapping[str, str]) -> int | None:
    """How many conditions on headers a match of an HTTPRoute has; None where requests with these do not meet one."""
    sent = {name.lower(): value for name, value in headers.items()}
    conditions = list_at(match, "headers")
    return len(conditions) if all(_is_met(each, sent) for each in conditions) else None


def _is_met(condition: Json, sent: Mapping[str, str]) -> bool:
    value, wanted = sent.get(text_at(condition, "name").lower()), text_at(condition, "value")
    if value is None or text_at(condition, "type") != "RegularExpression":
        return value == wanted
    try:
        return re.fullmatch(wanted, value) is not None
    except re.error:
        return False


def weights_of(rule: Json) -> str:
    """The weights of a rule's backends, "" for one alone."""
    backends = backends_of(rule)
    weights = [f"{text_at(ref, 'name')} {int_at(ref, 'weight', default=1)}" for ref in backends]
    return f"backendRefs by weight: {', '.join(weights)}" if len(backends) > 1 else ""


def leading_to(service: str, ingresses: Iterable[Json], routes: Iterable[Json]) -> tuple[str, ...]:
    """What these objects of a Service's namespace say that chooses among its pods, or between it and others; sorted."""
    return tuple(sorted({*_by_ingresses(service, ingresses), *_by_routes(service, routes)}))


def _by_ingresses(service: str, ingresses: Iterable[Json]) -> Iterator[str]:
    for ingress in ingresses:
        backends = {text_at(path, "backend", "service", "name") for _, path in paths_of(ingress)}
        if service in backends | {text_at(ingress, "spec", "defaultBackend", "service", "name")}:
            name = text_at(ingress, "metadata", "name")
            yield from (f"Ingress {name}: {chosen}" for chosen in chosen_by(ingress))


def _by_routes(service: str, routes: Iterable[Json]) -> Iterator[str]:
    for route in routes:
        for rule in list_at(route, "spec", "rules"):
            names = {text_at(ref, "name") for ref in list_at(rule, "backendRefs")}
            if service in names and (weights := weights_of(rule)):
                yield f"HTTPRoute {text_at(route, 'metadata', 'name')}: {weights}"


async def read_leading(cluster: ClusterClient, namespace: str, service: str) -> tuple[str, ...]:
    """The same, read now; it is only kept beside the run. Raises ClusterUnavailable."""
    return leading_to(service, *await read_routes(cluster, namespace))


async def read_routes(cluster: ClusterClient, namespace: str) -> tuple[Sequence[Json], Sequence[Json]]:
    """The Ingresses and HTTPRoutes of a namespace; without a kind that may not be read or that the cluster has not.

    Raises ClusterUnavailable.
    """
    read: list[Sequence[Json]] = []
    for api, kind in ((NETWORKING, "ingresses"), (GATEWAY, "httproutes")):
        try:
            read.append((await listed(cluster, f"/apis/{api}/v1/namespaces/{namespace}/{kind}"))[0])
        except (ClusterForbidden, NotThere):
            read.append([])
    ingresses, routes = read
    return ingresses, routes


async def read_proxy_mode(cluster: ClusterClient, node: str) -> str:
    """The mode of kube-proxy on a node, as it says itself where its metrics can be reached; "" where unknown."""
    if not node:
        return ""
    try:
        path = f"/api/v1/nodes/{node}:{PROXY_PORT}/proxy/proxyMode"
        mode = (await cluster.text(path, limit_s=ANSWER_WITHIN_S)).decode("ascii", "replace").strip()
    except ScaleError:
        return ""
    return mode if mode in MODES else ""
