"""An Envoy before five pods whose list, weights and zones can change while it runs, by policies that depend on time."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.proxies import address, envoy_of, listener, urls_of
from tests.serving import fetch, free_port

SLOW_START_S = 24
EJECTING = {"consecutive_5xx": 5, "interval": "0.5s", "base_ejection_time": "4s", "max_ejection_percent": 50}
SLOWLY = {"slow_start_window": f"{SLOW_START_S}s"}
KEEPING = {"lb_policy": "ROUND_ROBIN"}
POLICIES: Mapping[str, Mapping[str, Any]] = {
    "ejects": {**KEEPING, "outlier_detection": {**EJECTING, "base_ejection_time": "60s"}},
    "ejects unnamed": {**KEEPING, "outlier_detection": {**EJECTING, "base_ejection_time": "60s"}},
    "ejects again": {**KEEPING, "outlier_detection": EJECTING},
    "keeps": KEEPING,
    "subset": KEEPING,
    "slow start": {**KEEPING, "round_robin_lb_config": {"slow_start_config": SLOWLY}},
    "late": KEEPING,
    "zones": {**KEEPING, "common_lb_config": {"locality_weighted_lb_config": {}}},
}
RESOURCE = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"


@dataclass(frozen=True, slots=True)
class ChangingEnvoy:
    """urls: {policy: URL of its listener}. pods: the ports of all pods. admin: the port of Envoy's own pages."""

    folder: Path
    urls: Mapping[str, str]
    pods: Sequence[int]
    admin: int

    def ejections(self, policy: str) -> int:
        """How often it has ejected a pod."""
        name = f"cluster.{policy}.outlier_detection.ejections_enforced_total"
        _, page = fetch(f"http://127.0.0.1:{self.admin}/stats?filter={quote(name)}")
        return int(page.split()[-1])

    def has(self, policy: str, *pods: int) -> None:
        """The policy shares among these pods, by their numbers."""
        self.zones(policy, {"": (1, pods)})

    def zones(self, policy: str, zones: Mapping[str, tuple[int, Sequence[int]]]) -> None:
        """{zone: (its weight, its pods)}"""
        endpoints = [
            {
                "locality": {"zone": zone},
                "load_balancing_weight": weight,
                "lb_endpoints": [{"endpoint": {"address": address(self.pods[pod])}} for pod in pods],
            }
            for zone, (weight, pods) in zones.items()
        ]
        resource = {"@type": RESOURCE, "cluster_name": policy, "endpoints": endpoints}
        written = self.folder / "written.json"
        written.write_text(json.dumps({"resources": [resource]}))
        written.replace(_list_of(self.folder, policy))  # Envoy looks when a file is moved


@contextlib.contextmanager
def changing_envoy(folder: Path, pods: Sequence[int]) -> Iterator[ChangingEnvoy]:
    """Each policy has all of the pods at first."""
    proxies, admin = {name: free_port() for name in POLICIES}, free_port()
    envoy = ChangingEnvoy(folder, urls_of(proxies), pods, admin)
    for name in POLICIES:
        envoy.has(name, *range(len(pods)))
    listeners = [listener(name, port) for name, port in proxies.items()]
    with envoy_of(folder, listeners, [_cluster(folder, name) for name in POLICIES], admin, proxies["keeps"]):
        yield envoy


def _cluster(folder: Path, name: str) -> dict[str, Any]:
    source = {"path_config_source": {"path": str(_list_of(folder, name))}, "resource_api_version": "V3"}
    return {"name": name, "type": "EDS", "eds_cluster_config": {"eds_config": source}, **POLICIES[name]}


def _list_of(folder: Path, policy: str) -> Path:
    return folder / f"{policy.replace(' ', '-')}.json"
