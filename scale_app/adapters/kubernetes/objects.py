"""What is read of Kubernetes' objects, as narrow types. JSON in, frozen values out; no I/O.

Whatever the API server answers, a missing or odd field is a default: an object that somebody made on purpose to be
strange must not hide the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, get_args

from scale_app.adapters.kubernetes.border import quoted
from scale_app.domain.cluster import (
    ExternalTrafficPolicy,
    InternalTrafficPolicy,
    ServiceSettings,
    SessionAffinity,
    TrafficDistribution,
)
from scale_app.domain.samples import PodUsage

T = TypeVar("T")
Json = Mapping[str, Any]
ZONE_LABEL = "topology.kubernetes.io/zone"
SERVICE_LABEL = "kubernetes.io/service-name"
TOPOLOGY_ANNOTATIONS = ("service.kubernetes.io/topology-mode", "service.kubernetes.io/topology-aware-hints")


@dataclass(frozen=True, slots=True)
class Port:
    """A TCP port of a Service. secure: it speaks TLS, as far as its name, number or appProtocol says. of_node: the port
    of every node that leads to it, 0 for none."""

    number: int
    name: str
    secure: bool
    of_node: int = 0


@dataclass(frozen=True, slots=True)
class Service:
    """virtual: its cluster addresses, none for a headless one. outside: addresses or names of its load balancer."""

    namespace: str
    name: str
    kind: str
    selector: Mapping[str, str]
    ports: tuple[Port, ...]
    virtual: tuple[str, ...]
    headless: bool
    outside: tuple[str, ...]
    external_name: str
    settings: ServiceSettings


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A pod in an EndpointSlice. ready: traffic goes to it. for_nodes, for_zones: hints whom it is for."""

    pod: str
    uid: str
    ip: str
    node: str
    zone: str
    ready: bool
    terminating: bool
    for_nodes: tuple[str, ...]
    for_zones: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Slice:
    """endpoints: those that are pods. ports: on which these serve the Service's requests."""

    namespace: str
    service: str
    endpoints: tuple[Endpoint, ...]
    ports: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Pod:
    """over: it has ended for good. probed: every container that stays has a readiness probe, or it has none."""

    name: str
    uid: str
    node: str
    owner: str
    restarts: int
    terminating: bool
    over: bool
    probed: bool
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Node:
    name: str
    zone: str
    ready: bool
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Workload:
    """wanted: pods. labels: of the pods that it makes."""

    kind: str
    name: str
    wanted: int
    labels: Mapping[str, str]


def service(document: Json) -> Service:
    spec = dict_at(document, "spec")
    virtual = tuple(text for text in map(clean, list_at(spec, "clusterIPs") or [spec.get("clusterIP")]) if text)
    balancers = dicts_at(document, "status", "loadBalancer", "ingress")
    return Service(
        namespace=text_at(document, "metadata", "namespace"),
        name=text_at(document, "metadata", "name"),
        kind=text_at(spec, "type") or "ClusterIP",
        selector=labels_at(spec, "selector"),
        ports=tuple(_port(port) for port in list_at(spec, "ports") if _is_tcp(port)),
        virtual=tuple(text for text in virtual if text != "None"),
        headless="None" in virtual,
        outside=tuple(text_at(item, "ip") or text_at(item, "hostname") for item in balancers),
        external_name=text_at(spec, "externalName"),
        settings=_settings(document, spec),
    )


def endpoint_slice(document: Json) -> Slice:
    pods = [item for item in dicts_at(document, "endpoints") if text_at(item, "targetRef", "kind") == "Pod"]
    return Slice(
        namespace=text_at(document, "metadata", "namespace"),
        service=text_at(document, "metadata", "labels", SERVICE_LABEL),
        endpoints=tuple(pod for pod in map(_endpoint, pods) if pod.pod),
        ports=tuple(number for port in list_at(document, "ports") if (number := int_at(port, "port"))),
    )


def endpoints_of(slices: Iterable[Slice]) -> dict[str, Endpoint]:
    """Each pod once, whatever the number of slices it is in (one per address family, one per set of ports)."""
    found: dict[str, Endpoint] = {}
    for each in slices:
        for endpoint in each.endpoints:
            known = found.get(endpoint.pod)
            if known is None or (endpoint.ready and not known.ready):
                found[endpoint.pod] = endpoint
    return found


def pod(document: Json) -> Pod:
    owners = dicts_at(document, "metadata", "ownerReferences")
    states = dicts_at(document, "status", "containerStatuses")
    containers = dicts_at(document, "spec", "containers")
    return Pod(
        name=text_at(document, "metadata", "name"),
        uid=text_at(document, "metadata", "uid"),
        node=text_at(document, "spec", "nodeName"),
        owner=next((text_at(item, "name") for item in owners), ""),
        restarts=sum(int_at(item, "restartCount") for item in states),
        terminating=bool(text_at(document, "metadata", "deletionTimestamp")),
        over=text_at(document, "status", "phase") in ("Succeeded", "Failed"),
        probed=any("readinessProbe" in item for item in containers),
        labels=labels_at(document, "metadata", "labels"),
    )


def node(document: Json) -> Node:
    conditions = dicts_at(document, "status", "conditions")
    ready = any(item.get("type") == "Ready" and item.get("status") == "True" for item in conditions)
    zone = text_at(document, "metadata", "labels", ZONE_LABEL)
    addresses = tuple(text_at(item, "address") for item in dicts_at(document, "status", "addresses"))
    return Node(text_at(document, "metadata", "name"), zone, ready, addresses)


def workload(kind: str) -> Callable[[Json], Workload]:
    """Reads a Deployment, or another kind with replicas and a template."""
    return lambda document: Workload(
        kind,
        text_at(document, "metadata", "name"),
        int_at(document, "spec", "replicas", default=1),
        labels_at(document, "spec", "template", "metadata", "labels"),
    )


def usage(document: Json) -> tuple[str, PodUsage] | None:
    """A PodMetrics: the pod's name and what its containers use together; None for what is no quantity."""
    from kubernetes.utils.quantity import parse_quantity

    used = [dict_at(item, "usage") for item in dicts_at(document, "containers")]
    try:
        cores, memory = (sum(parse_quantity(text_at(item, key) or "0") for item in used) for key in ("cpu", "memory"))
    except ValueError:
        return None
    if not (math.isfinite(cores) and math.isfinite(memory)):
        return None
    return text_at(document, "metadata", "name"), PodUsage(round(float(cores), 3), int(memory))


def clean(value: object) -> str:
    """A text of the cluster, safe to show; "" for what is no text."""
    return quoted(value) if isinstance(value, str) else ""


def at(document: object, *keys: str) -> object:
    """What stands in the document under these keys, one inside the other; None where there is nothing."""
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def text_at(document: object, *keys: str) -> str:
    return clean(at(document, *keys))


def int_at(document: object, *keys: str, default: int = 0) -> int:
    value = at(document, *keys)
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def list_at(document: object, *keys: str) -> list[Any]:
    value = at(document, *keys)
    return value if isinstance(value, list) else []


def dicts_at(document: object, *keys: str) -> list[dict[str, Any]]:
    """The objects in a list; what is none is left out."""
    return [item for item in list_at(document, *keys) if isinstance(item, dict)]


def dict_at(document: object, *keys: str) -> dict[str, Any]:
    value = at(document, *keys)
    return value if isinstance(value, dict) else {}


def labels_at(document: object, *keys: str) -> dict[str, str]:
    return {str(key): value for key, value in dict_at(document, *keys).items() if isinstance(value, str)}


def _is_tcp(port: object) -> bool:
    return isinstance(port, dict) and port.get("protocol", "TCP") == "TCP" and int_at(port, "port") > 0


def _port(port: Json) -> Port:
    number, name = int_at(port, "port"), text_at(port, "name")
    said = text_at(port, "appProtocol").lower()
    secure = said in ("https", "kubernetes.io/wss") or (not said and (name.startswith("https") or number == 443))
    return Port(number, name, secure, int_at(port, "nodePort"))


def _settings(document: Json, spec: Json) -> ServiceSettings:
    annotations = labels_at(document, "metadata", "annotations")
    return ServiceSettings(
        session_affinity=_one_of(spec, "sessionAffinity", SessionAffinity),
        internal_traffic_policy=_one_of(spec, "internalTrafficPolicy", InternalTrafficPolicy),
        external_traffic_policy=_one_of(spec, "externalTrafficPolicy", ExternalTrafficPolicy),
        traffic_distribution=_one_of(spec, "trafficDistribution", TrafficDistribution),
        topology_hints=any(annotations.get(name, "").lower() == "auto" for name in TOPOLOGY_ANNOTATIONS),
        headless=text_at(spec, "clusterIP") == "None",
    )


def _one_of(spec: Json, key: str, kind: Any) -> Any:
    """The value, one of a Literal's; its first one, which is the default, for any other."""
    value = text_at(spec, key)
    return value if value in get_args(kind) else get_args(kind)[0]


def _endpoint(item: Json) -> Endpoint:
    conditions = dict_at(item, "conditions")
    return Endpoint(
        pod=text_at(item, "targetRef", "name"),
        uid=text_at(item, "targetRef", "uid"),
        ip=next(filter(None, map(clean, list_at(item, "addresses"))), ""),
        node=text_at(item, "nodeName"),
        zone=text_at(item, "zone"),
        ready=conditions.get("ready") is not False,  # unknown means ready, says the API
        terminating=conditions.get("terminating") is True,
        for_nodes=tuple(_names(list_at(item, "hints", "forNodes"))),
        for_zones=tuple(_names(list_at(item, "hints", "forZones"))),
    )


def _names(items: list[Any]) -> Iterator[str]:
    return (name for item in items if (name := text_at(item, "name")))
