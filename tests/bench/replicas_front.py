"""A proxy before several servers, as an Ingress without stickiness: each connection goes to the next one of them."""

from __future__ import annotations

import getpass
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.proxies import END_LIMIT_S, NGINX
from tests.serving import free_port, wait_for_port

CONFIGURATION = """
daemon off;
user {user};
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  map $http_upgrade $connection_upgrade {{ default upgrade; "" ""; }}
  upstream scale {{ {servers} }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://scale;
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_set_header Host $http_host;
      proxy_read_timeout 1h;
      proxy_next_upstream error timeout http_503 non_idempotent;
    }}
  }}
}}
"""
RELOADED_WITHIN_S = 0.5


@dataclass(frozen=True, slots=True)
class Front:
    """port: on 127.0.0.1. folder: of its configuration. process: nginx's first one."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def lead_to(self, ports: Sequence[int]) -> None:
        """New connections go to these servers only; what is open stays where it is."""
        _write(self.folder, self.port, ports)
        self.process.send_signal(signal.SIGHUP)
        time.sleep(RELOADED_WITHIN_S)


@contextmanager
def front(folder: Path, ports: Sequence[int]) -> Iterator[Front]:
    """Before servers at these ports, until the block ends."""
    port = free_port()
    _write(folder, port, ports)
    process = subprocess.Popen([str(NGINX), "-c", f"{folder}/nginx.conf", "-e", f"{folder}/error.log"])
    try:
        wait_for_port(port, process)
        yield Front(port, folder, process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(END_LIMIT_S)


def _write(folder: Path, port: int, ports: Sequence[int]) -> None:
    servers = " ".join(f"server 127.0.0.1:{each} max_fails=0;" for each in ports)
    text = CONFIGURATION.format(user=getpass.getuser(), folder=folder, port=port, servers=servers)
    written = folder / "nginx.conf.new"
    written.write_text(text)
    os.replace(written, folder / "nginx.conf")
