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
from tests.cluster.kernel_settings import AT_LEAST, CHANGED, KernelSettings
from tests.cluster.layout import PROJECT, Layout

# Whoever starts tests in the background may have them ignore SIGINT, which would be inherited.
OWN_ONE = """
import signal, sys, time
from tests.cluster.owning import owned_cluster
signal.signal(signal.SIGINT, signal.default_int_handler)
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
    """Processes, control groups, mounts and files of a cluster."""
    groups = [str(path) for depth in ("", "*/") for path in ROOT.glob(f"{depth}scale-cluster-{name}*")]
    mounts = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if name in line]
    return processes_of(name) + groups + mounts + [str(path) for path in (Layout.of(name).folder,) if path.exists()]


def processes_of(name: str) -> list[str]:
    commands = {entry: _command(entry) for entry in Path("/proc").glob("[0-9]*") if int(entry.name) != os.getpid()}
    return [f"{entry.name}: {command}" for entry, command in commands.items() if name in command]


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


def test_nothing_is_left_when_the_keeper_is_killed(name: str) -> None:
    with owner_of(name) as owner:
        assert owner.stdout is not None
        assert any(line.strip() == "up" for line in owner.stdout)
        os.kill(int(Layout.of(name).keeper_pid.read_text()), signal.SIGKILL)
        until(lambda: len(processes_of(name)) == 1, f"only its owner is left of {processes_of(name)}", limit_s=30)
        owner.send_signal(signal.SIGINT)
    until(lambda: not traces_of(name), f"nothing is left of {name}, which has {traces_of(name)}", limit_s=30)


def test_tests_that_are_killed_fail_and_leave_nothing(cluster: Cluster, tmp_path: Path) -> None:
    killed = tmp_path / "test_killed.py"
    killed.write_text("import os, signal\n\ndef test_killed():\n    os.kill(os.getpid(), signal.SIGKILL)\n")
    command = [sys.executable, "-m", "tests.cluster", "test", str(killed), "-p", "no:cacheprovider"]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        assert run.wait(START_LIMIT_S) not in (0, 1, 2)
    assert not traces_of(f"test-{run.pid}")


def test_settings_of_the_kernel_are_put_back_by_the_last_cluster(tmp_path: Path) -> None:
    settings = kernel_in(tmp_path)
    with settings.kept():
        with settings.kept():
            (tmp_path / "vm/overcommit_memory").write_text("1")
        assert (tmp_path / "vm/overcommit_memory").read_text() == "1"
    assert (tmp_path / "vm/overcommit_memory").read_text() == "0"


def test_settings_that_a_killed_cluster_left_are_put_back_by_the_next(tmp_path: Path) -> None:
    settings, file = kernel_in(tmp_path), tmp_path / "kernel/panic"
    child = os.fork()
    if not child:
        with settings.kept():
            file.write_text("10")
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert file.read_text() == "10"
    with settings.kept():
        assert file.read_text() == "0"
        settings.put_back_if_unused()  # it is used
        file.write_text("20")
    assert file.read_text() == "0"


def kernel_in(folder: Path) -> KernelSettings:
    """One whose settings are files here, all 0."""
    for name in (*CHANGED, *AT_LEAST):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("0")
    return KernelSettings(folder, folder / "kept")


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
