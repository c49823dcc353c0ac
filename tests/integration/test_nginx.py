"""Behind a proxy, under another host name and port, with and without https: what an ingress does to the app."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, WebSocket, sync_playwright

from tests.serving import Served, build_page, fetch, free_port, served, wait_for_port

HOST = "scale.test"
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OPENSSL = shutil.which("openssl")
PAGE_LIMIT_MS = 20_000

pytestmark = pytest.mark.skipif(not (NGINX and OPENSSL), reason="nginx and openssl are needed: see .ci/test-tools")

# As the nginx ingress controller forwards: Host as it came with its port, WebSocket upgrade, no buffering tricks.
CONFIGURATION = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
  server {{
    listen 127.0.0.1:{http};
    listen 127.0.0.1:{https} ssl;
    server_name {host};
    ssl_certificate {folder}/certificate.pem;
    ssl_certificate_key {folder}/key.pem;
    location / {{
      proxy_pass http://127.0.0.1:{backend};
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_read_timeout 3600s;
    }}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Proxy:
    http: int
    https: int

    def origin(self, scheme: str) -> str:
        """What the browser has in its address bar; neither name nor port are the server's own."""
        return f"{scheme}://{HOST}:{self.http if scheme == 'http' else self.https}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    build_page()
    environment = os.environ | {"SCALE_ALLOWED_HOSTS": HOST}
    with served(scratch=tmp_path_factory.mktemp("served"), environment=environment) as running:
        yield running


@pytest.fixture(scope="module")
def proxy(server: Served) -> Iterator[Proxy]:
    assert NGINX is not None
    made = Proxy(free_port(), free_port())
    with tempfile.TemporaryDirectory(prefix="scale-nginx-") as folder:
        _make_certificate(Path(folder))
        configuration = Path(folder, "nginx.conf")
        configuration.write_text(
            CONFIGURATION.format(folder=folder, http=made.http, https=made.https, backend=server.port, host=HOST)
        )
        process = subprocess.Popen([NGINX, "-c", str(configuration), "-e", f"{folder}/error.log"])
        try:
            wait_for_port(made.https, process)
            yield made
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(10)


def _make_certificate(folder: Path) -> None:
    assert OPENSSL is not None
    command = [OPENSSL, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    files = ["-keyout", f"{folder}/key.pem", "-out", f"{folder}/certificate.pem"]
    subject = ["-days", "1", "-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}"]
    subprocess.run([*command, *files, *subject], check=True, capture_output=True)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[f"--host-resolver-rules=MAP {HOST} 127.0.0.1", "--no-sandbox", "--disable-dev-shm-usage"],
        )
        yield chromium
        chromium.close()


@pytest.fixture(params=["http", "https"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(ignore_https_errors=True)
    opened = context.new_page()
    opened.set_default_timeout(PAGE_LIMIT_MS)
    yield opened
    context.close()


def open_page(page: Page, origin: str) -> WebSocket:
    """Open the page; its own WebSocket, once the server has spoken on it."""
    with page.expect_websocket(lambda socket: "/_event" in socket.url) as opening:
        page.goto(origin)
    socket = opening.value
    socket.wait_for_event("framereceived", timeout=PAGE_LIMIT_MS)
    return socket


def test_the_page_s_websocket_comes_from_the_browser_s_address(proxy: Proxy, page: Page, scheme: str) -> None:
    origin = proxy.origin(scheme)
    failures: list[str] = []
    page.on("requestfailed", lambda request: failures.append(request.url))
    page.on("pageerror", lambda error: failures.append(str(error)))
    socket = open_page(page, origin)
    assert socket.url.startswith(f"{origin.replace('http', 'ws', 1)}/_event")
    assert not socket.is_closed()
    assert page.title()
    assert failures == []


def test_a_run_is_started_and_followed_through_the_proxy(proxy: Proxy, page: Page, scheme: str) -> None:
    page.goto(proxy.origin(scheme))
    started, first = page.evaluate(
        """async () => {
            const socket = new WebSocket(location.origin.replace(/^http/, "ws") + "/ws/metrics");
            const first = new Promise((done, failed) => {
                socket.onmessage = (message) => done(JSON.parse(message.data));
                socket.onerror = socket.onclose = () => failed(new Error("the WebSocket was closed"));
            });
            const answer = await fetch("/api/load-test/start", {
                method: "POST",
                headers: {"Content-Type": "application/json"},
                body: JSON.stringify({target_url: "demo", users: 2, spawn_rate: 2, duration: 2}),
            });
            const started = await answer.json();
            return [started, await first];
        }"""
    )
    assert started["status"] == "started"
    assert first["type"] in ("metrics_update", "imbalance_alert")


def test_another_site_cannot_write_through_the_proxy(proxy: Proxy) -> None:
    headers = {"Host": f"{HOST}:{proxy.http}", "Origin": "http://elsewhere.test", "Content-Type": "application/json"}
    status, sentence = fetch(f"http://127.0.0.1:{proxy.http}/api/load-test/start", headers, b"{}")
    assert status == 403
    assert b"http://elsewhere.test" in sentence
