"""A cluster leaves nothing behind, however its owner ends; and a start that cannot work ends soon, and says why."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.control_groups import ROOT
from tests.cluster.handle import Cluster, until
from tests.cluster.layout import PROJECT, Layout

OWN_ONE = """
import sys, time
from tests.cluster.owning import owned_cluster
with owned_cluster(sys.argv[1]):
    print("up", flush=True)
    time.sleep(600)
"""
START_LIMIT_S = 200


@pytest.fixture
def name(cluster: Cluster) -> Iterator[str]:
    """Of a second cluster, beside the one that this test is inside of."""
    name = f"second-{os.getpid()}"
    yield name
    shutil.rmtree(Layout.of(name).folder, ignore_errors=True)


def owner_of(name: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", OWN_ONE, name], cwd=PROJECT, stdout=subprocess.PIPE, text=True)


def traces_of(name: str) -> list[str]:
    """Processes, control groups and files of a cluster."""
    commands = {entry: _command(entry) for entry in Path("/proc").glob("[0-9]*") if int(entry.name) != os.getpid()}
    processes = [f"{entry.name}: {command}" for entry, command in commands.items() if name in command]
    groups = [str(path) for path in ROOT.glob(f"*/scale-cluster-{name}*")]
    return processes + groups + [str(path) for path in (Layout.of(name).folder,) if path.exists()]


def _command(entry: Path) -> str:
    try:
        return (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def test_nothing_is_left_when_the_owner_is_killed(name: str) -> None:
    with owner_of(name) as owner:
        assert owner.stdout is not None
        assert any(line.strip() == "up" for line in owner.stdout)
        assert traces_of(name)
        owner.send_signal(signal.SIGKILL)
    until(lambda: not traces_of(name), f"nothing is left of {name}, which has {traces_of(name)}", limit_s=30)


def test_a_failing_start_ends_soon_with_the_words_of_the_component(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "etcd"
    broken.write_text("#!/bin/sh\necho etcd: the disk is on fire >&2\nexit 3\n")
    broken.chmod(0o755)
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", OWN_ONE, name],
        cwd=PROJECT,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=START_LIMIT_S,
        check=False,
    )
    assert "etcd ended with exit code 3" in done.stderr
    assert "the disk is on fire" in done.stderr
    assert time.monotonic() - began < 60
    assert not traces_of(name)
