"""What an address is: whom it really stands for, and whether that is a host to which load may ever go. Asks nobody."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Sequence
from typing import TypeAlias

IPv4: TypeAlias = ipaddress.IPv4Address
IPv6: TypeAlias = ipaddress.IPv6Address
Address: TypeAlias = IPv4 | IPv6
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(map(ipaddress.ip_network, texts))


# All link-local addresses (AWS, Azure, Google, OpenStack and most others), then the odd ones: AWS over IPv6,
# Google over IPv6, Alibaba, Oracle, Azure's wire server.
METADATA = _networks(
    "169.254.0.0/16",
    "fe80::/10",
    "fd00:ec2::/32",
    "fd20:ce::254/128",
    "100.100.100.200/32",
    "192.0.0.192/32",
    "168.63.129.16/32",
)
# Site-local addresses (fec0::/10) were withdrawn because nobody can tell whose they are.
NO_ONE_HOST = _networks("0.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4", "::/128", "ff00::/8", "fec0::/10")
# IPv4-compatible (RFC 4291), translated (RFC 2765) and NAT64 (RFC 6052): the IPv4 address is the last 32 bits.
ENDS_IN_IPV4 = _networks("::/96", "::ffff:0:0:0/96", "64:ff9b::/96")
# Of one's own network (RFC 8215), which may place the IPv4 address as RFC 6052 does for any of these lengths.
NAT64_LOCAL = _networks("64:ff9b:1::/48")
NAT64_LENGTHS = (48, 56, 64, 96)


def literal(host: str) -> Address | None:
    """The address that a URL's host is in any spelling, such as 2130706433 or 0x7f.1; None for a name."""
    try:
        return plain(host)
    except ValueError:
        pass
    try:
        return IPv4(socket.inet_aton(host))  # what the resolver takes for an address, it asks no server for
    except (OSError, UnicodeError):
        return None


def plain(text: str) -> Address:
    """The address, its zone ("%eth0") left out, which IPv6 has alone: "8.8.8.8%zone" is a name. Raises ValueError."""
    return ipaddress.ip_address(text.partition("%")[0] if ":" in text else text)


def readings(address: Address) -> tuple[Address, ...]:
    """All addresses to which packets for this one may go: those inside it where it is mapped, translated or tunnelled,
    else itself."""
    if isinstance(address, IPv4):
        return (address,)
    if address.teredo:
        return address.teredo  # the server and the client behind it
    if inner := address.ipv4_mapped or address.sixtofour:
        return (inner,)
    if inside((address,), NAT64_LOCAL):
        found = [_embedded(address, length) for length in NAT64_LENGTHS]
        return tuple(each for each in dict.fromkeys(found) if int(each) >> 24) or (found[-1],)
    return (_embedded(address, 96),) if int(address) > 1 and inside((address,), ENDS_IN_IPV4) else (address,)


def _embedded(address: IPv6, prefix_bits: int) -> IPv4:
    """The IPv4 address behind a NAT64 prefix of that length; bits 64 to 71 belong to none (RFC 6052, 2.2)."""
    before, after = int(address) >> 64, int(address) & 0xFFFF_FFFF_FFFF_FFFF
    joined = before << 56 | after & 0xFF_FFFF_FFFF_FFFF
    return IPv4((int(address) if prefix_bits == 96 else joined >> (88 - prefix_bits)) & 0xFFFF_FFFF)


def inside(addresses: Iterable[Address], networks: Sequence[Network]) -> bool:
    """True when one of the addresses is in one of the networks."""
    return any(each.version == network.version and each in network for each in addresses for network in networks)


def is_address(host: str) -> bool:
    """True for an address in its usual spelling, false for a name."""
    try:
        return bool(plain(host))
    except ValueError:
        return False


def is_loopback_name(host: str) -> bool:
    """True for names and addresses that are this machine wherever they are used, so that no foreign page has them."""
    name = host.lower().rstrip(".")
    return plain(name).is_loopback if is_address(name) else name == "localhost" or name.endswith(".localhost")
