"""What the network's own counters say: Linux' tables of connections, and a kubelet's bytes a pod."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

ESTABLISHED = "01"
MOST_CONNECTIONS = 200_000


@dataclass(frozen=True, slots=True)
class ConnectionTable:
    """clients: "address:port" of who is connected to one of the ports asked for. opened: connections accepted on any
    port since the network came up, None when the text does not say."""

    clients: tuple[str, ...]
    opened: int | None


def connection_table(text: str, ports: Collection[int]) -> ConnectionTable:
    """The table in the text of /proc/net/tcp, tcp6 and snmp, one after the other. Other lines are left out."""
    clients: list[str] = []
    opened: int | None = None
    names: list[str] = []
    for line in text.split("\n"):
        if line.startswith("Tcp:"):
            words = line.split()
            if "PassiveOpens" in words:
                names = words
            elif names and opened is None:
                opened = _count(dict(zip(names, words, strict=False)).get("PassiveOpens", ""))
        elif len(clients) < MOST_CONNECTIONS and (client := _client(line.split(None, 4), ports)):
            clients.append(client)
    return ConnectionTable(tuple(clients), opened)


def _client(words: list[str], ports: Collection[int]) -> str:
    """Who is connected, from a line such as `0: 0100007F:1F90 0200007F:C350 01 ...`; "" for another line."""
    if len(words) < 4 or words[3] != ESTABLISHED or not words[0].endswith(":"):
        return ""
    try:
        _, local_port = _endpoint(words[1])
        address, port = _endpoint(words[2])
    except ValueError:
        return ""
    return f"{address}:{port}" if local_port in ports else ""


def _endpoint(text: str) -> tuple[str, int]:
    """Address and port; the kernel writes an address as 32-bit words, each in this machine's order (little-endian)."""
    digits, _, port = text.partition(":")
    raw = bytes.fromhex(digits)
    if len(raw) not in (4, 16) or len(port) != 4:
        raise ValueError(text)
    packed = b"".join(raw[i : i + 4][::-1] for i in range(0, len(raw), 4))
    address = ipaddress.ip_address(packed)
    inner = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(inner or address), int(port, 16)


def _count(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


@dataclass(frozen=True, slots=True)
class PodBytes:
    """received: since the pod's network came up. measured_at_epoch_s: when the kubelet looked."""

    received: int
    measured_at_epoch_s: float


def received_bytes(summary: Mapping[str, Any], namespace: str) -> dict[str, PodBytes]:
    """{pod name: bytes} of a namespace's pods on one node: all there is to count by where nothing else is open.

    What is not as documented is left out.
    """
    pods = summary.get("pods")
    return dict(_entries(pods if isinstance(pods, list) else [], namespace))


def _entries(pods: list[Any], namespace: str) -> Iterator[tuple[str, PodBytes]]:
    for pod in pods:
        try:
            named, network = pod["podRef"], pod["network"]
            received, measured = network["rxBytes"], datetime.fromisoformat(network["time"])
            if named["namespace"] == namespace and type(received) is int and received >= 0:
                yield str(named["name"]), PodBytes(received, measured.timestamp())
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            continue
