"""Which targets may be sent load to: decided from a host's name and addresses alone, before a packet leaves.

A load test is a weapon in the wrong hands, and a server that fetches any URL is a way into the network around it.
So the answer is no, except for this machine and what the operator listed; and for addresses that hand out cloud
credentials it is no whatever the list says.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Sequence
from typing import TypeAlias
from urllib.parse import urlsplit

from scale_app.domain.errors import TargetRefused

IPv4: TypeAlias = ipaddress.IPv4Address
IPv6: TypeAlias = ipaddress.IPv6Address
Address: TypeAlias = IPv4 | IPv6
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

METADATA_HOSTS = frozenset({"metadata", "metadata.google.internal", "instance-data", "instance-data.ec2.internal"})
# All link-local addresses (AWS, Azure, Google, OpenStack and most others), then the odd ones: AWS over IPv6,
# Google over IPv6, Alibaba, Oracle, Azure's wire server.
METADATA_NETWORKS = tuple(
    ipaddress.ip_network(text)
    for text in (
        "169.254.0.0/16",
        "fe80::/10",
        "fd00:ec2::/32",
        "fd20:ce::254/128",
        "100.100.100.200/32",
        "192.0.0.192/32",
        "168.63.129.16/32",
    )
)
NO_HOST_NETWORKS = tuple(
    ipaddress.ip_network(text) for text in ("0.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4", "::/128", "ff00::/8")
)
NAT64 = ipaddress.ip_network("64:ff9b::/96")
IPV4_COMPATIBLE = ipaddress.ip_network("::/96")


def host_of(url: str) -> str:
    """The URL's host in the one spelling that rules are compared in: lower case, ASCII, no final dot."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    try:
        return host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return host.lower()


def check_name(url: str) -> None:
    """Raise TargetRefused when the host's name alone is reason enough; asked before the name is resolved."""
    if host_of(url) in METADATA_HOSTS:
        raise _metadata(url, host_of(url))


def may_load(url: str, addresses: Sequence[str], allowed: Collection[str], own: Collection[str]) -> tuple[str, ...]:
    """The networks (CIDR, one per address) to which the URL's load may connect.

    addresses: all that the host resolves to. allowed: the operator's list of hosts, "*.domain", addresses, CIDR.
    own: those of the addresses that belong to this machine. Raises TargetRefused when one address may not be loaded:
    a name that resolves to a good and a bad address is refused whole.
    """
    check_name(url)
    host = host_of(url)
    found = [_parsed(text) for text in addresses]
    for address in found:
        _check_never(url, address)
    mine = {_parsed(text) for text in own}
    for address in found:
        if not (address.is_loopback or address in mine or _listed(host, address, allowed)):
            raise _unlisted(url, host, address)
    # One network per address as the resolver gave it: a pod that appears later under the same name is not in it.
    return tuple(dict.fromkeys(str(ipaddress.ip_network(text.partition("%")[0])) for text in addresses))


def all_listed(url: str, addresses: Sequence[str], entries: Collection[str], own: Collection[str]) -> bool:
    """Do the entries, as on the allow-list, name the URL's host or each of its addresses? Never one of this machine's.

    addresses, own: as in `may_load`.
    """
    host, found, mine = host_of(url), [_parsed(text) for text in addresses], {_parsed(text) for text in own}
    elsewhere = bool(found) and not any(address.is_loopback or address in mine for address in found)
    return elsewhere and all(_listed(host, address, entries) for address in found)


def names_host(entries: Collection[str], host: str) -> bool:
    """Does an entry name this host, or all of a domain that it is in?"""
    return any(_names(entry, host) for entry in entries)


def _parsed(text: str) -> Address:
    """The address that a packet would really go to: an IPv4 address inside an IPv6 one counts as itself."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, IPv4):
        return address
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and (address in NAT64 or (address in IPV4_COMPATIBLE and int(address) > 0xFFFF)):
        inner = IPv4(int(address) & 0xFFFFFFFF)
    return inner or address


def _check_never(url: str, address: Address) -> None:
    if _inside(address, METADATA_NETWORKS):
        raise _metadata(url, str(address))
    if _inside(address, NO_HOST_NETWORKS):
        raise TargetRefused(
            f"Load to {url} was refused before a packet was sent: {address} is not the address of one host. "
            "Give the address of a service, or test the demo."
        )


def _listed(host: str, address: Address, allowed: Collection[str]) -> bool:
    return any(_names(entry, host) or _inside(address, _network(entry)) for entry in allowed)


def _names(entry: str, host: str) -> bool:
    entry = entry.lower().rstrip(".")
    return host.endswith(entry[1:]) and host != entry[2:] if entry.startswith("*.") else host == entry


def _network(entry: str) -> tuple[Network, ...]:
    try:
        return (ipaddress.ip_network(entry),)
    except ValueError:  # a host's name
        return ()


def _inside(address: Address, networks: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _metadata(url: str, what: str) -> TargetRefused:
    return TargetRefused(
        f"Load to {url} was refused before a packet was sent: {what} can be a cloud's metadata service, which hands "
        "out credentials and is never a target, whatever SCALE_ALLOWED_TARGETS says. Test a service, or the demo."
    )


def _unlisted(url: str, host: str, address: Address) -> TargetRefused:
    named = str(address) if host == str(address) else f"{host} ({address})"
    return TargetRefused(
        f"Load to {url} was refused before a packet was sent: {named} is not in SCALE_ALLOWED_TARGETS. "
        "Ask the operator to add it, or test the demo."
    )
