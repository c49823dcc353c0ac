"""Which route, if any, shares a run's requests among several Services: an HTTPRoute's weights, an Ingress's canary."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re
from collections.abc import AsyncGenerator, Awaitable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar
from urllib.parse import urlsplit

from scale_app.adapters.kubernetes import objects
from scale_app.adapters.kubernetes.client import ClusterClient
from scale_app.adapters.kubernetes.entry import entry_of
from scale_app.adapters.kubernetes.leading import NGINX, backends_of, conditions_met, paths_of, read_routes
from scale_app.adapters.kubernetes.list_watch import listed
from scale_app.adapters.kubernetes.objects import Json, int_at, labels_at, list_at, text_at
from scale_app.domain.cluster import ServiceRef, Split, service_of_url
from scale_app.domain.errors import ScaleError
from scale_app.domain.secret import host_asked
from scale_app.ports import Admitted

T = TypeVar("T")
log = logging.getLogger(__name__)

WHILE_SPLIT = 0.25
"""Of the time between two looks: until a change of weights is read, pods are judged by the wrong ones."""

Rule = tuple[str, int, Split]
"""A path, how many conditions on headers are met, and what it leads to; one Service alone has all the weight."""


async def follow_split(
    cluster: ClusterClient, target: Admitted, service: ServiceRef, every_s: float
) -> AsyncGenerator[Split | None, None]:
    """The split now, and again whenever it is another one; None where the Service gets everything, or routes may not be
    read. While they cannot be read, what was read last stands. Ends where the Service is reached directly.
    every_s: between two looks at most."""
    split: Split | None = None
    if await _or(True, _is_direct(cluster, service, target.url, target.networks)):
        yield None
        return
    yield (split := await _or(None, _split(cluster, service, target)))
    while True:
        await asyncio.sleep(every_s * WHILE_SPLIT if split else every_s)
        before, split = split, await _or(split, _split(cluster, service, target))
        if split != before:
            yield split


async def _or(otherwise: T, reading: Awaitable[T]) -> T:
    """What was read, or this where it could not be."""
    try:
        return await reading
    except ScaleError:
        return otherwise
    except Exception:
        log.exception("the routes to a Service could not be read")
        return otherwise


async def _split(cluster: ClusterClient, service: ServiceRef, target: Admitted) -> Split | None:
    return split_of(service, target.url, *await read_routes(cluster, service.namespace), target.headers)


async def _is_direct(cluster: ClusterClient, service: ServiceRef, url: str, networks: Sequence[str]) -> bool:
    named = service_of_url(url)
    if named is not None and (named.namespace, named.name) == (service.namespace, service.name):
        return True
    only = {"fieldSelector": f"metadata.name={service.name}"}
    services, _ = await listed(cluster, f"/api/v1/namespaces/{service.namespace}/services", only)
    return any(entry_of(objects.service(each), (), url, networks)[0] for each in services)


def split_of(
    service: ServiceRef,
    url: str,
    ingresses: Iterable[Json],
    routes: Iterable[Json],
    headers: Mapping[str, str] | None = None,
) -> Split | None:
    """What is left of `shares_of` without those that get nothing; None where the Service gets everything."""
    shares = shares_of(service, url, ingresses, routes, headers)
    weights = {each: weight for each, weight in shares.weights.items() if weight} if shares else {}
    return Split(shares.by, weights) if shares and weights.keys() - {replace(service, port=0)} else None


def shares_of(
    service: ServiceRef,
    url: str,
    ingresses: Iterable[Json],
    routes: Iterable[Json],
    headers: Mapping[str, str] | None = None,
) -> Split | None:
    """By the rule whose path fits the URL best; None where that one names no other Service, or not this one, or where
    two fit alike and differ. A Service may have a weight of 0. headers: that each request has."""
    host, path = host_asked(url, headers or {}), urlsplit(url).path or "/"
    given = headers or {}
    rules = [*_of_routes(service, host, routes, given), *_of_canaries(service, host, list(ingresses), given)]
    fitting = [rule for rule in rules if f"{path}/".startswith(f"{rule[0].rstrip('/')}/")]
    closest = max(((len(begins), met) for begins, met, _ in fitting), default=None)
    best = [split for begins, met, split in fitting if (len(begins), met) == closest and len(split.weights) > 1]
    own = replace(service, port=0)
    return best[0] if best and all(split == best[0] for split in best) and own in best[0].weights else None


def _of_routes(service: ServiceRef, host: str, routes: Iterable[Json], headers: Mapping[str, str]) -> Iterator[Rule]:
    for route in routes:
        if not _is_for(host, [name for name in list_at(route, "spec", "hostnames") if isinstance(name, str)]):
            continue
        name, namespace = text_at(route, "metadata", "name"), text_at(route, "metadata", "namespace")
        for rule in list_at(route, "spec", "rules"):
            weights = {
                ServiceRef(text_at(ref, "namespace") or namespace, text_at(ref, "name"), service.context): float(
                    int_at(ref, "weight", default=1)
                )
                for ref in backends_of(rule)
            }
            for match in list_at(rule, "matches") or [{}]:
                if (met := conditions_met(match, headers)) is not None:
                    yield text_at(match, "path", "value") or "/", met, Split(f"HTTPRoute {name}", weights)


def _of_canaries(
    service: ServiceRef, host: str, ingresses: Sequence[Json], headers: Mapping[str, str]
) -> Iterator[Rule]:
    """ingress-nginx sends a part of what an Ingress gets to the Service of another one that is its canary, or what has
    a header."""
    mains = [path for ingress in ingresses if not _is_canary(ingress) for path in _paths(service, host, ingress)]
    for ingress in filter(_is_canary, ingresses):
        annotation, weight, total = _part_of(ingress, headers)
        for to_host, begins, canary in _paths(service, host, ingress) if weight <= total else ():
            for main in (to for at, path, to in mains if (at, path) == (to_host, begins)):
                by = f"Ingress {text_at(ingress, 'metadata', 'name')} ({annotation})"
                yield begins, 0, Split(by, {main: float(total - weight), canary: float(weight)})


def _part_of(ingress: Json, headers: Mapping[str, str]) -> tuple[str, int, int]:
    """What of the requests a canary gets, of how many, and by which annotation: a header goes before the weight."""
    total = _number_at(ingress, "canary-weight-total", 100)
    takes = _by_header(labels_at(ingress, "metadata", "annotations"), headers)
    if takes is not None:
        return "canary-by-header", total if takes else 0, total
    return "canary-weight", _number_at(ingress, "canary-weight", 0), total


def _by_header(annotations: Mapping[str, str], headers: Mapping[str, str]) -> bool | None:
    """Whether these headers lead to the canary; None where they say nothing, so that the weight decides."""
    name = annotations.get(f"{NGINX}canary-by-header", "").lower()
    sent = next((value for header, value in headers.items() if name and header.lower() == name), None)
    if sent is None:
        return None
    value, pattern = (annotations.get(f"{NGINX}canary-by-header-{kind}", "") for kind in ("value", "pattern"))
    if value:
        return True if sent == value else None
    if pattern:
        return True if _fits(pattern, sent) else None
    return {"always": True, "never": False}.get(sent)


def _fits(pattern: str, sent: str) -> bool:
    """As nginx does, which looks for it anywhere; a pattern that is none fits nothing."""
    try:
        return re.search(pattern, sent) is not None
    except re.error:
        return False


def _is_canary(ingress: Json) -> bool:
    return labels_at(ingress, "metadata", "annotations").get(f"{NGINX}canary") == "true"


def _number_at(ingress: Json, annotation: str, default: int) -> int:
    text = labels_at(ingress, "metadata", "annotations").get(NGINX + annotation, "")
    return int(text) if text.isdecimal() else default


def _paths(service: ServiceRef, host: str, ingress: Json) -> Iterator[tuple[str, str, ServiceRef]]:
    namespace = text_at(ingress, "metadata", "namespace")
    for at, path in paths_of(ingress):
        if _is_for(host, [at] if at else []):
            to = ServiceRef(namespace, text_at(path, "backend", "service", "name"), service.context)
            yield at, text_at(path, "path") or "/", to


def _is_for(host: str, names: Sequence[str]) -> bool:
    """Whether these names lead a request to that host. Behind an address may be any of them."""
    if not names or _is_address(host):
        return True
    return any(name == host or (name.startswith("*.") and host.endswith(name[1:])) for name in names)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
