"""The control groups that hold a cluster's pods: they are the machine's, so they must be made, and taken away again."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from tests.cluster.layout import NODES, Layout

ROOT = Path("/sys/fs/cgroup")
REMOVE_LIMIT_S = 10.0


def unified() -> bool:
    """True where the machine has the one hierarchy of version 2 alone."""
    return (ROOT / "cgroup.controllers").exists()


def make_control_groups(layout: Layout) -> None:
    """One group a node, in every hierarchy."""
    for hierarchy in _hierarchies():
        for node in NODES:
            group = hierarchy / layout.control_group(node).lstrip("/")
            group.mkdir(parents=True, exist_ok=True)
            for made in (group.parent, group):
                _hand_down(made)


def remove_control_groups(layout: Layout) -> list[str]:
    """Remove the groups and all below, once their processes are gone; those that would not go."""
    name = f"scale-cluster-{layout.name}"
    left = [path for path in (ROOT / name, *ROOT.glob(f"*/{name}")) if path.is_dir()]  # runc adds some of its own
    deadline = time.monotonic() + REMOVE_LIMIT_S
    while left and time.monotonic() < deadline:
        left = [path for path in left if not _removed(path)]
        if left:
            time.sleep(0.1)
    return [str(path) for path in left]


def _hierarchies() -> list[Path]:
    if unified():
        return [ROOT]
    return [path for path in ROOT.iterdir() if path.is_dir() and not path.is_symlink() and path.name != "unified"]


def _hand_down(group: Path) -> None:
    """A new cpuset group has no processors until it is told; a version 2 group has no controllers to pass on."""
    if unified():
        controllers = (group.parent / "cgroup.controllers").read_text().split()
        (group.parent / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in controllers))
    for name in ("cpuset.cpus", "cpuset.mems"):
        if not unified() and (group / name).exists():
            (group / name).write_text((group.parent / name).read_text())


def _removed(top: Path) -> bool:
    for group in sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True):
        with contextlib.suppress(OSError):
            group.rmdir()
    with contextlib.suppress(OSError):
        top.rmdir()
    return not top.exists()
