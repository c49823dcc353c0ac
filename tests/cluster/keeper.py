"""Outlives everybody to tidy up: ends a cluster when its owner dies or asks, and takes away what namespaces do not.

`python -m tests.cluster.keeper CLUSTER [--stay]`. Its standard input is a pipe of the owner: when the pipe closes,
the owner is gone, however that came. With --stay only SIGTERM ends it. When the keeper itself is killed, the kernel
still ends every process, network and mount of the cluster; its owner takes away what was left, or the next start.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.cluster.control_groups import make_control_groups, remove_control_groups
from tests.cluster.kernel_settings import KernelSettings
from tests.cluster.layout import Layout

NAMESPACES = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
FIRST_PROCESS_LIMIT_S = 10.0


def main() -> None:
    layout, stay = Layout.of(sys.argv[1]), "--stay" in sys.argv
    asked, ask = os.pipe()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: os.write(ask, b"."))
    layout.keeper_pid.write_text(str(os.getpid()))
    with KernelSettings().kept():
        try:
            make_control_groups(layout)
            KernelSettings().raise_limits()
            _watch(layout, [asked] if stay else [asked, 0])
        finally:
            for problem in _tidied(layout):
                print(problem, file=sys.stderr)


def _watch(layout: Layout, ends: list[int]) -> None:
    """Run the supervisor until it ends or one of the descriptors has something to say."""
    supervisor = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", *NAMESPACES, sys.executable, "-m", "tests.cluster.supervisor", layout.name],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    ended = os.pidfd_open(supervisor.pid)
    try:
        layout.supervisor_pid.write_text(str(_first_child(supervisor)))
        select.select([ended, *ends], [], [])
    finally:
        supervisor.kill()
        supervisor.wait()
        os.close(ended)
    if not layout.ready.exists() and not layout.failed.exists():
        layout.failed.write_text("The start was broken off.")


def _first_child(process: subprocess.Popen[bytes]) -> int:
    deadline = time.monotonic() + FIRST_PROCESS_LIMIT_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError, IndexError):
            return int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])
        time.sleep(0.02)
    raise RuntimeError(f"`{' '.join(NAMESPACES)}` started nothing (exit code {process.poll()})")


def _tidied(layout: Layout) -> list[str]:
    """Take away control groups and the folder; what could not be taken away."""
    problems = [f"could not remove {path}" for path in remove_control_groups(layout)]
    if layout.failed.exists():
        return problems  # whoever started it reads the logs, then removes the folder
    shutil.rmtree(layout.folder, ignore_errors=True)
    return problems + ([f"could not remove {layout.folder}"] if layout.folder.exists() else [])


if __name__ == "__main__":
    main()
