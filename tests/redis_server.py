"""A Redis server of one's own for a test: on loopback, in a temporary folder, gone afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

PASSWORD = "a-secret-of-redis"
START_LIMIT_S = 30.0
SAFE = ("--appendonly", "yes", "--maxmemory-policy", "noeviction")


@dataclass(slots=True)
class RedisServer:
    """port: on 127.0.0.1. folder: where its data is. settings: of its command line."""

    port: int
    folder: Path
    settings: tuple[str, ...]
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"

    def say(self, *command: str) -> bytes:
        """The first bytes of the answer to a command, as they come over the wire."""
        with closing(socket.create_connection(("127.0.0.1", self.port), timeout=5)) as to_it:
            for words in (("AUTH", PASSWORD), command):
                to_it.sendall(f"*{len(words)}\r\n".encode() + b"".join(map(_as_bulk, words)))
                answer = to_it.recv(65_536)
        return answer

    @contextmanager
    def down(self) -> Iterator[None]:
        """Inside, there is no server; what it keeps on its disk is there again afterwards."""
        self.end()
        try:
            yield
        finally:
            self.process = _started(self.port, self.folder, self.settings)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Inside, it takes connections, and nobody answers."""
        os.kill(self.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, signal.SIGCONT)

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=30)


@contextmanager
def redis_here() -> Iterator[RedisServer]:
    """A server of this machine's Redis; without it, the test is skipped."""
    if shutil.which("redis-server") is None:
        pytest.skip("Redis is not installed: install Debian's redis-server")
    with running_redis() as server:
        yield server


@contextmanager
def running_redis(*settings: str) -> Iterator[RedisServer]:
    """A server with these settings; by default one that loses nothing. It keeps nothing else from Debian's own."""
    with tempfile.TemporaryDirectory(prefix="scale-redis-") as home:
        port, given = _free_port(), settings or SAFE
        server = RedisServer(port, Path(home), given, _started(port, Path(home), given))
        try:
            yield server
        finally:
            server.end()


def _started(port: int, folder: Path, settings: tuple[str, ...]) -> subprocess.Popen[bytes]:
    own = ("--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--requirepass", PASSWORD)
    quiet = () if "--save" in settings else ("--save", "")
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(["redis-server", *own, *quiet, *settings], stdout=output, stderr=output, cwd=folder)
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline and process.poll() is None:
        if "Ready to accept connections" in log.read_text(errors="replace"):
            return process
        time.sleep(0.02)
    process.kill()
    process.wait()
    raise RuntimeError(f"Redis did not start on port {port}:\n{log.read_text(errors='replace')}")


def _as_bulk(word: str) -> bytes:
    return f"${len(word.encode())}\r\n{word}\r\n".encode()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
