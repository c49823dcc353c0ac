"""Servers for the engine's bench: nginx, which is never the limit, and a slow one that knows its own latencies."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

READY_WITHIN_S = 10.0

NGINX = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; default_type text/plain;
  client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
  uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
  ssl_certificate {folder}/certificate.pem; ssl_certificate_key {folder}/key.pem;
  server {{
    listen 127.0.0.1:{port} backlog=4096; listen 127.0.0.1:{tls_port} ssl backlog=4096;
    location / {{ add_header X-Pod-Name pod-a; return 200 "hello, world\\n"; }}
  }}
}}
"""

# Answers after the delays that it is given in turn, in milliseconds, on any number of connections.
SLOW = """
import asyncio, itertools, sys
delays = itertools.cycle(float(d) / 1000 for d in sys.argv[2].split(","))
ANSWER = b"HTTP/1.1 200 OK\\r\\nX-Pod-Name: pod-a\\r\\nContent-Length: 2\\r\\n\\r\\nhi"
class Pod(asyncio.Protocol):
    def connection_made(self, transport): self.transport = transport
    def data_received(self, data):
        delay_s = next(delays)
        if delay_s: asyncio.get_running_loop().call_later(delay_s, self.transport.write, ANSWER)
        else: self.transport.write(ANSWER)
async def main():
    server = await asyncio.get_running_loop().create_server(Pod, "127.0.0.1", int(sys.argv[1]), backlog=4096)
    await server.serve_forever()
asyncio.run(main())
"""


@dataclass(frozen=True, slots=True)
class Nginx:
    """Where it listens. certificate: the authority of its own certificate, for localhost."""

    url: str
    tls_url: str
    certificate: Path


def nginx_program() -> str | None:
    """None when it is not installed."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


@contextlib.contextmanager
def nginx(core: int | None) -> Iterator[Nginx]:
    """A static server on loopback, on this core if one is given."""
    program = nginx_program()
    assert program is not None
    with tempfile.TemporaryDirectory() as name:
        folder, port, tls_port = Path(name), free_port(), free_port()
        _self_signed(folder)
        configuration = folder / "nginx.conf"
        configuration.write_text(NGINX.format(folder=folder, port=port, tls_port=tls_port))
        with running([program, "-c", str(configuration), "-e", str(folder / "error.log")], port, core):
            certificate = folder / "certificate.pem"
            yield Nginx(f"http://127.0.0.1:{port}/", f"https://localhost:{tls_port}/", certificate)


@contextlib.contextmanager
def slow_server(delays_ms: list[float], core: int | None) -> Iterator[tuple[str, int]]:
    """A server that answers after these delays in turn; its URL and process id."""
    port = free_port()
    command = [sys.executable, "-c", SLOW, str(port), ",".join(map(str, delays_ms))]
    with running(command, port, core) as process:
        yield f"http://127.0.0.1:{port}/", process.pid


@contextlib.contextmanager
def running(command: list[str], port: int, core: int | None) -> Iterator[subprocess.Popen[bytes]]:
    """A process that listens on the port, ended afterwards."""
    process = subprocess.Popen(command)
    try:
        pin(process.pid, core)
        _wait_for(port)
        yield process
    finally:
        process.terminate()
        process.wait()


def pin(pid: int, core: int | None) -> None:
    """Keep a process, and what it will start, on one core."""
    if core is not None:
        os.sched_setaffinity(pid, {core})


def free_port() -> int:
    """A port on loopback that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _wait_for(port: int) -> None:
    until_s = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < until_s:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise SystemExit(f"The bench's server did not listen on port {port} within {READY_WITHIN_S:g} s.")


def _self_signed(folder: Path) -> None:
    asked = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    named = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]
    subprocess.run([*asked, *named, *files], check=True, capture_output=True)
