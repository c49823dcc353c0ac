"""Every source of counts, in every case that it must stand, held against what the pods say that they answered.

Each result is a row of the table in docs/counting.md; build/counting.json keeps them all.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.cluster.counting_table import keep, row_of
from tests.cluster.handle import Cluster
from tests.cluster.product import Product, Ran
from tests.cluster.targets import NGINX_LOG, echo, namespace, nginx, service
from tests.cluster.truth import TruthOf

HERE = "counting"
APP = "app=echo"
PODS = 5
BEFORE_CRASH_S = 4.0


@dataclass(frozen=True, slots=True)
class Way:
    """A source as a plan asks for it.

    plan: its fields. pods: the app whose pods answer. through: the Service that is loaded. off_by: how much of a pod's
    fair share may be ascribed wrongly: {case: part}, "" for every other case; nothing where the source is exact.
    """

    plan: dict[str, Any]
    pods: str = "echo"
    through: str = "echo"
    off_by: dict[str, float] = field(default_factory=dict)

    def allowance(self, case: str) -> float:
        return self.off_by.get(case, self.off_by.get("", 0.0))


NEW, KEPT, CRASH = "a new connection each", "20 kept connections", "a container dies"
CASES: dict[str, dict[str, Any]] = {
    NEW: {"requests_per_connection": 1, "users": 10, "duration": 10},
    KEPT: {"requests_per_connection": None, "users": 20, "duration": 10},
    CRASH: {"requests_per_connection": 5, "users": 10, "duration": 15},
}
AT_PROXY = {"service": f"{HERE}/echo", "proxy_pods": f"{HERE}/app=edge", "log_pattern": NGINX_LOG}
MAP = {"counting": "connection_map"}
WAYS = {
    "response header": Way({"counting": "header"}),
    "JSON field": Way({"counting": "json", "json_field": "pod"}),
    "Prometheus counter": Way({"counting": "prometheus"}),
    "access log": Way({"counting": "access_log"}),
    "connection map, by exec": Way({**MAP, "enter_pods": "exec"}, "echo-cat", "echo-cat", {NEW: 0.25}),
    "connection map, by an added container": Way({**MAP, "enter_pods": "ephemeral"}, off_by={NEW: 0.25}),
    "proxy's log": Way({"counting": "proxy", **AT_PROXY}, through="edge"),
    "network share (approximate)": Way({"counting": "network", "duration": 40}, off_by={"": 0.25}),
}
# An estimate, and a map of connections that die with the container, say nothing about the last moments before a crash.
CRASHES = ("response header", "JSON field", "Prometheus counter", "access log", "proxy's log")
TABLE = [(source, case) for source in WAYS for case in CASES if case != CRASH or source in CRASHES]


@pytest.fixture(scope="module")
def target(cluster: Cluster) -> Iterator[None]:
    """Five pods that can be counted in every way, five more with a `cat`, and an nginx in front of the first."""
    cluster.apply([namespace(HERE)])
    log = {"LOG": "combined"}
    cluster.apply([echo(PODS, environment=log), service("echo")], HERE)
    cluster.apply([echo(PODS, "echo-cat", log, image="scale.test/echo-cat:1"), service("echo-cat", "echo-cat")], HERE)
    pods = cluster.wait_for_pods(HERE, APP, PODS)
    cluster.wait_for_pods(HERE, "app=echo-cat", PODS)
    upstream = " ".join(f"server {pod.ip}:8080;" for pod in pods)
    proxy = "location / { proxy_pass http://pods; proxy_http_version 1.1; proxy_set_header Connection ''; }"
    cluster.apply(nginx("edge", proxy, f"upstream pods {{ {upstream} keepalive 64; }}"), HERE)
    cluster.wait_for_pods(HERE, "app=edge", 1)
    yield
    cluster.kubectl("delete", "namespace", HERE)


@pytest.mark.usefixtures("target")
@pytest.mark.parametrize(("source", "case"), TABLE)
def test_requests_are_ascribed_to_the_pods_that_answered(
    cluster: Cluster, product: Product, source: str, case: str
) -> None:
    way, plan = WAYS[source], CASES[case]
    url = cluster.url_of(way.through, HERE)
    cluster.wait_for_pods(HERE, f"app={way.pods}", PODS)
    with TruthOf(cluster, HERE, f"app={way.pods}") as truth:
        test_id = product.start(url, **{**plan, **way.plan})
        if case == CRASH:
            time.sleep(BEFORE_CRASH_S)
            # Another one than before: a container that crashed twice is not started again for a while.
            truth.crash(min(cluster.pods(HERE, f"app={way.pods}"), key=lambda pod: pod.restarts))
        ran = product.ended(test_id)
    assert ran.status == "finished", ran.message
    row = row_of(source, case, ran.counted, truth.answered, ran.sent, *costs(ran))
    keep(row)
    assert ran.sent > 100
    # A pod that dies may have counted what it had in hand, a request a user at most, without having answered it.
    in_hand = plan["users"] if case == CRASH else 0
    # What a counter took with it when it ended cannot be counted, but must be told.
    lost = ran.last["counting"]["now"]["lost"]
    assert row.wrong <= way.allowance(case) * ran.sent / PODS + in_hand + lost, (ran.counted, truth.answered)
    assert not lost or "in no reading" in ran.last["counting"]["now"]["problem"]
    assert not lost or case == CRASH


def costs(ran: Ran) -> tuple[float | None, float | None]:
    """How old the newest counts were, and how long a reading took; None where nothing is read beside the answers."""
    now = ran.last["counting"]["now"]
    beside = now["source"] not in ("header", "json")
    return (1000 * now["lag_s"], 1000 * now["took_s"]) if beside else (0.0, None)
