"""Which Services a URL leads to: by the host that an Ingress or HTTPRoute is for, else by the address itself.

A person who copies a cluster's address, a node port or an Ingress's host means the Service behind it; a run that does
not know it knows nothing of the pods that get no request.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile
from urllib.parse import urlsplit

from scale_app.adapters.kubernetes.leading import backends_of, conditions_met, paths_of
from scale_app.adapters.kubernetes.objects import Json, clean, dict_at, int_at, list_at, text_at
from scale_app.adapters.kubernetes.offers import PATTERN_CHARACTERS, ClusterObjects
from scale_app.domain.cluster import ServiceRef, port_of_url
from scale_app.domain.secret import host_asked


@dataclass(frozen=True, slots=True)
class Way:
    """One path of an Ingress or HTTPRoute. host: "" for any, at these addresses. exact: nothing below the path.
    conditions: on headers, all of which are met."""

    host: str
    addresses: frozenset[str]
    path: str
    exact: bool
    services: tuple[ServiceRef, ...]
    conditions: int = 0

    def rank(self, host: str, here: Collection[str], path: str) -> tuple[int, bool, int, int] | None:
        """How closely it fits, the closest the largest; None when it does not lead there."""
        named = self._host_rank(host, here)
        prefix = "".join(takewhile(lambda character: character not in PATTERN_CHARACTERS, self.path)).rstrip("/")
        below = path.startswith(f"{prefix}/") and not self.exact
        if named is None or not (below or path == self.path or path == prefix):
            return None
        return named, self.exact, len(prefix), self.conditions

    def _host_rank(self, host: str, here: Collection[str]) -> int | None:
        if not self.host:
            return 0 if self.addresses & set(here) else None
        if self.host == host:
            return 2
        return 1 if self.host.startswith("*.") and host.endswith(self.host[1:]) else None


def services_at(
    found: ClusterObjects, url: str, addresses: Iterable[str], headers: Mapping[str, str]
) -> list[ServiceRef]:
    """All that share the URL's requests. addresses: that its host resolves to. headers: that each request has."""
    parts, host = urlsplit(url), host_asked(url, headers)
    here = {_plain(each) for each in (*addresses, parts.hostname or "")}
    ways = (*_of_ingresses(found), *_of_routes(found, headers))
    ranks = [way.rank(host, here, parts.path or "/") for way in ways]
    closest = max((rank for rank in ranks if rank is not None), default=None)
    if closest is not None:
        return [service for rank, way in zip(ranks, ways, strict=True) if rank == closest for service in way.services]
    return list(_at_address(found, here, port_of_url(url)))


def _at_address(found: ClusterObjects, here: Collection[str], port: int) -> Iterator[ServiceRef]:
    at_node = not _plain_all(found.nodes).isdisjoint(here)
    for service in found.services:
        own = not _plain_all((*service.virtual, *service.outside)).isdisjoint(here)
        for each in service.ports:
            if (own and each.number == port) or (at_node and each.of_node == port):
                yield ServiceRef(service.namespace, service.name, found.context, each.number)


def _of_ingresses(found: ClusterObjects) -> Iterator[Way]:
    for ingress in found.ingresses:
        given = list_at(ingress, "status", "loadBalancer", "ingress")
        addresses = _plain_all(text_at(each, key) for each in given for key in ("ip", "hostname"))
        if default := _backend(found, ingress, dict_at(ingress, "spec", "defaultBackend")):
            yield Way("", addresses, "/", exact=False, services=default)
        for host, path in paths_of(ingress):
            begins, exact = text_at(path, "path") or "/", text_at(path, "pathType") == "Exact"
            services = _backend(found, ingress, dict_at(path, "backend"))
            yield Way(host.lower(), addresses, begins, exact, services)


def _backend(found: ClusterObjects, ingress: Json, backend: Json) -> tuple[ServiceRef, ...]:
    name, port = text_at(backend, "service", "name"), int_at(backend, "service", "port", "number")
    return (ServiceRef(text_at(ingress, "metadata", "namespace"), name, found.context, port),) if name else ()


def _of_routes(found: ClusterObjects, headers: Mapping[str, str]) -> Iterator[Way]:
    for route in found.routes:
        addresses = _plain_all(_gateway_addresses(found, route))
        hosts = [text.lower() for each in list_at(route, "spec", "hostnames") if (text := clean(each))] or [""]
        for rule in list_at(route, "spec", "rules"):
            services = tuple(_route_backends(found, route, rule))
            for match in list_at(rule, "matches") or [{}]:
                if (met := conditions_met(match, headers)) is not None:
                    begins, exact = text_at(match, "path", "value") or "/", text_at(match, "path", "type") == "Exact"
                    yield from (Way(host, addresses, begins, exact, services, met) for host in hosts)


def _gateway_addresses(found: ClusterObjects, route: Json) -> Iterator[str]:
    namespace = text_at(route, "metadata", "namespace")
    parents = list_at(route, "spec", "parentRefs")
    wanted = {(text_at(each, "namespace") or namespace, text_at(each, "name")) for each in parents}
    for gateway in found.gateways:
        if (text_at(gateway, "metadata", "namespace"), text_at(gateway, "metadata", "name")) in wanted:
            yield from (text_at(each, "value") for each in list_at(gateway, "status", "addresses"))


def _route_backends(found: ClusterObjects, route: Json, rule: Json) -> Iterator[ServiceRef]:
    namespace = text_at(route, "metadata", "namespace")
    for ref in backends_of(rule):
        name, weight = text_at(ref, "name"), int_at(ref, "weight", default=1)
        if name and weight:
            yield ServiceRef(text_at(ref, "namespace") or namespace, name, found.context, int_at(ref, "port"))


def _plain_all(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(map(_plain, filter(None, texts)))


def _plain(text: str) -> str:
    """An address or a name in one spelling."""
    try:
        return str(ipaddress.ip_address(text.partition("%")[0]))
    except ValueError:
        return text.lower().rstrip(".")
