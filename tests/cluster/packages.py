"""What a cluster needs of its machine: root's rights, Debian's packages, Go. Installs what it may."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from tests.cluster.layout import PROJECT

PROGRAMS = {
    "containerd": "containerd",
    "runc": "runc",
    "etcd": "etcd-server",
    "iptables": "iptables",
    "nft": "nftables",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "openssl": "openssl",
    "nginx": "nginx-light",
    "busybox": "busybox-static",
    "buildah": "buildah",
    "debootstrap": "debootstrap",
    "chromium": "chromium",
}
PLUGIN = Path("/usr/lib/cni/ptp")
INSTALL_LIMIT_S = 900
GO_PACKAGE = "golang-go"
GO_AT_LEAST = (1, 26)
SYSTEM_PATH = ":/usr/local/sbin:/usr/sbin:/sbin:/usr/local/go/bin"


class Unavailable(Exception):
    """No cluster can be had on this machine; says what is missing and what to do."""


def make_available() -> None:
    """Install what is missing. Raises Unavailable."""
    os.environ["PATH"] = os.environ.get("PATH", "") + SYSTEM_PATH
    os.environ["PYTHONPATH"] = str(PROJECT)
    _check_rights()
    missing = _missing()
    if missing:
        _install(missing)
    if shutil.which("go") is None:
        _install_go()
    _check_go()


def _check_rights() -> None:
    if os.geteuid():
        raise Unavailable("Namespaces, mounts and control groups need root: run it as root.")
    probe = subprocess.run(
        ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "true"], capture_output=True, text=True
    )
    if probe.returncode:
        raise Unavailable(f"New namespaces are not allowed here ({probe.stderr.strip()}): use a machine of its own.")
    if not os.access("/sys/fs/cgroup", os.W_OK):
        raise Unavailable("/sys/fs/cgroup cannot be written: pods need control groups.")


def _missing() -> list[str]:
    missing = [package for program, package in PROGRAMS.items() if shutil.which(program) is None]
    return missing + ([] if PLUGIN.exists() else ["containernetworking-plugins"])


def _install(packages: list[str]) -> None:
    if shutil.which("apt-get") is None:
        raise Unavailable(
            f"{', '.join(packages)} (Debian's names) are missing and there is no apt-get to install them."
        )
    print(f"Installing {' '.join(packages)} ...", flush=True)
    _apt("apt-get", "update", "-q")
    _apt("apt-get", "install", "-y", "-q", "--no-install-recommends", *packages)
    if missing := _missing():
        raise Unavailable(f"{', '.join(missing)} are installed, but their programs are not found.")


def _install_go() -> None:
    """Debian's, where that is new enough."""
    if shutil.which("apt-get") is None:
        return
    _apt("apt-get", "update", "-q")
    offered = re.search(r"Candidate: (?:\d+:)?(\d+)\.(\d+)", _apt("apt-cache", "policy", GO_PACKAGE))
    if offered and tuple(map(int, offered.groups())) >= GO_AT_LEAST:
        _install([GO_PACKAGE])


def _apt(*command: str) -> str:
    """What it prints. Raises Unavailable."""
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, capture_output=True, text=True, env=quiet, timeout=INSTALL_LIMIT_S, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise Unavailable(f"`{' '.join(command)}` failed: {' '.join(said)}")
    return done.stdout


def _check_go() -> None:
    needed = ".".join(map(str, GO_AT_LEAST))
    if shutil.which("go") is None:
        raise Unavailable(
            f"Kubernetes is built from its source with Go {needed} or newer; there is no `go`, and no such {GO_PACKAGE}"
            " of Debian's either: https://go.dev/dl has it."
        )
    text = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True, check=True).stdout.strip()
    found = tuple(int(part) for part in text.removeprefix("go").split("-")[0].split(".")[:2] if part.isdigit())
    if found < GO_AT_LEAST:
        raise Unavailable(f"Kubernetes is built from its source with Go {needed} or newer; `go` is {text}.")
