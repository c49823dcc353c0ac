"""What is where: versions, addresses, folders. Addresses are from 198.18.0.0/15, which no network routes (RFC 2544)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

KUBERNETES = "v1.35.4"
NODES = ("n1", "n2", "n3")
ZONES = {"n1": "zone-a", "n2": "zone-a", "n3": "zone-b"}

CONTROL_PLANE_IP = "198.18.0.1"
API_SERVER = f"https://{CONTROL_PLANE_IP}:6443"
SERVICE_RANGE = "198.18.128.0/20"
API_SERVICE_IP = "198.18.128.1"
DNS_SERVICE_IP = "198.18.128.10"
POD_RANGE = "198.19.0.0/16"
ALL_ADDRESSES = "198.18.0.0/15"
CLIENT = "client"
CLIENT_NODE = "n1"

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]


def node_number(node: str) -> int:
    """1 for n1."""
    return NODES.index(node) + 1


def node_ip(node: str) -> str:
    return f"198.18.0.{10 + node_number(node)}"


def pod_range(node: str) -> str:
    return f"198.19.{node_number(node)}.0/24"


def cache_folder() -> Path:
    """Where what is expensive to make is kept between runs: SCALE_CLUSTER_CACHE, else the user's cache folder."""
    named = os.environ.get("SCALE_CLUSTER_CACHE")
    if named:
        return Path(named).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "scale-cluster"


@dataclass(frozen=True, slots=True)
class Layout:
    """Where one cluster has its files. name: also that of its control groups, so no two running clusters share one."""

    name: str
    binaries: Path
    images: Path
    folder: Path

    @classmethod
    def of(cls, name: str) -> Layout:
        cache = cache_folder()
        return cls(name, cache / "bin", cache / "images", cache / "run" / name)

    @property
    def certificates(self) -> Path:
        return self.folder / "certificates"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.certificates / "admin.conf"

    @property
    def control_socket(self) -> Path:
        return self.folder / "control"

    @property
    def supervisor_pid(self) -> Path:
        """Holds the supervisor's process id, as the machine outside sees it."""
        return self.folder / "supervisor.pid"

    @property
    def keeper_pid(self) -> Path:
        return self.folder / "keeper.pid"

    @property
    def alive(self) -> Path:
        """Locked by the keeper for as long as it lives; a process id alone says nothing in another namespace."""
        return self.folder / "alive"

    @property
    def ready(self) -> Path:
        """There once the cluster is usable."""
        return self.folder / "ready"

    @property
    def failed(self) -> Path:
        """There once the start is given up; says why."""
        return self.folder / "failed"

    def of_node(self, node: str) -> Path:
        return self.folder / node

    def control_group(self, node: str) -> str:
        """Path below the root of each hierarchy."""
        return f"/scale-cluster-{self.name}/{node}"

    def binary(self, name: str) -> str:
        return str(self.binaries / name)
