"""What the pods themselves say that they answered: the truth that every count is held against.

A pod tells it at a port of its own, to everybody who asks, so asking disturbs no count.
"""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from urllib.parse import quote

from tests.cluster.api import api_get
from tests.cluster.handle import Cluster, Pod

TRUTH_PORT = 8081
EVERY_S = 0.15
ANSWER_LIMIT_S = 1.0
AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Told:
    """What a pod says. life: tells its containers apart, which all count from 0."""

    life: int
    requests: int


def answered(pods: Iterable[Pod]) -> dict[str, int]:
    """{pod name: requests answered since it started}."""
    return {pod.name: told(pod.ip).requests for pod in pods}


def told(ip: str, path: str = "truth") -> Told:
    """What the pod at this address says now. Raises OSError when nobody is there."""
    with urllib.request.urlopen(f"http://{ip}:{TRUTH_PORT}/{path}", timeout=ANSWER_LIMIT_S) as answer:
        document = json.load(answer)
    return Told(document["started"], document["requests"])


class TruthOf:
    """A block in which pods may come, go and crash: afterwards `answered` has what each one did in it.

    Every pod of the selector is asked again and again, also on its way out: a pod that ends says its last count for
    a moment after its last answer.
    """

    def __init__(self, cluster: Cluster, namespace: str, selector: str) -> None:
        self._cluster, self._namespace, self._selector = cluster, namespace, selector
        self._lives: dict[str, dict[int, int]] = {}
        self._before: dict[str, int] = {}
        self._addresses: dict[str, str] = {}
        self._asked = ThreadPoolExecutor(AT_ONCE)  # at once, so that one that is gone keeps nobody waiting
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow)

    def __enter__(self) -> TruthOf:
        self._look()
        self._before = {name: sum(lives.values()) for name, lives in self._lives.items()}
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()
        self._look()
        self._asked.shutdown()

    @property
    def answered(self) -> dict[str, int]:
        """{pod name: requests answered in the block, over all of its containers' lives}."""
        return {name: sum(lives.values()) - self._before.get(name, 0) for name, lives in self._lives.items()}

    def crash(self, pod: Pod) -> None:
        """Let a pod die without warning, having said its count."""
        self._hear(pod.name, told(pod.ip, "crash"))

    def _follow(self) -> None:
        while not self._over.wait(EVERY_S):
            self._look()

    def _look(self) -> None:
        path = f"/api/v1/namespaces/{self._namespace}/pods?labelSelector={quote(self._selector)}"
        listed = json.loads(api_get(self._cluster.layout, path) or '{"items": []}')["items"]
        addresses = {item["metadata"]["name"]: item["status"].get("podIP") for item in listed}
        self._addresses.update({name: ip for name, ip in addresses.items() if ip})
        heard = dict(zip(self._addresses, self._asked.map(self._ask, self._addresses), strict=True))
        for name in [name for name, answers in heard.items() if not answers and name not in addresses]:
            del self._addresses[name]

    def _ask(self, name: str) -> bool:
        """False when the pod does not answer: it starts, or is gone."""
        try:
            self._hear(name, told(self._addresses[name]))
        except (OSError, ValueError):
            return False
        return True

    def _hear(self, name: str, truth: Told) -> None:
        lives = self._lives.setdefault(name, {})
        lives[truth.life] = max(truth.requests, lives.get(truth.life, 0))
