"""Counters that others keep anyway: pods on their Prometheus pages, Linux and the kubelets of their network.

A Prometheus page may be large and most of its lines are no counters, so lines are picked before the real parser sees
them.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

ESTABLISHED = "01"
MOST_CONNECTIONS = 200_000
STARTED = "process_start_time_seconds"
LONGEST_LINE = 4_096
COUNTING_TYPES = ("counter", "histogram", "summary")

Labels = tuple[tuple[str, str], ...]
Series = tuple[str, Labels]
SENT_TO_JUDGE = 20
LEAST_RATIO = 0.9
MOST_RATIO = 20.0
NOT_REQUESTS = ("bytes", "seconds_total", "_sum", "metric_handler", "scrape")
PATH_LABELS = frozenset({"path", "uri", "url", "handler", "route", "endpoint", "http_route", "http_target", "target"})


class NotAPage(ValueError):
    """The text is not of Prometheus' format."""


@dataclass(frozen=True, slots=True)
class Page:
    """counters: {(name, labels): value}. started: text that changes with the process, "" when the page has none."""

    counters: Mapping[Series, float]
    started: str = ""


def counters_of(page: bytes, name: str = "", most: int = 2_000) -> Page:
    """The counters on a page, or those of one name; at most this many, those about requests first. Raises NotAPage."""
    if page.lstrip()[:1] in (b"<", b"{"):
        raise NotAPage("it begins like HTML or JSON")
    picked = list(_picked(page.decode("utf-8", "replace"), name))
    picked.sort(key=lambda line: "request" not in line and not line.startswith(STARTED))
    counters: dict[Series, float] = {}
    started = ""
    for metric, labels, value in _parsed("\n".join(picked[:most])):
        if metric == STARTED and math.isfinite(value) and value >= 0:
            started = str(value)
        elif math.isfinite(value) and value >= 0:
            counters[metric, labels] = value
    return Page(counters, started)


def _picked(text: str, name: str) -> Iterator[str]:
    kinds: dict[str, str] = {}
    for line in text.split("\n"):
        if line.startswith("#"):
            words = line.split(None, 4)
            if len(words) == 4 and words[1] == "TYPE":
                kinds[words[2]] = words[3]
        elif line and len(line) <= LONGEST_LINE:
            metric = line.partition("{")[0].partition(" ")[0].strip()
            if metric == STARTED or _counts(metric, name, kinds):
                yield line


def _counts(metric: str, name: str, kinds: Mapping[str, str]) -> bool:
    if name:
        return metric in (name, f"{name}_total")
    if metric.endswith("_count"):
        return kinds.get(metric.removesuffix("_count")) in COUNTING_TYPES
    return kinds.get(metric) == "counter" or kinds.get(metric.removesuffix("_total")) == "counter"


def _parsed(text: str) -> Iterator[tuple[str, Labels, float]]:
    try:
        for family in text_string_to_metric_families(text + "\n"):
            for sample in family.samples:
                yield sample.name, tuple(sorted(sample.labels.items())), float(sample.value)
    except (ValueError, KeyError, IndexError, TypeError, OverflowError) as error:
        raise NotAPage(str(error)) from error


def counter_of_requests(gained: Mapping[str, float], sent: int) -> str:
    """The name of the counter that gained, over all pods, what the load sent; "" when none did, or it is too early.

    gained: {counter: gained over all pods since the load began}. Other clients can make it gain more, never much less.
    """
    if sent < SENT_TO_JUDGE:
        return ""
    fitting = [name for name, gain in gained.items() if LEAST_RATIO * sent <= gain <= MOST_RATIO * sent]
    likely = [name for name in fitting if not any(part in name for part in NOT_REQUESTS)]
    return min(likely, key=lambda name: _rank(name, gained[name] / sent), default="")


def _rank(name: str, ratio: float) -> tuple[float, bool, str]:
    """Nearness to the load in steps of 10 %, then what the name promises."""
    return round(abs(math.log(ratio)), 1), "request" not in name, name


def series_of_path(series: Iterable[Series], path: str) -> frozenset[Labels]:
    """The labels of those series that are about this path alone; none when the counter does not tell paths apart."""
    return frozenset(
        labels for _, labels in series if any(name in PATH_LABELS and value == path for name, value in labels)
    )


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
