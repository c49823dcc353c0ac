"""Every source of counts, in every case that it must stand, held against what the pods say that they answered.

Each result is a row of the table in docs/counting.md; build/counting.json keeps them all.
"""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from scale_app.domain.source import NEEDS
from tests.cluster.accounts import account, kubeconfig_of
from tests.cluster.counting_table import keep, row_of
from tests.cluster.envoy import envoy, envoy_archive
from tests.cluster.handle import Cluster
from tests.cluster.product import Product, Ran, serving
from tests.cluster.targets import NGINX_LOG, echo, namespace, nginx, service
from tests.cluster.truth import TruthOf

HERE = "counting"
APP = "app=echo"
PODS = 5
BEFORE_CHANGE_S = 4.0
ROTATED_WITHIN_S = 30


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
ROLLING, GROWING, OTHERS = "a rolling update", "a scale-up of kept connections", "another client's 200 requests"
CASES: dict[str, dict[str, Any]] = {
    NEW: {"requests_per_connection": 1, "users": 10, "duration": 10},
    KEPT: {"requests_per_connection": None, "users": 20, "duration": 10},
    CRASH: {"requests_per_connection": 5, "users": 10, "duration": 15},
    ROLLING: {"requests_per_connection": 5, "users": 10, "duration": 25},
    GROWING: {"requests_per_connection": None, "users": 20, "duration": 15},
    OTHERS: {"requests_per_connection": None, "users": 10, "duration": 10},
}
ANOTHERS = 200
AT_PROXY = {"service": f"{HERE}/echo", "proxy_pods": f"{HERE}/app=edge", "log_pattern": NGINX_LOG}
AT_ENVOY = {"service": f"{HERE}/echo", "proxy_pods": f"{HERE}/app=envoy"}
MAP = {"counting": "connection_map"}
LOG = {"counting": "access_log"}
BARS = "$remote_addr|$request|$status|$http_user_agent|$time_local"
AT_ADDRESS = "Prometheus counter, at the pods' addresses"
WAYS = {
    "response header": Way({"counting": "header"}),
    "JSON field": Way({"counting": "json", "json_field": "pod"}),
    "Prometheus counter": Way({"counting": "prometheus"}),
    AT_ADDRESS: Way({"counting": "prometheus"}),
    "access log, combined": Way(LOG),
    "access log, common": Way(LOG, "echo-cat", "echo-cat"),
    "access log, JSON": Way(LOG, "echo-json", "echo-json"),
    "access log, a pattern of the user's": Way({**LOG, "log_pattern": BARS}, "echo-bars", "echo-bars"),
    "connection map, by exec": Way({**MAP, "enter_pods": "exec"}, "echo-cat", "echo-cat", {NEW: 0.25, ROLLING: 0.5}),
    "connection map, by an added container": Way({**MAP, "enter_pods": "ephemeral"}, off_by={NEW: 0.25}),
    "nginx' log": Way({"counting": "proxy", **AT_PROXY}, through="edge"),
    "Envoy's counters": Way({"counting": "proxy", **AT_ENVOY}, through="envoy"),
    "network share (approximate)": Way({"counting": "network", "duration": 40}, off_by={"": 0.25}),
}
ONE_FORMAT = ("access log, common", "access log, JSON", "access log, a pattern of the user's", AT_ADDRESS)
# An estimate, and a map of connections that die with the container, say nothing about the last moments before a crash.
# The proxies know the pods by address, so these are replaced at the end.
CHANGES = {
    CRASH: ("response header", "JSON field", "Prometheus counter", "access log, combined", "nginx' log"),
    OTHERS: ("Prometheus counter", "access log, combined", "nginx' log", "Envoy's counters"),
    ROLLING: ("response header", "Prometheus counter", "access log, combined", "connection map, by exec"),
    GROWING: ("response header", "Prometheus counter", "access log, combined", "connection map, by exec"),
}
TABLE = [
    *((source, case) for source in WAYS for case in (NEW, KEPT) if case == KEPT or source not in ONE_FORMAT),
    *((source, case) for case, sources in CHANGES.items() for source in sources),
]
LEAST = {AT_ADDRESS: ("targets", "pods"), "nginx' log": ("targets", "proxy"), "Envoy's counters": ("targets", "envoy")}
READS_COUNTERS = ("Prometheus counter", AT_ADDRESS, "Envoy's counters")


@pytest.fixture(scope="module")
def target(cluster: Cluster) -> Iterator[None]:
    """Five pods that can be counted in every way, more with other logs and a `cat`, an nginx before the first."""
    cluster.apply([namespace(HERE)])
    cluster.apply([echo(PODS, environment={"LOG": "combined"}), service("echo")], HERE)
    cat = echo(PODS, "echo-cat", {"LOG": "common"}, image="scale.test/echo-cat:1")
    cluster.apply([cat, service("echo-cat", "echo-cat")], HERE)
    for log in ("json", "bars"):
        cluster.apply([echo(PODS, f"echo-{log}", {"LOG": log}), service(f"echo-{log}", f"echo-{log}")], HERE)
    pods = cluster.wait_for_pods(HERE, APP, PODS)
    upstream = " ".join(f"server {pod.ip}:8080;" for pod in pods)
    proxy = "location / { proxy_pass http://pods; proxy_http_version 1.1; proxy_set_header Connection ''; }"
    cluster.apply(nginx("edge", proxy, f"upstream pods {{ {upstream} keepalive 64; }}"), HERE)
    cluster.wait_for_pods(HERE, "app=edge", 1)
    yield
    cluster.kubectl("delete", "namespace", HERE)


@pytest.fixture
def before_it(cluster: Cluster, source: str) -> None:
    """The proxy that this source is of, with the pods that are there now."""
    if source == "Envoy's counters":
        if not envoy_archive().exists():
            pytest.skip("Envoy's package could not be fetched from PyPI")
        cluster.import_image(envoy_archive(), "n1", "n2", "n3")
        cluster.apply(envoy("envoy", [pod.ip for pod in cluster.pods(HERE, APP)]), HERE)
        cluster.wait_for_pods(HERE, "app=envoy", 1)


@pytest.fixture
def counting_product(
    cluster: Cluster, source: str, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Product]:
    """Scale as the administrator, but for those that are tried with the least rights that are said to do."""
    if source not in LEAST:
        yield request.getfixturevalue("product")
        return
    name = LEAST[source][-1]
    rules = [rule for need in NEEDS if need.source in LEAST[source] for rule in need.rules]
    account(cluster, HERE, name, ((rule.verb, rule.resource, rule.api_group) for rule in rules), everywhere=True)
    with serving(tmp_path, SCALE_KUBE_CONFIG=str(kubeconfig_of(cluster, HERE, name, tmp_path))) as running:
        yield running


@pytest.mark.usefixtures("target", "before_it")
@pytest.mark.parametrize(("source", "case"), TABLE)
def test_requests_are_ascribed_to_the_pods_that_answered(
    cluster: Cluster, counting_product: Product, source: str, case: str
) -> None:
    way, plan, product = WAYS[source], CASES[case], counting_product
    url = cluster.url_of(way.through, HERE)
    cluster.wait_for_pods(HERE, f"app={way.pods}", PODS)
    with TruthOf(cluster, HERE, f"app={way.pods}") as truth:
        test_id = product.start(url, **{**plan, **way.plan})
        if case in DURING:
            time.sleep(BEFORE_CHANGE_S)
            DURING[case](cluster, way, truth, url)
        ran = product.ended(test_id)
    restore(cluster, case, way)
    assert ran.status == "finished", ran.message
    row = row_of(source, case, ran.counted, ours(truth, ran, case), ran.sent, *costs(ran))
    keep(row)
    assert ran.sent > 100
    assert row.wrong <= allowed(way, plan, case, source, ran), (ran.counted, truth.answered)
    # What a counter took with it when it ended cannot be counted, but must be told.
    now = ran.last["counting"]["now"]
    assert not now["lost"] or (case in (CRASH, ROLLING) and "missing from the counts" in now["problem"])
    if case == OTHERS:
        assert ran.last["counting"]["others"] is not None
        assert ANOTHERS * 0.8 <= ran.last["counting"]["others"] <= ANOTHERS


@pytest.mark.usefixtures("target")
def test_a_log_is_counted_through_its_rotations(cluster: Cluster, product: Product) -> None:
    cluster.apply([echo(1, "echo-one", {"LOG": "combined"}), service("echo-one", "echo-one")], HERE)
    (pod,) = cluster.wait_for_pods(HERE, "app=echo-one", 1)
    url = cluster.url_of("echo-one", HERE)
    with TruthOf(cluster, HERE, "app=echo-one") as truth:
        ran = product.run(url, counting="access_log", requests_per_connection=None, users=20, duration=ROTATED_WITHIN_S)
    folder = f"{cluster.layout.of_node(pod.node)}/pod-logs/{HERE}_{pod.name}_*"
    files = cluster.on_node(pod.node, "sh", "-c", f"ls {folder}/echo/").split()
    assert len(files) > 1, f"{ran.sent} requests, and the log was not rotated"
    keep(row_of("access log, combined", "a log that is rotated", ran.counted, truth.answered, ran.sent, *costs(ran)))
    assert ran.counted == truth.answered


def ours(truth: TruthOf, ran: Ran, case: str) -> dict[str, int]:
    """What the pods answered; where another client's requests are told apart, those are taken off that are not ours."""
    told_apart = case == OTHERS and sum(ran.counted.values()) <= ran.sent
    return {name: n - (truth_of_others.get(name, 0) if told_apart else 0) for name, n in truth.answered.items()}


truth_of_others: dict[str, int] = {}


def allowed(way: Way, plan: dict[str, Any], case: str, source: str, ran: Ran) -> float:
    """How many requests may be ascribed wrongly at the worst pod."""
    # A pod that dies may have counted what it had in hand, a request a user at most, without having answered it.
    in_hand = plan["users"] if case in (CRASH, ROLLING) else 0
    lost = ran.last["counting"]["now"]["lost"] if source in READS_COUNTERS else 0
    return way.allowance(case) * ran.sent / PODS + in_hand + lost


def _crash(cluster: Cluster, way: Way, truth: TruthOf, _url: str) -> None:
    # Another one than before: a container that crashed twice is not started again for a while.
    truth.crash(min(cluster.pods(HERE, f"app={way.pods}"), key=lambda pod: pod.restarts))


def _roll(cluster: Cluster, way: Way, _truth: TruthOf, _url: str) -> None:
    cluster.kubectl("rollout", "restart", f"deployment/{way.pods}", "-n", HERE)


def _grow(cluster: Cluster, way: Way, _truth: TruthOf, _url: str) -> None:
    cluster.kubectl("scale", f"deployment/{way.pods}", f"--replicas={PODS + 2}", "-n", HERE)


def _ask_too(_cluster: Cluster, _way: Way, _truth: TruthOf, url: str) -> None:
    """Another client, of another kind: with a user agent and a path of its own."""
    truth_of_others.clear()
    for _ in range(ANOTHERS):
        with urllib.request.urlopen(f"{url}another", timeout=5) as answer:
            pod = answer.headers["X-Pod-Name"]
        truth_of_others[pod] = truth_of_others.get(pod, 0) + 1


DURING: dict[str, Callable[[Cluster, Way, TruthOf, str], None]] = {
    CRASH: _crash,
    ROLLING: _roll,
    GROWING: _grow,
    OTHERS: _ask_too,
}


def restore(cluster: Cluster, case: str, way: Way) -> None:
    """As many pods as before, the old ones gone."""
    if case == GROWING:
        cluster.kubectl("scale", f"deployment/{way.pods}", f"--replicas={PODS}", "-n", HERE)
    if case in (GROWING, ROLLING):
        cluster.kubectl("rollout", "status", f"deployment/{way.pods}", "-n", HERE, "--timeout=60s")


def costs(ran: Ran) -> tuple[float | None, float | None]:
    """How old the newest counts were, and how long a reading took; None where nothing is read beside the answers."""
    now = ran.last["counting"]["now"]
    beside = now["source"] not in ("header", "json")
    return (1000 * now["lag_s"], 1000 * now["took_s"]) if beside else (0.0, None)
