"""The product itself, as people run it: `scale serve` in the client's network, driven through its API."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.handle import until
from tests.cluster.layout import ALL_ADDRESSES
from tests.serving import fetch, served

RUN_SPARE_S = 40.0
ENDED = ("finished", "stopped", "failed", "interrupted")


@dataclass(frozen=True, slots=True)
class Ran:
    """A run that ended. last: its last snapshot as the API gives it."""

    test_id: str
    status: str
    message: str
    last: Mapping[str, Any]

    @property
    def counted(self) -> dict[str, int]:
        """By pod, also those without a request."""
        return {pod["name"]: pod["requests"] for pod in self.last["pods"]}

    @property
    def sent(self) -> int:
        return int(self.last["requests"])

    @property
    def causes(self) -> list[str]:
        """The codes of the causes that were found, the surest first; without the one that is this machine's own: it may
        be too busy to send what is planned."""
        return [finding["code"] for finding in self.last["findings"] if finding["code"] != "generator_limit"]

    @property
    def verdict(self) -> str:
        return str(self.last["verdict"]["kind"])

    @property
    def score(self) -> float:
        return float(self.last["balance"]["score"])


class Product:
    """A Scale installation at a URL, wherever it runs. headers: sent with every request, such as a proxy's Host."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        self.url = url
        self._headers = {"Content-Type": "application/json", **(headers or {})}

    def start(self, target_url: str, **plan: object) -> str:
        """Begin a run and wait until it sends load; its id. Raises AssertionError with the answer when refused."""
        whole = {"target_url": target_url, "users": 10, "spawn_rate": 1000, "duration": 5, "think_time_s": 0.01, **plan}
        status, body = self.ask("/api/load-test/start", whole)
        assert status == 200, body
        test_id = str(body["test_id"])
        until(lambda: self.look(test_id)["status"] != "starting", f"run {test_id} sends load")
        return test_id

    def look(self, test_id: str) -> dict[str, Any]:
        """The run as it is now."""
        status, body = self.ask(f"/api/load-test/{test_id}")
        assert status == 200, body
        return body

    def so_far(self, test_id: str) -> Ran:
        """The run as it is now, in short."""
        run = self.look(test_id)
        return Ran(test_id, run["status"], run["message"], run["last"] or {"pods": []})

    def stop(self, test_id: str) -> None:
        """Ask a run to end; requests in flight still count."""
        status, body = self.ask(f"/api/load-test/{test_id}/stop", {})
        assert status == 200, body

    def ended(self, test_id: str) -> Ran:
        """Wait for the end of a run."""
        duration_s = float(self.look(test_id)["plan"]["duration"])

        def over() -> Ran | None:
            ran = self.so_far(test_id)
            return ran if ran.status in ENDED else None

        ran = until(over, f"run {test_id} ends", duration_s + RUN_SPARE_S)
        assert ran is not None
        return ran

    def run(self, target_url: str, **plan: object) -> Ran:
        """Start a run and wait for its end. Raises AssertionError unless it ended as planned."""
        ran = self.ended(self.start(target_url, **plan))
        assert ran.status == "finished", f"{ran.status}: {ran.message}"
        return ran

    def ask(self, path: str, body: Mapping[str, object] | None = None) -> tuple[int, Any]:
        """Status and document of a GET, or of a POST when there is a body; None for a page of a proxy's own."""
        content = None if body is None else json.dumps(body).encode()
        status, answer = fetch(f"{self.url}{path}", self._headers, content)
        try:
            return status, json.loads(answer)
        except json.JSONDecodeError:
            return status, None


INGRESS_HOST = "shop.example"
"""A host that requests may name which are sent to a proxy's address."""
OUTSIDE = ("nsenter", "--net=/proc/1/ns/net", "--")
"""What to put before a command so that it runs as a client that is no pod of the cluster."""


def scale_run(target_url: str, *before: str, node: str = "", **plan: object) -> subprocess.CompletedProcess[str]:
    """`scale run --json`, ended. before: OUTSIDE, or nothing. node: where it is told to be. plan: as in a file."""
    whole = {"target_url": target_url, "users": 10, "spawn_rate": 1000, "duration_s": 4, "think_time_s": 0.01, **plan}
    command = [*before, sys.executable, "-m", "scale_app.cli", "run", "-", "--json", "--quiet", "--fail-on", "never"]
    environment = {**_environment(), "SCALE_KUBE_NODE": node}
    return subprocess.run(
        command, input=json.dumps(whole), env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def _environment() -> dict[str, str]:
    """Of a Scale that may load every address of the cluster."""
    return {
        **os.environ,
        "SCALE_KUBE_CONFIG": os.environ["KUBECONFIG"],
        "SCALE_KUBE_NAMESPACES": "*",
        "SCALE_DEBUG_IMAGE": "scale.test/shell:1",
        "SCALE_ALLOWED_TARGETS": f"{ALL_ADDRESSES},*.cluster.local,*.svc,{INGRESS_HOST}",
    }


@contextmanager
def serving(scratch: Path, **environment: str) -> Iterator[Product]:
    """`scale serve` until the block ends; it may load every address of the cluster."""
    with served(environment={**_environment(), **environment}, scratch=scratch) as server:
        yield Product(server.url)
