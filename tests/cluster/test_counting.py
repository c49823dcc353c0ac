"""Every source of counts, in every case that it must stand, held against what the pods say that they answered.

Each result is a row of the table in docs/counting.md; build/counting.json keeps them all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.cluster.counting_table import keep, row_of
from tests.cluster.handle import Cluster
from tests.cluster.product import Product, Ran
from tests.cluster.targets import echo, namespace, nginx, service
from tests.cluster.truth import TruthOf

HERE = "counting"
APP = "app=echo"
PODS = 5


@dataclass(frozen=True, slots=True)
class Way:
    """A source as a plan asks for it. through: the Service that is loaded. off_by: how much of what a pod answered may
    be ascribed wrongly, as a part of a pod's fair share; 0 where the source is exact."""

    plan: dict[str, Any]
    through: str = "echo"
    off_by: float = 0.0
    off_by_in: dict[str, float] = field(default_factory=dict)


WAYS = {
    "response header": Way({}),
    "JSON field": Way({"counting": "json", "json_field": "pod"}),
    "Prometheus counter": Way({"counting": "prometheus"}),
    "access log": Way({"counting": "access_log"}),
    "connection map": Way(
        {"counting": "connection_map", "enter_pods": "ephemeral"}, off_by_in={"a new connection each": 0.25}
    ),
    "proxy's log": Way(
        {"counting": "proxy", "proxy_pods": f"{HERE}/app=edge", "service": f"{HERE}/echo"}, through="edge"
    ),
    "network share": Way({"counting": "network"}, off_by=0.25),
}
CASES: dict[str, dict[str, Any]] = {
    "a new connection each": {"requests_per_connection": 1},
    "20 kept connections": {"requests_per_connection": None, "users": 20},
}


@pytest.fixture(scope="module")
def target(cluster: Cluster) -> Iterator[None]:
    """Five pods that can be counted in every way, and an nginx in front of them."""
    cluster.apply([namespace(HERE)])
    cluster.apply([echo(PODS, environment={"LOG": "combined"}), service("echo")], HERE)
    pods = cluster.wait_for_pods(HERE, APP, PODS)
    upstream = " ".join(f"server {pod.ip}:8080;" for pod in pods)
    proxy = "location / { proxy_pass http://pods; proxy_http_version 1.1; proxy_set_header Connection ''; }"
    cluster.apply(nginx("edge", proxy, f"upstream pods {{ {upstream} keepalive 64; }}"), HERE)
    cluster.wait_for_pods(HERE, "app=edge", 1)
    yield
    cluster.kubectl("delete", "namespace", HERE)


@pytest.mark.usefixtures("target")
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("source", WAYS)
def test_requests_are_ascribed_to_the_pods_that_answered(
    cluster: Cluster, product: Product, source: str, case: str
) -> None:
    way = WAYS[source]
    url = cluster.url_of(way.through, HERE)
    with TruthOf(cluster, HERE, APP) as truth:
        ran = product.run(url, **{"users": 10, "duration": 8, **way.plan, **CASES[case]})
    row = row_of(source, case, ran.counted, truth.answered, ran.sent, lag_ms(ran), None)
    keep(row)
    assert sum(truth.answered.values()) == ran.sent
    assert row.wrong <= way.off_by_in.get(case, way.off_by) * ran.sent / PODS


def lag_ms(ran: Ran) -> float | None:
    standing = ran.last.get("counting", {}).get("now", {})
    return None if "lag_s" not in standing else 1000 * float(standing["lag_s"])
