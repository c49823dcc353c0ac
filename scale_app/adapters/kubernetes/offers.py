"""From a cluster's objects to the targets that people choose from, each with its URL or the reason why it has none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from scale_app.adapters.kubernetes import objects
from scale_app.adapters.kubernetes.leading import backends_of, chosen_by, paths_of, weights_of
from scale_app.adapters.kubernetes.objects import Endpoint, Json, Port, Service, Slice, int_at, list_at, text_at
from scale_app.domain.cluster import ClusterTarget, Place, ServiceRef, ServiceSettings, TargetKind

PATTERN_CHARACTERS = set("*()[]{}^$|\\?+ ")


@dataclass(frozen=True, slots=True)
class ClusterObjects:
    """What one cluster has. inside: Scale runs in it. context: as targets name it, "" for the only one.

    nodes: addresses and names of its nodes.
    """

    services: Sequence[Service]
    slices: Sequence[Slice] = ()
    ingresses: Sequence[Json] = ()
    routes: Sequence[Json] = ()
    gateways: Sequence[Json] = ()
    inside: bool = False
    context: str = ""
    nodes: Sequence[str] = ()
    by_name: Mapping[tuple[str, str], Service] = field(init=False)
    endpoints: Mapping[tuple[str, str], Mapping[str, Endpoint]] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {(each.namespace, each.name): each for each in self.services})
        grouped: dict[tuple[str, str], list[Slice]] = {}
        for each in self.slices:
            grouped.setdefault((each.namespace, each.service), []).append(each)
        object.__setattr__(self, "endpoints", {key: objects.endpoints_of(slices) for key, slices in grouped.items()})


def targets_of(found: ClusterObjects) -> list[ClusterTarget]:
    """Services first, then what leads to them; by namespace and name within."""
    plain = [target for service in found.services for target in _service_targets(found, service)]
    leading = [*_ingress_targets(found), *_route_targets(found)]
    return [*sorted(plain, key=_order), *sorted(leading, key=_order)]


def problem_of(service: Service, endpoints: Mapping[str, Endpoint]) -> tuple[str, bool]:
    """Why a Service cannot be loaded, "" when it can, and whether a ready pod is all that it lacks."""
    never = _why_never(service)
    if never or any(endpoint.ready for endpoint in endpoints.values()):
        return never, False
    why, name = _not_ready(len(endpoints)), f"{service.namespace}/{service.name}"
    return f"Service {name} would not answer: {why}. See kubectl -n {service.namespace} get pods.", True


def _why_never(service: Service) -> str:
    """Why a Service of this kind cannot be loaded, whatever its pods do; "" when it can."""
    name = f"{service.namespace}/{service.name}"
    if service.kind == "ExternalName":
        return (
            f"Service {name} is of type ExternalName: it is another name for {service.external_name or 'nothing'} and "
            "has no pods. Load that host by its own URL."
        )
    if not service.selector:
        return (
            f"Service {name} has no selector, so Kubernetes does not know which pods are behind it, and none can be "
            "counted. Give it a selector, or load it by URL only."
        )
    if service.headless:
        return (
            f"Service {name} is headless (clusterIP: None): its clients choose a pod by DNS, and nothing balances "
            "between them. Load a Service with a cluster IP, or, to choose as such clients do, give its name as the "
            "target, with dns: connection and without a service."
        )
    if not service.ports:
        return f"Service {name} has no TCP port, so it does not speak HTTP. Choose another Service."
    return ""


def _not_ready(pods: int) -> str:
    if pods == 0:
        return "no pod matches its selector"
    return "its only pod is not ready" if pods == 1 else f"none of its {pods} pods is ready"


def notable_of(settings: ServiceSettings, endpoints: Iterable[Endpoint]) -> tuple[str, ...]:
    """The settings that decide who of the pods gets a connection, in Kubernetes' own words; () for the defaults."""
    shown = list(endpoints)
    by_kind = {"forNodes": any(each.for_nodes for each in shown), "forZones": any(each.for_zones for each in shown)}
    hints = ", ".join(kind for kind, given in by_kind.items() if given)
    lines = (
        (settings.session_affinity != "None", f"sessionAffinity: {settings.session_affinity}"),
        (settings.internal_traffic_policy == "Local", "internalTrafficPolicy: Local"),
        (settings.external_traffic_policy == "Local", "externalTrafficPolicy: Local"),
        (bool(settings.traffic_distribution), f"trafficDistribution: {settings.traffic_distribution}"),
        (settings.topology_hints, "topology-mode: Auto"),
        (bool(hints), f"endpoint hints: {hints}"),
    )
    return tuple(line for holds, line in lines if holds)


def places_of(endpoints: Iterable[Endpoint]) -> tuple[Place, ...]:
    """The pods by node."""
    rows: dict[tuple[str, str], list[bool]] = {}
    for each in endpoints:
        rows.setdefault((each.node, each.zone), []).append(each.ready)
    return tuple(Place(node, zone, sum(ready), len(ready)) for (node, zone), ready in sorted(rows.items()))


def _order(target: ClusterTarget) -> tuple[str, ...]:
    return target.service.namespace, target.name, target.kind, target.url


def _service_targets(found: ClusterObjects, service: Service) -> Iterator[ClusterTarget]:
    if not service.ports:
        yield _target(found, service, "Service", service.name, "", 0)
    for port in service.ports:
        yield _target(found, service, "Service", service.name, _service_url(found, service, port), port.number)


def _target(found: ClusterObjects, service: Service, kind: TargetKind, name: str, url: str, port: int) -> ClusterTarget:
    endpoints = found.endpoints.get((service.namespace, service.name), {})
    problem, _ = problem_of(service, endpoints)
    return ClusterTarget(
        kind=kind,
        name=name,
        service=ServiceRef(service.namespace, service.name, found.context, port),
        url="" if problem else url,
        ready=sum(endpoint.ready for endpoint in endpoints.values()),
        pods=len(endpoints),
        places=places_of(endpoints.values()),
        settings=service.settings,
        notable=notable_of(service.settings, endpoints.values()),
        problem=problem,
    )


def _service_url(found: ClusterObjects, service: Service, port: Port) -> str:
    """Inside by its name; outside by its load balancer, else by the cluster's address, should it lead there."""
    if found.inside:
        host = f"{service.name}.{service.namespace}.svc"
    else:
        host = next(iter((*service.outside, *service.virtual)), "")
    return _url(port.secure, host, port.number) if host else ""


def _url(secure: bool, host: str, port: int, path: str = "/") -> str:
    shown = f"[{host}]" if ":" in host else host
    usual = 443 if secure else 80
    return f"{'https' if secure else 'http'}://{shown}{'' if port == usual else f':{port}'}{path}"


def _ingress_targets(found: ClusterObjects) -> Iterator[ClusterTarget]:
    for ingress in found.ingresses:
        name, namespace = text_at(ingress, "metadata", "name"), text_at(ingress, "metadata", "namespace")
        secure = {host for tls in list_at(ingress, "spec", "tls") for host in list_at(tls, "hosts")}
        address = _address(list_at(ingress, "status", "loadBalancer", "ingress"), "ip", "hostname")
        for host, path in paths_of(ingress):
            service = found.by_name.get((namespace, text_at(path, "backend", "service", "name")))
            if service is None:
                continue
            reached = host if host and "*" not in host else address
            begins = text_at(path, "path") or "/"
            url = _url(host in secure, reached, 443 if host in secure else 80, begins) if reached else ""
            port = int_at(path, "backend", "service", "port", "number")
            target = _checked(_target(found, service, "Ingress", name, url, port), reached, begins)
            yield replace(target, notable=(*target.notable, *chosen_by(ingress)))


def _checked(target: ClusterTarget, host: str, path: str) -> ClusterTarget:
    """The target, with the reason if its URL cannot be known."""
    if target.problem:
        return target
    if not host:
        problem = f"{target.kind} {target.name} names no host and has no address yet, so its URL is not known."
    elif set(path) & PATTERN_CHARACTERS or not path.startswith("/"):
        problem = f"The path of {target.kind} {target.name} is a pattern ({path}): write a URL that it matches."
    else:
        return target
    return replace(target, url="", problem=problem)


def _route_targets(found: ClusterObjects) -> Iterator[ClusterTarget]:
    gateways = {
        (text_at(each, "metadata", "namespace"), text_at(each, "metadata", "name")): each for each in found.gateways
    }
    for route in found.routes:
        namespace = text_at(route, "metadata", "namespace")
        parent = next(iter(list_at(route, "spec", "parentRefs")), None)
        of_gateway = text_at(parent, "namespace") or namespace, text_at(parent, "name")
        gateway = gateways.get(of_gateway)
        for rule in list_at(route, "spec", "rules"):
            for target in _rule_targets(found, route, rule, gateway, text_at(parent, "sectionName")):
                yield target if gateway or target.problem else _without_gateway(target, "/".join(of_gateway))


def _without_gateway(target: ClusterTarget, gateway: str) -> ClusterTarget:
    problem = f"The URL of HTTPRoute {target.name} is not known, because its Gateway {gateway} is not listed."
    return replace(target, url="", problem=problem)


def _rule_targets(
    found: ClusterObjects, route: Json, rule: Json, gateway: Json | None, section: str
) -> Iterator[ClusterTarget]:
    namespace, name = text_at(route, "metadata", "namespace"), text_at(route, "metadata", "name")
    hosts = [host for host in list_at(route, "spec", "hostnames") if isinstance(host, str) and "*" not in host]
    secure, port = _listener(gateway, section)
    host = hosts[0] if hosts else _address(list_at(gateway, "status", "addresses"), "value")
    match = next(iter(list_at(rule, "matches")), None)
    path = text_at(match, "path", "value") or "/"
    for ref in backends_of(rule):
        service = found.by_name.get((text_at(ref, "namespace") or namespace, text_at(ref, "name")))
        if service is None or int_at(ref, "weight", default=1) == 0:
            continue
        url = _url(secure, host, port, path) if host else ""
        target = _checked(_target(found, service, "HTTPRoute", name, url, int_at(ref, "port")), host, path)
        shared = weights_of(rule)
        yield replace(target, notable=(*target.notable, shared) if shared else target.notable)


def _listener(gateway: Json | None, section: str) -> tuple[bool, int]:
    listeners = [
        each
        for each in list_at(gateway, "spec", "listeners")
        if text_at(each, "protocol") in ("HTTP", "HTTPS") and section in ("", text_at(each, "name"))
    ]
    first = next(iter(listeners), None)
    secure = text_at(first, "protocol") == "HTTPS"
    return secure, int_at(first, "port", default=443 if secure else 80)


def _address(items: Iterable[object], *keys: str) -> str:
    return next((text for item in items for key in keys if (text := text_at(item, key))), "")
