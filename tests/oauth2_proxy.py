"""The real oauth2-proxy on loopback, before a server and behind a mock issuer."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.cluster.binaries import OAUTH2_PROXY
from tests.cluster.layout import cache_folder
from tests.mock_issuer import CLIENT_ID, CLIENT_SECRET, MockIssuer
from tests.proxies import running

PROGRAM = cache_folder() / "bin" / OAUTH2_PROXY
"""Built from its Go module by `make test-cluster`, which takes too long for every `make test`."""


@contextlib.contextmanager
def oauth2_proxy(issuer: MockIssuer, port: int, upstream: str, folder: Path) -> Iterator[str]:
    """Signs people in at the issuer and passes on what they ask, from 127.0.0.1; its URL."""
    url, log = f"http://127.0.0.1:{port}", folder / "oauth2-proxy.log"
    options = {
        "provider": "oidc",
        "oidc-issuer-url": issuer.url,
        "client-id": CLIENT_ID,
        "client-secret": CLIENT_SECRET,
        "redirect-url": f"{url}/oauth2/callback",
        "code-challenge-method": "S256",
        "cookie-secret": secrets.token_hex(16),
        "cookie-secure": "false",
        "email-domain": "*",
        "skip-provider-button": "true",
        "http-address": f"127.0.0.1:{port}",
        "upstream": upstream,
    }
    command = [str(PROGRAM), *(f"--{name}={value}" for name, value in options.items())]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OAUTH2_PROXY_")}
    with log.open("wb") as output, running(command, port, env=environment, stdout=output, stderr=subprocess.STDOUT):
        yield url
