"""What a proxy says of who asks: believed from its own addresses, removed from everybody's requests before anybody here
sees it.

A proxy sets these headers and takes away what clients sent under the same names, so only the three configured names are
read. The other usual ones are removed unread: a proxy that does not set them lets a client's pass. A name that comes
twice, in any spelling, is refused, since nobody can tell which the proxy wrote. Spelled with underscores it is not the
proxy's either: some servers take both for the same.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from scale_app.domain.identity import Person
from scale_app.identity_settings import ProxySettings

Headers = list[tuple[bytes, bytes]]
USUAL = tuple(
    f"{family}-{what}"
    for family in ("x-forwarded", "x-auth-request")
    for what in ("user", "email", "groups", "preferred-username", "access-token")
)
FORWARDED_FOR = b"x-forwarded-for"
MOST_NAME = 256
MOST_GROUPS = 16_384


class BadProxyHeaders(ValueError):
    """The headers of a proxy that cannot be the proxy's own."""


class ProxyHeaders:
    """Reads and removes them as this server is configured."""

    def __init__(self, settings: ProxySettings) -> None:
        self._networks = [ipaddress.ip_network(network) for network in settings.networks]
        self._user, self._email, self._groups = (
            name.lower().encode() for name in (settings.user_header, settings.email_header, settings.groups_header)
        )
        self._names = frozenset((self._user, self._email, self._groups, *(name.encode() for name in USUAL)))

    def believed(self, address: str) -> bool:
        """Is it a proxy's?"""
        try:
            return self._contains(ipaddress.ip_address(address))
        except ValueError:
            return False

    def without(self, headers: Headers) -> Headers:
        """The headers that say nothing of who asks."""
        return [pair for pair in headers if _name(pair[0]) not in self._names]

    def person(self, headers: Headers) -> Person | None:
        """Who the proxy says asks; None when it names nobody. Raises BadProxyHeaders."""
        user, email, groups = (self._value(headers, name) for name in (self._user, self._email, self._groups))
        name = email or user
        if any("," in each or len(each) > MOST_NAME for each in (user, email)) or len(groups) > MOST_GROUPS:
            raise BadProxyHeaders
        return Person(name, tuple(filter(None, map(str.strip, groups.split(","))))) if name else None

    def client(self, headers: Headers, address: str) -> str:
        """Where a request came from: the last address in X-Forwarded-For that is no proxy's own."""
        told = [value.decode("latin-1") for name, value in headers if name.lower() == FORWARDED_FOR]
        for text in reversed([part.strip() for part in ",".join(told).split(",")]):
            try:
                hop = ipaddress.ip_address(text)
            except ValueError:
                return address
            if not self._contains(hop):
                return str(hop)
            address = str(hop)
        return address

    def _contains(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
        mapped = getattr(address, "ipv4_mapped", None) or address
        return any(mapped in network for network in self._networks)

    def _value(self, headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str:
        found = [(key, value) for key, value in headers if _name(key) == name]
        if len(found) > 1:
            raise BadProxyHeaders
        if not found or b"_" in found[0][0]:
            return ""
        text = _decoded(found[0][1])
        if not text.isprintable():
            raise BadProxyHeaders
        return text.strip()


def _name(key: bytes) -> bytes:
    return key.lower().replace(b"_", b"-")


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
