"""How many bytes each pod received, by a kubelet: the only thing to count by where nothing else is open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class PodBytes:
    """received: since the pod's network came up. measured_at_epoch_s: when the kubelet looked."""

    received: int
    measured_at_epoch_s: float


def received_bytes(summary: Mapping[str, Any], namespace: str) -> dict[str, PodBytes]:
    """{pod name: bytes} of a namespace's pods on one node. What is not as documented is left out."""
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
