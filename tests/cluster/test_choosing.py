"""The source of counts that Scale takes by itself, best first, and each one by its own right alone.

The account may watch the Service, and has the rows' rights that a case names and no others: what a real authorizer
refuses, and what the pods do not have, leaves the next best source.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.accounts import scale_with
from tests.cluster.handle import Cluster
from tests.cluster.targets import echo, namespace, service
from tests.cluster.truth import TruthOf

HERE = "choosing"
PODS = 3
REFUSED = {"access_log": "get pods/log", "connection_map": "get and create pods/exec", "network": "get nodes/proxy"}
"""The rule that each source's problem names where it is not granted."""
BY_EXEC = {"enter_pods": "exec"}


@dataclass(frozen=True, slots=True)
class Case:
    """rights: rows beside the needed one. app: "echo", whose answers name their pod and which has a counter; or "mute",
    which has but a log and a `cat`. source: the one to be taken."""

    source: str
    rights: tuple[str, ...]
    app: str = "mute"
    plan: dict[str, Any] = field(default_factory=dict)


CASES = {
    "what the answers say": Case("header", ("prometheus", "access_log", "kubelet"), "echo"),
    "a counter": Case("prometheus", ("prometheus", "access_log", "kubelet"), "echo", {"pod_header": "X-Nobody"}),
    "a log": Case("access_log", ("access_log", "kubelet")),
    "connections": Case("connection_map", ("connections", "kubelet"), plan=BY_EXEC),
    "connections by an added container": Case(
        "connection_map", ("ephemeral", "kubelet"), plan={"enter_pods": "ephemeral"}
    ),
    "an estimate": Case("network", ("kubelet",), plan={"duration": 20}),
}


@pytest.fixture(scope="module")
def target(cluster: Cluster) -> Iterator[None]:
    """Three pods of each app."""
    cluster.apply([namespace(HERE)])
    cluster.apply([echo(PODS, environment={"LOG": "none"}), service("echo")], HERE)
    mute = echo(PODS, "mute", {"LOG": "combined", "NAMELESS": "1"}, image="scale.test/echo-cat:1")
    cluster.apply([mute, service("mute", "mute")], HERE)
    for app in ("echo", "mute"):
        cluster.wait_for_pods(HERE, f"app={app}", PODS)
    yield
    cluster.kubectl("delete", "namespace", HERE)


def problems(ran_counting: dict[str, Any]) -> dict[str, str]:
    """{source that was tried: why it cannot be used}."""
    return {each["source"]: each["problem"] for each in ran_counting["considered"] if each["problem"]}


@pytest.mark.usefixtures("target")
@pytest.mark.parametrize("name", CASES)
def test_the_best_source_that_the_account_may_read_is_taken(cluster: Cluster, tmp_path: Path, name: str) -> None:
    case = CASES[name]
    url = cluster.url_of(case.app, HERE)
    kept: dict[str, Any] = {"users": 10, "requests_per_connection": None, "duration": 8}
    with (
        scale_with(cluster, HERE, tmp_path, *case.rights) as product,
        TruthOf(cluster, HERE, f"app={case.app}") as truth,
    ):
        ran = product.run(url, **{**kept, **case.plan})
    counting = ran.last["counting"]
    assert counting["now"]["source"] == case.source, counting
    if case.source == "network":
        assert counting["now"]["approximate"]
    else:
        assert ran.counted == truth.answered
    asked = [source for source in problems(counting) if source in REFUSED]
    assert all(REFUSED[source] in problems(counting)[source] for source in asked), counting
    if case.source in ("connection_map", "network"):
        assert "access_log" in asked


@pytest.mark.usefixtures("target")
def test_with_no_source_left_there_is_no_verdict_and_every_missing_rule_is_named(
    cluster: Cluster, tmp_path: Path
) -> None:
    url = cluster.url_of("mute", HERE)
    with scale_with(cluster, HERE, tmp_path) as product:
        ran = product.run(url, duration=5, **BY_EXEC)
    assert ran.verdict == "NO_DATA"
    told = problems(ran.last["counting"])
    assert "no Prometheus page" in told["prometheus"]
    assert all(rule in told[source] for source, rule in REFUSED.items()), told


@pytest.mark.usefixtures("target")
def test_a_source_that_is_asked_for_and_may_not_be_read_ends_the_run_before_any_load(
    cluster: Cluster, tmp_path: Path
) -> None:
    url = cluster.url_of("mute", HERE)
    with scale_with(cluster, HERE, tmp_path) as product, TruthOf(cluster, HERE, "app=mute") as truth:
        for source, rule in REFUSED.items():
            ran = product.ended(product.start(url, counting=source, **(BY_EXEC if "map" in source else {})))
            assert ran.status == "failed"
            assert rule in ran.message
    assert set(truth.answered.values()) == {0}
