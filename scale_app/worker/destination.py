"""Where requests go and which addresses they may go to. Pure: resolves and connects nothing."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

USER_AGENT = "scale-load-test"
_KEPT_IN_PATH = "/%:=&?~+!$,;'@()*[]-._"

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Destination:
    """One URL, ready to be sent to.

    request: the bytes of a GET on a connection that stays open; last_request: of the last one on a connection.
    host: name or address to resolve, in ASCII. tls: True for https. networks: the only ones to connect to.
    """

    host: str
    port: int
    tls: bool
    request: bytes
    last_request: bytes
    networks: tuple[Network, ...]

    def permits(self, address: str) -> bool:
        """True when a connection to this resolved address may be opened."""
        found: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(address)
        if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
            found = found.ipv4_mapped
        return any(found in network for network in self.networks)


def destination(url: str, networks: Iterable[str]) -> Destination:
    """The destination of an http(s) URL. Raises ValueError for a URL or a network that cannot be used."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url!r} is no http or https URL")
    tls = parts.scheme == "https"
    host = parts.hostname if parts.hostname.isascii() else parts.hostname.encode("idna").decode()
    port = parts.port or (443 if tls else 80)
    path = quote(parts.path or "/", safe=_KEPT_IN_PATH)
    if parts.query:
        path += "?" + quote(parts.query, safe=_KEPT_IN_PATH)
    head = [f"GET {path} HTTP/1.1", f"Host: {_authority(host, parts.port)}", f"User-Agent: {USER_AGENT}", "Accept: */*"]
    return Destination(
        host=host,
        port=port,
        tls=tls,
        request=_block(head),
        last_request=_block([*head, "Connection: close"]),
        networks=tuple(ipaddress.ip_network(network, strict=False) for network in networks),
    )


def _authority(host: str, port: int | None) -> str:
    shown = f"[{host}]" if ":" in host else host
    return shown if port is None else f"{shown}:{port}"


def _block(lines: Sequence[str]) -> bytes:
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")
