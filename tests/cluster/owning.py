"""Starting a cluster and ending it, from outside of it: what `up`, `down` and `test` share."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.binaries import make_programs
from tests.cluster.control_groups import remove_control_groups
from tests.cluster.handle import Cluster
from tests.cluster.kernel_settings import KernelSettings
from tests.cluster.layout import PROJECT, Layout, cache_folder
from tests.cluster.packages import make_available

START_LIMIT_S = 180.0
STOP_LIMIT_S = 120.0


class NoStart(Exception):
    """The cluster did not come up; says which component failed and what it printed last."""


@contextmanager
def owned_cluster(name: str) -> Iterator[Cluster]:
    """A cluster that ends with this block, and with this process, however it ends. Raises NoStart, Unavailable."""
    keeper = _started(name, stay=False)
    try:
        yield Cluster(name)
    finally:
        assert keeper.stdin is not None
        keeper.stdin.close()
        keeper.wait(STOP_LIMIT_S)
        with _one_at_a_time() as runs:  # it may have been killed
            _clear_away_dead(runs)


def kept_cluster(name: str) -> Cluster:
    """A cluster that stays until `end_kept` is called. Raises NoStart, Unavailable."""
    _started(name, stay=True)
    return Cluster(name)


def end_kept(name: str) -> bool:
    """End it and wait until it is gone; False when there is none."""
    layout = Layout.of(name)
    if not _alive(layout):
        return False
    os.kill(int(layout.keeper_pid.read_text()), signal.SIGTERM)
    deadline = time.monotonic() + STOP_LIMIT_S
    while _alive(layout) and time.monotonic() < deadline:
        time.sleep(0.1)
    return True


def _started(name: str, *, stay: bool) -> subprocess.Popen[bytes]:
    make_available()
    make_programs()
    layout, alive = _claimed(name)
    output = (layout.logs / "supervisor.log").open("wb") if stay else None
    keeper = subprocess.Popen(
        [sys.executable, "-m", "tests.cluster.keeper", name, *(["--stay"] if stay else [])],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT if stay else None,
        start_new_session=True,
        pass_fds=[alive],
    )
    os.close(alive)
    try:
        _wait_until_ready(layout, keeper)
    except BaseException:
        keeper.terminate()
        keeper.wait(STOP_LIMIT_S)
        shutil.rmtree(layout.folder, ignore_errors=True)
        raise
    return keeper


def _wait_until_ready(layout: Layout, keeper: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while not layout.ready.exists():
        if layout.failed.exists():
            raise NoStart(layout.failed.read_text())
        if keeper.poll() is not None or time.monotonic() > deadline:
            raise NoStart(f"The cluster was not up within {START_LIMIT_S:g} s (keeper's exit code {keeper.poll()}).")
        time.sleep(0.1)


def _claimed(name: str) -> tuple[Layout, int]:
    """The folder of a new cluster, and the lock on it for the keeper to hold. Raises NoStart."""
    with _one_at_a_time() as runs:
        _clear_away_dead(runs)
        layout = Layout.of(name)
        if layout.folder.exists():
            raise NoStart(f"There is a cluster named {name} already: `python -m tests.cluster down {name}` ends it.")
        layout.logs.mkdir(parents=True)
        alive = os.open(layout.alive, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        fcntl.flock(alive, fcntl.LOCK_EX)
        return layout, alive


@contextmanager
def _one_at_a_time() -> Iterator[Path]:
    """The folder of all clusters, for as long as nobody else begins or clears one away."""
    runs = cache_folder() / "run"
    runs.mkdir(parents=True, exist_ok=True)
    with (runs / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield runs


def _clear_away_dead(runs: Path) -> None:
    """What a keeper could not tidy up because it was killed itself: its processes are gone, its files are not."""
    for folder in runs.iterdir():
        layout = Layout.of(folder.name)
        if folder.is_dir() and not _alive(layout):
            remove_control_groups(layout)
            shutil.rmtree(folder, ignore_errors=True)
    KernelSettings().put_back_if_unused()


def _alive(layout: Layout) -> bool:
    with contextlib.suppress(FileNotFoundError), layout.alive.open() as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
