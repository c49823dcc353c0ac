"""A real nginx before pods whose Service is known: what its policy does is named, and the pods counted the same."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.handle import Cluster, Pod, until
from tests.cluster.product import INGRESS_HOST, Product
from tests.cluster.targets import ECHO_PORT, Thing, echo, namespace, nginx, service
from tests.cluster.truth import answered

HERE = "layer7"
PODS, BETA = 4, 2
POLICIES = {
    "weights": ((3, 1, 1, 1), ""),
    "subset": ((1, 1, 0, 0), ""),
    "header": ((1, 1, 1, 1), "hash $http_x_user consistent;"),
}
"""{what follows the proxy's name in a URL: weight of each pod, and the upstream's policy}"""
KEPT = {"requests_per_connection": None, "users": 20, "think_time_s": 0.005, "service": f"{HERE}/echo"}


def ingress(name: str, to: str, host: str = "", begins: str = "/canary", **annotations: str) -> Thing:
    """What an Ingress controller in the proxy's place would go by."""
    backend = {"service": {"name": to, "port": {"number": 80}}}
    path = {"path": begins, "pathType": "Prefix", "backend": backend}
    given = {f"nginx.ingress.kubernetes.io/{key.replace('_', '-')}": value for key, value in annotations.items()}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name, "annotations": given},
        "spec": {"rules": [{**({"host": host} if host else {}), "http": {"paths": [path]}}]},
    }


@pytest.fixture(scope="module")
def pods(cluster: Cluster) -> Iterator[list[Pod]]:
    cluster.apply([namespace(HERE)])
    cluster.apply([echo(PODS, environment={"LOG": "none"}), service("echo")], HERE)
    cluster.apply([echo(1, "next", environment={"LOG": "none"}), service("next", "next")], HERE)
    cluster.apply([ingress("main", "echo"), ingress("canary", "next", canary="true", canary_weight="10")], HERE)
    cluster.apply([ingress("shop", "echo", INGRESS_HOST, "/weights")], HERE)
    cluster.apply([echo(BETA, "beta", environment={"LOG": "none"}), service("beta", "beta")], HERE)
    by_header = {"canary": "true", "canary_weight": "10", "canary_by_header": "X-Beta"}
    cluster.apply([ingress("all", "echo", begins="/beta"), ingress("beta", "beta", begins="/beta", **by_header)], HERE)
    pods = cluster.wait_for_pods(HERE, "app=echo", PODS)
    (canary,) = cluster.wait_for_pods(HERE, "app=next", 1)
    beta = cluster.wait_for_pods(HERE, "app=beta", BETA)
    server = " ".join(
        f'location /{path} {{ proxy_pass http://{to}; proxy_http_version 1.1; proxy_set_header Connection ""; }}'
        for path, to in (*((name, name) for name in (*POLICIES, "canary")), ("beta", "$beta"))
    )
    upstreams = [_upstream_of(name, pods, *policy) for name, policy in POLICIES.items()]
    upstreams += [
        _upstream_of("canary", [*pods, canary], (9, 9, 9, 9, 4), ""),
        _upstream_of("by_weight", [*pods, *beta], (9, 9, 9, 9, 2, 2), ""),
        _upstream_of("main", pods, (1, 1, 1, 1), ""),
        _upstream_of("next", beta, (1, 1), ""),
        "map $http_x_beta $beta { default by_weight; always next; never main; }\n",
    ]
    cluster.apply(nginx("edge", f"{server} location / {{ return 200; }}", "".join(upstreams)), HERE)
    cluster.wait_for_pods(HERE, "app=edge", 1)
    yield pods
    cluster.kubectl("delete", "namespace", HERE, "--wait=false")


def _upstream_of(name: str, pods: list[Pod], weights: tuple[int, ...], policy: str) -> str:
    servers = (f"server {pod.ip}:{ECHO_PORT} weight={n};" for pod, n in zip(pods, weights, strict=True) if n)
    return f"upstream {name} {{ {policy} {' '.join(servers)} keepalive 32; }}\n"


@pytest.mark.parametrize(
    ("policy", "cause", "said"),
    [
        ("weights", "layer7_weights", "stay at 3:1:1:1, as with such weights"),
        ("subset", "layer7_left_out", "2 of 4 pods shared all requests, each picked anew"),
        ("header", "single_source", "from one address to one URL with the same X-User."),
    ],
)
def test_what_a_layer_7_balancer_does_is_named(
    cluster: Cluster, product: Product, pods: list[Pod], policy: str, cause: str, said: str
) -> None:
    url = f"{cluster.url_of('edge', HERE)}{policy}"
    before = answered(pods)
    duration = 14 if policy == "weights" else 5
    ran = product.run(url, **KEPT, duration=duration, headers={"X-User": "7"})
    after = answered(pods)
    assert ran.counted == {name: after[name] - before[name] for name in after}
    assert ran.verdict == "UNEVEN"
    first = next(each for each in ran.last["findings"] if each["code"] != "generator_limit")
    assert (first["code"], first["certainty"]) == (cause, "likely")
    assert said in first["evidence"]
    assert not {"layer7", "uneven_connections"} & set(ran.causes)


@pytest.mark.parametrize(
    ("path", "meant", "said"),
    [
        ("weights", {"echo": 1}, ""),
        ("weights", None, "the plan: {first} 3."),
        ("canary", {}, "Ingress canary (canary-weight): echo 90, next 10."),
    ],
)
def test_weights_that_are_meant_are_even(
    cluster: Cluster, product: Product, pods: list[Pod], path: str, meant: dict[str, int] | None, said: str
) -> None:
    every = [*pods, *(cluster.wait_for_pods(HERE, "app=next", 1) if path == "canary" else [])]
    before = answered(every)
    weights = {pods[0].name: 3} if meant is None else meant
    ran = product.run(f"{cluster.url_of('edge', HERE)}{path}", **KEPT, duration=5, weights=weights)
    after = answered(every)
    assert ran.counted == {name: after[name] - before[name] for name in after}
    assert ran.verdict == ("EVEN" if said else "UNEVEN")
    if said:
        assert ran.score > 0.95
        assert ran.last["verdict"]["sentence"].endswith(said.format(first=pods[0].name))
        assert not ran.causes or ran.causes == ["layer7"]


def test_the_host_of_an_ingress_is_its_service_with_all_its_pods(
    cluster: Cluster, product: Product, pods: list[Pod]
) -> None:
    url = f"http://{cluster.address_of('edge', HERE)}/weights"
    before = answered(pods)
    ran = product.run(url, **{**KEPT, "service": ""}, duration=3, headers={"Host": INGRESS_HOST})
    after = answered(pods)
    assert ran.counted == {name: after[name] - before[name] for name in after}
    assert ran.last["roster_known"]
    assert ran.verdict == "UNEVEN"


def test_the_weight_of_a_canary_that_changes_in_mid_run_counts_from_then_on(
    cluster: Cluster, product: Product, pods: list[Pod]
) -> None:
    """What the proxy does stays at 90 to 10."""
    weight = "nginx.ingress.kubernetes.io/canary-weight"
    test_id = product.start(f"http://{cluster.address_of('edge', HERE)}/canary", **KEPT, duration=12)
    try:
        until(lambda: product.so_far(test_id).last.get("elapsed_s", 0) >= 3, "the run goes on")
        cluster.kubectl("annotate", "ingress", "canary", "-n", HERE, "--overwrite", f"{weight}=50")
        ran = product.ended(test_id)
    finally:
        cluster.kubectl("annotate", "ingress", "canary", "-n", HERE, "--overwrite", f"{weight}=10")
    assert ran.last["service"]["split"] == {"echo": 50, "next": 50}
    (canary,) = [pod for pod in ran.last["pods"] if pod["name"].startswith("next-")]
    assert 0.15 * ran.sent < canary["expected"] < 0.45 * ran.sent  # a tenth until the change, then half
    assert ran.verdict == "UNEVEN"


@pytest.mark.parametrize(
    ("header", "reached", "said"),
    [
        ({"X-Beta": "always"}, ("beta-",), ""),
        ({"X-Beta": "never"}, ("echo-",), ""),
        ({}, ("echo-", "beta-"), "Ingress beta (canary-weight): echo 90, beta 10."),
    ],
)
def test_a_canary_by_header_has_all_of_the_requests_that_send_it(
    cluster: Cluster, product: Product, pods: list[Pod], header: dict[str, str], reached: tuple[str, ...], said: str
) -> None:
    every = [*pods, *cluster.wait_for_pods(HERE, "app=beta", BETA)]
    before = answered(every)
    ran = product.run(f"{cluster.url_of('edge', HERE)}beta", **KEPT, duration=40, until="decided", headers=header)
    after = answered(every)
    truth = {name: after[name] - before[name] for name in after}
    assert ran.counted == {name: truth[name] for name in truth if name.startswith(reached)}
    assert sum(truth.values()) == ran.sent
    assert ran.verdict == "EVEN", ran.last["verdict"]["sentence"]
    sentence = ran.last["verdict"]["sentence"]
    assert sentence.endswith(said) if said else "by the weights" not in sentence
    assert not ran.causes or ran.causes == ["layer7"]
