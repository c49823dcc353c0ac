"""The real server as a process of its own: started by its own command, asked over its one port, always ended."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[1]
START_LIMIT_S = 45.0
STOP_LIMIT_S = 15.0

GUARD = """
import os, sys
sys.path.insert(0, sys.argv[1])
from scale_app.child_process import die_with_owner
die_with_owner(int(sys.argv[2]))
os.execvp(sys.argv[3], sys.argv[3:])
"""
"""Becomes the command, which the kernel then ends with this process, even when that is killed."""


@dataclass(frozen=True, slots=True)
class Served:
    """url: where it listens. log: all that it printed so far. database_url: of its history."""

    url: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path
    database_url: str = ""

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
        """Status and body of a GET."""
        return fetch(f"{self.url}{path}", headers)

    def printed(self) -> str:
        return self.log.read_text(errors="replace")

    def audited(self) -> list[dict[str, Any]]:
        """The entries of the audit log that it printed."""
        return [json.loads(line)["audit"] for line in self.printed().splitlines() if line.startswith('{"audit"')]

    def stop(self, signal_number: int = signal.SIGTERM) -> tuple[int, float]:
        """Exit code, and the seconds until the process was gone."""
        started = time.monotonic()
        self.process.send_signal(signal_number)
        return self.process.wait(STOP_LIMIT_S), time.monotonic() - started


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return once somebody listens there. Raises AssertionError when the process ends first or takes too long."""
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise AssertionError(f"nobody listens on port {port} (exit code {process.poll()})")


def fetch(url: str, headers: Mapping[str, str] | None = None, body: bytes | None = None) -> tuple[int, bytes]:
    """Status and body; an HTTP error is an answer like any other. Raises OSError when nobody answers."""
    request = urllib.request.Request(url, body, dict(headers or {}))
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, answer.read()


def build_page() -> None:
    """The project's page in .web/; done at once when it is current, and by one process at a time."""
    with (PROJECT / "rxconfig.py").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        subprocess.run([sys.executable, "-m", "scale_app.cli", "build"], cwd=PROJECT, check=True)


@contextlib.contextmanager
def served(
    command: Sequence[str] = (sys.executable, "-m", "scale_app.cli", "serve"),
    folder: Path = PROJECT,
    environment: Mapping[str, str] | None = None,
    *,
    scratch: Path,
    port: int = 0,
) -> Iterator[Served]:
    """Run the command in the folder until the block ends; ready when it enters.

    environment: all of it (default: this process's); SCALE_HOST, SCALE_PORT are put in, and a database in `scratch`
    unless it names one. port: 0 for any that is free.
    """
    port, log = port or free_port(), scratch / "served.log"
    own = {"SCALE_HOST": "127.0.0.1", "SCALE_PORT": str(port)}
    given = {"SCALE_DATABASE_URL": f"sqlite+aiosqlite:///{scratch}/scale.db"} | dict(environment or os.environ)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", GUARD, str(PROJECT), str(os.getpid()), *command],
            cwd=folder,
            env=given | own,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Served(f"http://127.0.0.1:{port}", port, process, log, given["SCALE_DATABASE_URL"])
    try:
        _wait_until_ready(server)
        yield server
    finally:
        _end(process)


def _wait_until_ready(server: Served) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline and server.process.poll() is None:
        with contextlib.suppress(OSError):
            server.get("/")
            return
        time.sleep(0.05)
    raise AssertionError(f"the server is not up (exit code {server.process.poll()}): {server.printed()}")


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_LIMIT_S)
    if process.poll() is None:
        process.kill()
        process.wait()
