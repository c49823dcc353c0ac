"""Where requests go and which addresses they may go to. Resolves and connects nothing."""

from __future__ import annotations

import _socket
import ipaddress
import socket
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from scale_app.domain.target import LOAD_HEADER, USER_AGENT
from scale_app.worker.health import ADDRESS_NOT_ALLOWED

METHODS_WITH_BODY = ("POST", "PUT", "PATCH")
_KEPT_IN_PATH = "/%:=&?~+!$,;'@()*[]-._"

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
INTERNET = (socket.AF_INET, socket.AF_INET6)


@dataclass(frozen=True, slots=True)
class Destination:
    """One URL, ready to be sent to.

    request: the bytes of a request on a connection that stays open; last_request: of the last one on a connection.
    host: name or address to resolve, in ASCII. tls: True for https. networks: the only ones to connect to.
    one_port: connect to no other port than `port`.
    """

    host: str
    port: int
    tls: bool
    request: bytes
    last_request: bytes
    networks: tuple[Network, ...]
    one_port: bool = False

    def permits(self, address: str, port: int) -> bool:
        """True when a connection to this resolved address may be opened; never to a name, which nobody has checked."""
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        found = getattr(found, "ipv4_mapped", None) or found
        reached = any(found in network for network in self.networks)
        return reached and (port == self.port or not self.one_port)


@dataclass(frozen=True, slots=True)
class RequestSpec:
    """What is asked of a destination. headers replace ours of the same name; body is sent as UTF-8."""

    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


def destination(
    url: str, networks: Iterable[str], asked: RequestSpec = RequestSpec(), one_port: bool = False
) -> Destination:
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
    body = asked.body.encode()
    head = [f"{asked.method} {path} HTTP/1.1", *_headers(asked, _authority(host, parts.port), len(body))]
    return Destination(
        host=host,
        port=port,
        tls=tls,
        request=_block(head) + body,
        last_request=_block([*head, "Connection: close"]) + body,
        networks=tuple(ipaddress.ip_network(network, strict=False) for network in networks),
        one_port=one_port,
    )


def _headers(asked: RequestSpec, authority: str, body_bytes: int) -> list[str]:
    ours = {"Host": authority, "User-Agent": USER_AGENT, "Accept": "*/*", LOAD_HEADER: "1"}
    if body_bytes or asked.method in METHODS_WITH_BODY:
        ours["Content-Length"] = str(body_bytes)
    theirs = {name.lower() for name in asked.headers}
    kept = {name: value for name, value in ours.items() if name.lower() not in theirs}
    return [f"{name}: {value}" for name, value in (kept | dict(asked.headers)).items()]


def _authority(host: str, port: int | None) -> str:
    shown = f"[{host}]" if ":" in host else host
    return shown if port is None else f"{shown}:{port}"


def _block(lines: Sequence[str]) -> bytes:
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def start_egress_guard(permits: Callable[[str, int], bool], opened: Callable[[], None]) -> None:
    """The egress guard: every TCP connection that this process's Python code opens from now on is checked.

    permits: may a connection to this address and port be opened? Raises OSError in the code that tries another one.
    opened: called when a connection stands. The guard is against mistakes, such as an absolute URL or a redirect; code
    that wants to get around it can.
    """

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event != "socket.connect":
            return
        connecting, address = arguments
        if connecting.family in INTERNET and connecting.type == socket.SOCK_STREAM:
            if not permits(str(address[0]), int(address[1])):
                raise OSError(ADDRESS_NOT_ALLOWED)
            # gevent asks twice, the second time when the connection stands.
            if is_connected(connecting):
                opened()

    sys.addaudithook(watch)


def is_connected(connecting: _socket.socket) -> bool:
    """Does the connection stand, though nobody may have reported it yet?"""
    try:
        connecting.getpeername()
    except OSError:
        return False
    return True
