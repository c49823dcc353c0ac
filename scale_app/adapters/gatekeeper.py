"""The gate that every plan passes: names are resolved and own addresses recognised here, the domain decides.

The only packets that leave are the resolver's, and one request to a name in a domain of this server's own. A name is
admitted with the addresses it has now, one network each; a service without a fixed address (headless, DNS failover)
that gets a new pod during a run is not loaded there until the next run. That is the price of refusing a name that is
later pointed at another machine.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from urllib.parse import urlsplit

from scale_app.domain.addresses import plain, readings
from scale_app.domain.admission import (
    Doors,
    check_behind,
    check_host_header,
    check_name,
    host_of,
    may_load,
    names_host,
    scale_answered,
)
from scale_app.domain.cluster import (
    NO_CLUSTER,
    ServiceFound,
    ServiceRef,
    port_of_url,
    service_admitted,
    service_of_url,
    service_ref,
)
from scale_app.domain.errors import ClusterUnavailable, TargetRefused, TargetUnavailable
from scale_app.domain.plan import LoadPlan
from scale_app.domain.secret import Destined, Secret, hosts_asked, needed
from scale_app.domain.snapshot import Source
from scale_app.domain.target import is_demo, is_simulated
from scale_app.ports import Admitted
from scale_app.secret_settings import check_elsewhere

RESOLVE_LIMIT_S = 5.0
LOOPBACK_V4 = "127.0.0.0/8"
CLUSTER_DOMAINS = ("", "cluster.local")
ANY_PORT = 9

FindService = Callable[[ServiceRef], Awaitable[ServiceFound]]
LeadsTo = Callable[[str, Sequence[str], Mapping[str, str], float], Awaitable[ServiceRef | None]]
Resolve = Callable[[str, int], Awaitable[list[str]]]
Ports = Callable[[], Collection[int]]
IsScale = Callable[[str, Sequence[str], str], Awaitable[bool]]


class TargetGatekeeper:
    """Fulfils ports.Gatekeeper. allowed: the operator's list. demo_url: starts the demo if need be, gives its URL.

    own_ports: those on which this server and what it started listen now. doors: where people reach it.

    find_service: looks a Service up in its cluster; leads_to: gives the one to which a URL leads, from the addresses of
    its host, the plan's headers, and how old the answer may be. None when no cluster is configured.
    secrets: of the operator, each with the targets that it is bound to. own_names: of this installation. own_domains:
    "*.domains" by whose names it answers; is_scale: tells whether it does so under a URL, None for never asking.
    """

    def __init__(
        self,
        allowed: Collection[str],
        demo_url: Callable[[], Awaitable[str]],
        resolve: Resolve | None = None,
        is_own: Callable[[str], bool] | None = None,
        find_service: FindService | None = None,
        leads_to: LeadsTo | None = None,
        secrets: Collection[Secret] = (),
        own_names: Collection[str] = (),
        own_ports: Ports = frozenset,
        doors: Doors = (),
        own_domains: Collection[str] = (),
        is_scale: IsScale | None = None,
    ) -> None:
        self._allowed = tuple(allowed)
        self._demo_url = demo_url
        self._resolve = resolve or resolved
        self._is_own = is_own or is_own_address
        self._find_service = find_service
        self._leads_to = leads_to
        self._secrets = tuple(secrets)
        self._own_names = tuple(own_names)
        self._own_ports = own_ports
        self._doors = doors
        self._own_domains = tuple(own_domains)
        self._is_scale = is_scale

    async def admit(self, plan: LoadPlan, recent_s: float = 0.0) -> Admitted:
        url = plan.target_url
        if is_demo(url):
            needed(plan.headers, plan.body, {})  # the demo is this machine, where no secret goes
            return Admitted(await self._demo_url(), Source.DEMO, (LOOPBACK_V4,), one_port=True)
        if is_simulated(url):
            return Admitted(url, Source.SIMULATED, ())
        found, addresses = await self._checked(plan)
        found = found or await self._looked_up(await self._led_to(plan, addresses, recent_s))
        own = [each for each in _with_readings(addresses) if self._is_own(each)]
        networks = await self._networks(url, addresses, found, own)
        _check_not_dropped(url, networks, found)
        _check_headless_port(url, found)
        secrets = self._secrets_for(plan, addresses, found, own)
        if not recent_s:  # only for a load that is to begin
            await self._check_not_scale(plan, addresses)
        service = found.service if found else None
        return Admitted(url, Source.HEADER, networks, service, secrets, bool(own), plan.headers)

    async def _check_not_scale(self, plan: LoadPlan, addresses: Sequence[str]) -> None:
        """Raise TargetRefused where this server answers under a name that only its own domain tells of."""
        given = next(iter(hosts_asked(plan.headers)), "")
        names = (host_of(plan.target_url), host_of(f"//{given}"))
        if self._is_scale is None or not any(names_host(self._own_domains, name) for name in names):
            return
        if await self._is_scale(plan.target_url, addresses, given):
            raise scale_answered(plan.target_url)

    async def _checked(self, plan: LoadPlan) -> tuple[ServiceFound | None, list[str]]:
        """The Service that the plan names, and the addresses of its URL's host. Raises TargetRefused for a name that
        is not listed, before the resolver hears of it; TargetUnavailable."""
        url = plan.target_url
        check_host_header(url, plan.headers, self._allowed, self._doors)
        found = await self._named(plan)
        check_name(url, self._listed(url, found), self._doors, _is_name_of(found, url, self._allowed))
        return found, await self._addresses(url)

    async def _named(self, plan: LoadPlan) -> ServiceFound | None:
        """The Service that the plan names, or else its URL's host. Raises TargetUnavailable, TargetRefused."""
        if plan.service:
            found = await self._found(service_ref(plan.service))
            if found.problem:
                raise TargetUnavailable(f"{found.problem} No load was sent.")
            return found
        return await self._looked_up(service_of_url(plan.target_url))

    async def _led_to(self, plan: LoadPlan, addresses: Sequence[str], recent_s: float) -> ServiceRef | None:
        """The Service that nobody named, but to which the URL leads all the same."""
        if self._leads_to is None:
            return None
        return await self._leads_to(plan.target_url, addresses, plan.headers, recent_s)

    async def _looked_up(self, named: ServiceRef | None) -> ServiceFound | None:
        """A Service that the plan does not ask for. Raises TargetUnavailable when it has no ready pod."""
        if named is None or self._find_service is None:
            return None
        try:
            found = await self._found(named)
        except ClusterUnavailable:
            return ServiceFound(named)  # the load can do without the cluster; whoever watches the pods tells of it
        except (TargetRefused, TargetUnavailable):
            return None  # it is no Service that may be looked at: a URL like any other
        if found.idle:
            raise TargetUnavailable(f"{found.problem} No load was sent.")
        return found if found.headless or not found.problem else None

    async def _found(self, service: ServiceRef) -> ServiceFound:
        if self._find_service is None:
            raise TargetUnavailable(f"The pods of {service} cannot be found. {NO_CLUSTER}")
        return await self._find_service(service)

    async def _addresses(self, url: str) -> list[str]:
        try:
            async with asyncio.timeout(RESOLVE_LIMIT_S):
                # Not host_of(): the resolver must see the very host that the generator will give it.
                return await self._resolve(urlsplit(url).hostname or "", port_of_url(url))
        except TimeoutError:
            raise _unresolved(url, f"no answer within {RESOLVE_LIMIT_S:g} s") from None
        except (OSError, UnicodeError) as error:
            raise _unresolved(url, getattr(error, "strerror", None) or str(error)) from error

    async def _networks(
        self, url: str, addresses: Sequence[str], found: ServiceFound | None, own: Sequence[str]
    ) -> tuple[str, ...]:
        behind = [(address, port) for address, port in found.behind if self._is_own(address)] if found else []
        ports = await asyncio.to_thread(self._own_ports) if own or behind else ()
        check_behind(url, behind, ports)
        return may_load(url, addresses, self._listed(url, found), own, ports)

    def _listed(self, url: str, found: ServiceFound | None) -> tuple[str, ...]:
        return (*self._allowed, *_own_of(found, port_of_url(url), self._allowed))

    def _secrets_for(
        self, plan: LoadPlan, addresses: Sequence[str], found: ServiceFound | None, own: Sequence[str]
    ) -> dict[str, str]:
        """{name: value} of what the plan sends; for a locustfile, which may look for any, of all that may go there.

        Raises PlanError.
        """
        there, asked = Destined(plan.target_url, addresses, own, self._own_names), hosts_asked(plan.headers)
        port, bound = port_of_url(plan.target_url), {}
        for secret in self._secrets:
            targets = (*secret.targets, *_own_of(found, port, secret.targets))
            if there.within(targets, () if plan.locustfile else asked) and secret.value:
                bound[secret.name] = secret.value
        return bound if plan.locustfile else needed(plan.headers, plan.body, bound)


def _check_not_dropped(url: str, networks: Collection[str], found: ServiceFound | None) -> None:
    """Raise TargetUnavailable when the Service lets nothing through at any of these addresses."""
    whys = [(found.dropped if found else {}).get((each.partition("/")[0], port_of_url(url)), "") for each in networks]
    if whys and all(whys):
        raise TargetUnavailable(f"{whys[0]} No load was sent.")


def _check_headless_port(url: str, found: ServiceFound | None) -> None:
    """Raise TargetUnavailable for the port of a headless Service, which nothing translates into that of its pods."""
    port = port_of_url(url)
    if found is None or not found.headless or port not in found.ports:
        return
    pods = sorted({pod_port for _, pod_port in found.behind})
    if pods and port not in pods:
        raise TargetUnavailable(
            f"Service {found.service} is headless, so its clients connect to its pods' own port, {pods[0]}, and {url} "
            f"has the Service's port {port}. Write the target with port {pods[0]}. No load was sent."
        )


def _own_of(found: ServiceFound | None, port: int, allowed: Collection[str]) -> tuple[str, ...]:
    """The addresses that a Service on the operator's list may be loaded at: its own, on its own ports, each exact."""
    if found is None or port not in found.ports or not service_admitted(found.service, allowed):
        return ()
    return tuple(address for address in found.addresses if not set(address) & set("*/"))


def _is_name_of(found: ServiceFound | None, url: str, allowed: Collection[str]) -> bool:
    """True when the URL's host is the cluster's name for a Service on the operator's list, and nobody else's."""
    named, domain = service_of_url(url), ".".join(host_of(url).split(".")[3:])
    if found is None or named is None or domain not in CLUSTER_DOMAINS:
        return False
    same = (named.namespace, named.name) == (found.service.namespace, found.service.name)
    return same and service_admitted(found.service, allowed)


def _with_readings(addresses: Iterable[str]) -> list[str]:
    """The addresses, and those inside them."""
    found = map(plain, addresses)
    return list(dict.fromkeys(str(each) for address in found for each in (address, *readings(address))))


async def resolved(host: str, port: int) -> list[str]:
    """All addresses of a host, the resolver's order, each once. Raises OSError or UnicodeError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def is_own_address(address: str) -> bool:
    """True when the address belongs to this machine, as the system says; sends nothing."""
    if ipaddress.ip_address(address).is_loopback:
        return True
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        # To an address of its own, and to no other, the system would send from that very address.
        with socket.socket(family, socket.SOCK_DGRAM) as asking:
            asking.connect((address, ANY_PORT))
            return str(asking.getsockname()[0]) == address
    except OSError:
        return False


def bound_elsewhere(
    secrets: Collection[Secret], own_names: Collection[str], is_own: Callable[[str], bool] = is_own_address
) -> Collection[Secret]:
    """The same secrets. Raises SettingsError for one that is bound to this machine, also by an address of its own."""
    for secret in secrets:
        check_elsewhere(secret, own_names, is_own)
    return secrets


def _unresolved(url: str, answer: str) -> TargetUnavailable:
    return TargetUnavailable(
        f"The address of {host_of(url)} in {url} could not be found ({answer}), so no load was sent. "
        "Check the name, or give an address."
    )
