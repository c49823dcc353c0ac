"""A PostgreSQL server of one's own for a test: on loopback, in a temporary folder, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

USER, PASSWORD = "scale", "a secret"
START_LIMIT_S = 30.0


@dataclass(slots=True)
class Postgres:
    """port: on 127.0.0.1. start: makes the server's first process. server: that process."""

    port: int
    start: Callable[[], subprocess.Popen[bytes]]
    server: subprocess.Popen[bytes]

    @contextmanager
    def down(self) -> Iterator[None]:
        """Inside, there is no server: open connections are cut, new ones refused."""
        self.end()
        try:
            yield
        finally:
            self.server = self.start()

    def end(self) -> None:
        """PostgreSQL's "fast" shutdown: open connections are cut."""
        self.server.send_signal(signal.SIGINT)
        self.server.wait(timeout=30)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Inside, none of its processes does anything: connections are taken by the kernel, and nobody answers."""
        family = _family(self.server.pid)
        for pid in family:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in family:
                with suppress(ProcessLookupError):  # the first ones may have let it go already
                    os.kill(pid, signal.SIGCONT)

    def url(self, database: str, password: str = PASSWORD) -> str:
        return f"postgresql+asyncpg://{USER}:{password.replace(' ', '%20')}@127.0.0.1:{self.port}/{database}"

    async def create_database(self, name: str) -> str:
        """Make an empty database; its URL."""
        connection = await self._connect()
        try:
            await connection.execute(f'CREATE DATABASE "{name}"')
        finally:
            await connection.close()
        return self.url(name)

    async def _connect(self) -> asyncpg.Connection:
        return await asyncpg.connect(
            host="127.0.0.1", port=self.port, user=USER, password=PASSWORD, database="postgres", timeout=5
        )


def binaries() -> Path | None:
    """The folder with initdb and postgres, None when PostgreSQL is not installed or nobody may run it."""
    if os.geteuid() == 0 and _server_user() is None:
        return None
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return versions[-1].parent if versions else None


@contextmanager
def postgres_here() -> Iterator[Postgres]:
    """A server from the binaries of this machine; without any, the test is skipped."""
    if (folder := binaries()) is None:
        pytest.skip("PostgreSQL is not installed: install Debian's postgresql, or put initdb on PATH")
    with running_postgres(folder) as server:
        yield server


@contextmanager
def running_postgres(folder: Path) -> Iterator[Postgres]:
    """A server from the binaries in the folder. It refuses to run as root, so root lends it another user."""
    user = _server_user() if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="scale-postgres-") as home:
        data, password = Path(home, "data"), Path(home, "password")
        password.write_text(PASSWORD)
        if user is not None:
            for path in (home, password):
                shutil.chown(path, user)
        subprocess.run(
            [folder / "initdb", "-D", data, "-U", USER, "--auth=scram-sha-256", f"--pwfile={password}", "--no-sync"],
            check=True, stdout=subprocess.DEVNULL, user=user, cwd=home,
        )  # fmt: skip
        with _server(folder, data, user) as postgres:
            yield postgres


@contextmanager
def _server(folder: Path, data: Path, user: str | None) -> Iterator[Postgres]:
    port = _free_port()
    settings = ("listen_addresses=127.0.0.1", f"unix_socket_directories={data}", "fsync=off")
    arguments = [part for setting in settings for part in ("-c", setting)]

    def start() -> subprocess.Popen[bytes]:
        command = [folder / "postgres", "-D", data, "-p", str(port), *arguments]
        with Path(data, "log").open("wb") as log:
            server = subprocess.Popen(command, stdout=log, stderr=log, user=user, cwd=data)
        try:
            _wait_until_it_listens(server, port, Path(data, "log"))
        except RuntimeError:
            server.kill()
            server.wait()
            raise
        return server

    running = Postgres(port, start, start())
    try:
        yield running
    finally:
        running.end()


def _wait_until_it_listens(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline and server.poll() is None:
        if "ready to accept connections" in log.read_text(errors="replace"):
            return
        time.sleep(0.05)
    raise RuntimeError(f"PostgreSQL did not start on port {port}:\n{log.read_text(errors='replace')}")


def _family(pid: int) -> list[int]:
    """The process and all that come from it, itself first, so that it makes no more meanwhile."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in _family(int(child)))]


def _server_user() -> str | None:
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in ("postgres", "nobody") if name in names), None)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
