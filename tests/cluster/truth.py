"""What the pods themselves say that they answered: the truth that every count is held against.

A pod tells it at a port of its own, to everybody who asks, so asking disturbs no count.
"""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterable
from types import TracebackType
from urllib.parse import quote

from tests.cluster.api import api_get
from tests.cluster.handle import Cluster, Pod

TRUTH_PORT = 8081
EVERY_S = 0.15


def answered(pods: Iterable[Pod]) -> dict[str, int]:
    """{pod name: requests answered since it started}."""
    return {pod.name: told(pod.ip) for pod in pods}


def told(ip: str, path: str = "truth") -> int:
    """Requests that the pod at this address has answered since it started. Raises OSError when nobody is there."""
    with urllib.request.urlopen(f"http://{ip}:{TRUTH_PORT}/{path}", timeout=5) as answer:
        return int(json.load(answer)["requests"])


class TruthOf:
    """A block in which pods may come, go and crash: afterwards `answered` has what each one did in it.

    Every pod of the selector is asked again and again, also on its way out: a pod that ends says its last count for
    a moment after its last answer.
    """

    def __init__(self, cluster: Cluster, namespace: str, selector: str) -> None:
        self._cluster, self._namespace, self._selector = cluster, namespace, selector
        self._last: dict[str, int] = {}
        self._earlier: dict[str, int] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow)

    def __enter__(self) -> TruthOf:
        self._look()
        self._earlier = {name: -count for name, count in self._last.items()}
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()
        self._look()

    @property
    def answered(self) -> dict[str, int]:
        """{pod name: requests answered in the block, over all of its containers' lives}."""
        return {name: count + self._earlier.get(name, 0) for name, count in self._last.items()}

    def crash(self, pod: Pod) -> None:
        """Let a pod die without warning, having said its count."""
        self._hear(pod.name, told(pod.ip, "crash"))

    def _follow(self) -> None:
        while not self._over.wait(EVERY_S):
            self._look()

    def _look(self) -> None:
        path = f"/api/v1/namespaces/{self._namespace}/pods?labelSelector={quote(self._selector)}"
        for item in json.loads(api_get(self._cluster.layout, path) or '{"items": []}')["items"]:
            ip = item["status"].get("podIP")
            try:
                if ip:
                    self._hear(item["metadata"]["name"], told(ip))
            except (OSError, urllib.error.URLError, ValueError):
                continue  # it starts, or is gone

    def _hear(self, name: str, count: int) -> None:
        before = self._last.get(name, 0)
        if count < before:  # a new container
            self._earlier[name] = self._earlier.get(name, 0) + before
        self._last[name] = count
