"""Which targets may be sent load to: decided from a host's name and addresses alone, before a packet leaves.

A load test is a weapon in the wrong hands, and a server that fetches any URL is a way into the network around it.
So the answer is no, except for what the operator listed: a name by its name, an address by itself or a range, this
machine by itself alone. Addresses that hand out cloud credentials, and this server, are no target whatever is listed.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from urllib.parse import urlsplit

from scale_app.domain.addresses import (
    METADATA,
    NO_ONE_HOST,
    Address,
    Network,
    inside,
    is_loopback_name,
    literal,
    plain,
    readings,
)
from scale_app.domain.cluster import port_of_url
from scale_app.domain.errors import TargetRefused

METADATA_HOSTS = frozenset({"metadata", "metadata.google.internal", "instance-data", "instance-data.ec2.internal"})
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
WEB_PORTS = (80, 443)

Doors = Collection[tuple[str, int]]
"""The hosts and ports by which people reach this server, as it seems to them."""


def host_of(url: str) -> str:
    """The URL's host in the one spelling that rules are compared in: lower case, ASCII, no final dot."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    try:
        return host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return host.lower()


def doors_of(public_url: str, names: Iterable[str], port: int) -> Doors:
    """Where this server is reached. names: by which it answers; those with "*" are others' names as well, of which
    only an answer tells: see `scale_answered`."""
    hosts = [host_of(f"//[{name}]" if ":" in name else f"//{name}") for name in names if "*" not in name]
    public = {(host_of(public_url), port_of_url(public_url))} if public_url else set()
    doors = public | {(host, each) for host in hosts for each in (*WEB_PORTS, port)}
    return frozenset((host, each) for host, each in doors if not is_loopback_name(host))


def check_name(url: str, allowed: Collection[str], doors: Doors = (), is_listed: bool = False) -> None:
    """Raise TargetRefused when the host's name alone is reason enough; asked before the name is resolved.

    is_listed: it is that of something else on the operator's list.
    """
    host = host_of(url)
    _check_metadata(url, host)
    if (host, port_of_url(url)) in doors:
        raise _own_server(url, f"{host} port {port_of_url(url)}")
    # As it is written: an address with a final dot is a name to the resolver.
    if not (is_listed or literal(urlsplit(url).hostname or "") or _named(host, allowed)):
        raise _unlisted(url, host, host)


def check_host_header(url: str, headers: Mapping[str, str], allowed: Collection[str], doors: Doors = ()) -> None:
    """Raise TargetRefused when requests would ask for another host than the URL's that is not listed either.

    A proxy chooses by this header whom it passes a request on to.
    """
    given = next((value for name, value in headers.items() if name.lower() == "host"), "")
    host = host_of(f"//{given}")
    if not given or host == host_of(url):
        return
    _check_metadata(url, host)
    if host in {name for name, _ in doors}:
        raise _own_server(url, f"the Host header's {host}")
    address = literal(host)
    if not (_named(host, allowed) or (address and _within(readings(address), allowed))):
        raise TargetRefused(
            f"Load to {url} was refused before a packet was sent: its Host header asks for {host}, which is neither "
            f"the URL's host nor in SCALE_ALLOWED_TARGETS. Leave the header out, or let the operator add {host} there."
        )


def may_load(
    url: str,
    addresses: Sequence[str],
    allowed: Collection[str],
    own: Collection[str],
    own_ports: Collection[int] = (),
) -> tuple[str, ...]:
    """The networks (CIDR, one per address) to which the URL's load may connect; `check_name` has been asked before.

    addresses: all that the host resolves to. allowed: the operator's list of hosts, "*.domain", addresses, CIDR.
    own: the addresses of this machine among them and inside them. own_ports: on which this server listens.
    Raises TargetRefused when one address may not be loaded: a name that resolves to a good and a bad address is
    refused whole.
    """
    found = [(address, each) for address in map(plain, addresses) for each in readings(address)]
    for _, each in found:
        _check_never(url, each)
    mine = set(map(plain, own))
    for address, each in found:
        if each.is_loopback or not mine.isdisjoint((address, each)):
            _check_this_machine(url, each, allowed, own_ports)
        elif not (_named(host_of(url), allowed) or _within((each,), allowed)):
            raise _unlisted(url, _shown(host_of(url), each), host_of(url))
    # One network per address as the resolver gave it: a pod that appears later under the same name is not in it.
    return tuple(dict.fromkeys(str(ipaddress.ip_network(text.partition("%")[0])) for text in addresses))


def all_listed(url: str, addresses: Sequence[str], entries: Collection[str], own: Collection[str]) -> bool:
    """Do the entries, as on the allow-list, name the URL's host or each of its addresses? Never one of this machine's.

    addresses, own: as in `may_load`.
    """
    found, mine = list(map(plain, addresses)), set(map(plain, own))
    inner = [each for address in found for each in readings(address)]
    elsewhere = mine.isdisjoint((*found, *inner)) and not any(each.is_loopback for each in inner)
    return bool(found) and elsewhere and (_named(host_of(url), entries) or _within(inner, entries))


def names_host(entries: Collection[str], host: str) -> bool:
    """Does an entry name this host, or all of a domain that it is in?"""
    return any(_fits(entry.lower().rstrip("."), host) for entry in entries)


def names_this_machine(
    entry: str, own_names: Collection[str] = (), is_own: Callable[[str], bool] = lambda _: False
) -> bool:
    """Can an entry of a list mean nothing but this machine? own_names: those of this installation. is_own: tells
    whether an address, which is not loopback's, is one of this machine's."""
    name = entry.lower().rstrip(".")
    networks = _network(entry)
    inner = [each for network in networks if network.num_addresses == 1 for each in readings(network.network_address)]
    here = any(map(_loopback, networks)) or any(each.is_loopback or is_own(str(each)) for each in inner)
    return here or is_loopback_name(name.removeprefix("*.")) or name in own_names


def check_behind(url: str, behind: Iterable[tuple[str, int]], own_ports: Collection[int]) -> None:
    """Raise TargetRefused when this server is behind a Service itself. behind: its pods here, with their ports."""
    for address, port in behind:
        if port in own_ports:
            raise _own_server(url, f"a pod behind it, {address} port {port},")


def _check_metadata(url: str, host: str) -> None:
    address = literal(host)
    if host in METADATA_HOSTS or (address and inside(readings(address), METADATA)):
        raise _metadata(url, host)


def _check_never(url: str, address: Address) -> None:
    if inside((address,), METADATA):
        raise _metadata(url, str(address))
    if inside((address,), NO_ONE_HOST):
        raise TargetRefused(
            f"Load to {url} was refused before a packet was sent: {address} is not the address of one host. "
            "Give the address of a service, or test the demo."
        )


def _check_this_machine(url: str, address: Address, allowed: Collection[str], own_ports: Collection[int]) -> None:
    """Listed is only what cannot be meant for others: the address itself, loopback or a part of it, localhost's names.

    Whoever a listed domain belongs to could else point one of its names here.
    """
    host = host_of(url)
    if port_of_url(url) in own_ports:
        raise _own_server(url, f"port {port_of_url(url)} at {_shown(host, address)}")
    by_name = address.is_loopback and is_loopback_name(host) and _named(host, allowed)
    networks = [each for entry in allowed for each in _network(entry) if each.num_addresses == 1 or _loopback(each)]
    if not (by_name or inside((address,), networks)):
        raise TargetRefused(
            f"Load to {url} was refused before a packet was sent: {_shown(host, address)} is this machine, which "
            "SCALE_ALLOWED_TARGETS does not list by its own address; a domain or a range does not list it. "
            f"Let the operator add {host if is_loopback_name(host) else address} there, or test the demo."
        )


def _loopback(network: Network) -> bool:
    return any(each.version == network.version and each.supernet_of(network) for each in LOOPBACK)  # type: ignore[arg-type]


def _named(host: str, allowed: Collection[str]) -> bool:
    """True for a name, not an address, that the list has."""
    return literal(host) is None and any(_fits(entry.lower().rstrip("."), host) for entry in allowed)


def _fits(entry: str, host: str) -> bool:
    return host.endswith(entry[1:]) and host != entry[2:] if entry.startswith("*.") else host == entry


def _within(addresses: Sequence[Address], allowed: Collection[str]) -> bool:
    """True when the list has all these addresses, by themselves or in a range."""
    networks = [network for entry in allowed for network in _network(entry)]
    return all(inside((each,), networks) for each in addresses)


def _network(entry: str) -> tuple[Network, ...]:
    try:
        return (ipaddress.ip_network(entry),)
    except ValueError:  # a host's name
        return ()


def _shown(host: str, address: Address) -> str:
    return host if host == str(address) else f"{host} ({address})"


def _metadata(url: str, what: str) -> TargetRefused:
    return TargetRefused(
        f"Load to {url} was refused before a packet was sent: {what} can be a cloud's metadata service, which hands "
        "out credentials and is never a target, whatever SCALE_ALLOWED_TARGETS says. Test a service, or the demo."
    )


def _own_server(url: str, what: str) -> TargetRefused:
    return TargetRefused(
        f"Load to {url} was refused before a packet was sent: {what} is Scale itself, which is never a target, "
        "whatever SCALE_ALLOWED_TARGETS says. Test the demo, by its name, or a service; if Scale is not there, set "
        "SCALE_PORT to the port where it is."
    )


def scale_answered(url: str) -> TargetRefused:
    """The target was asked, and Scale answered."""
    return TargetRefused(
        f"Load to {url} was refused after one request without load: Scale itself answers there, which is never a "
        "target, whatever SCALE_ALLOWED_TARGETS says. Test the demo, by its name, or a service."
    )


def _unlisted(url: str, what: str, entry: str) -> TargetRefused:
    by_range = "" if literal(entry) else ", and a range of addresses does not list a name"
    return TargetRefused(
        f"Load to {url} was refused before a packet was sent: {what} is not in SCALE_ALLOWED_TARGETS{by_range}. "
        f"Let the operator add {entry} there, or test the demo."
    )
