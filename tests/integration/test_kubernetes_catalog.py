"""What a cluster offers and what it lets us do, read from an API server on a real socket."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from scale_app.adapters.gatekeeper import TargetGatekeeper
from scale_app.adapters.kubernetes.catalog import KubernetesCatalog
from scale_app.adapters.kubernetes.client import Clusters
from scale_app.domain.cluster import Place, Rule, ServiceRef
from scale_app.domain.errors import ClusterForbidden, ClusterUnavailable, TargetRefused, TargetUnavailable
from scale_app.domain.plan import LoadPlan
from scale_app.domain.source import NEEDS
from tests.fake_api_server import Document, FakeApiServer
from tests.kubernetes_objects import endpoint, endpoint_slice, node, service
from tests.kubernetes_objects import service as of_service

CART = ServiceRef("shop", "cart")


@pytest.fixture
async def clusters(server: FakeApiServer, tmp_path: Path) -> AsyncIterator[Clusters]:
    made = Clusters(server.kubeconfig(tmp_path))
    yield made
    await made.close()


@pytest.fixture
def catalog(clusters: Clusters) -> KubernetesCatalog:
    return KubernetesCatalog(clusters)


def ingress(**rule: object) -> Document:
    backend = {"service": {"name": "cart", "port": {"number": 8080}}}
    paths = [{"path": "/cart", "pathType": "Prefix", "backend": backend}]
    return {
        "metadata": {"name": "front", "namespace": "shop"},
        "spec": {"rules": [{"host": "shop.example", "http": {"paths": paths}, **rule}]},
        "status": {"loadBalancer": {"ingress": [{"ip": "127.0.0.77"}]}},
    }


def gateway() -> Document:
    return {
        "metadata": {"name": "edge", "namespace": "infra"},
        "spec": {"listeners": [{"name": "tls", "protocol": "HTTPS", "port": 8443}]},
        "status": {"addresses": [{"value": "127.0.0.88"}]},
    }


def route(*backends: Document, hostnames: tuple[str, ...] = ("r.example",)) -> Document:
    return {
        "metadata": {"name": "way", "namespace": "shop"},
        "spec": {
            "parentRefs": [{"name": "edge", "namespace": "infra"}],
            "hostnames": list(hostnames),
            "rules": [{"matches": [{"path": {"value": "/r"}}], "backendRefs": list(backends)}],
        },
    }


async def test_a_service_is_offered_with_its_url_pods_and_places(
    server: FakeApiServer, catalog: KubernetesCatalog
) -> None:
    pods = (endpoint("a", node="n2", zone="z2"), endpoint("b", node="n1"), endpoint("c", node="n1", ready=False))
    server.put("endpointslices", endpoint_slice(*pods))
    found = await catalog.targets()
    (target,) = found.targets
    assert (target.kind, target.name, str(target.service)) == ("Service", "cart", "shop/cart")
    assert target.url == "http://127.0.0.9:8080/"
    assert (target.ready, target.pods) == (2, 3)
    assert target.places == (Place("n1", "", 1, 2), Place("n2", "z2", 1, 1))
    assert (target.problem, found.problem, found.namespaces) == ("", "", ("shop",))


async def test_settings_that_matter_are_named_in_kubernetes_words(
    server: FakeApiServer, catalog: KubernetesCatalog
) -> None:
    document = service(
        sessionAffinity="ClientIP",
        internalTrafficPolicy="Local",
        externalTrafficPolicy="Local",
        trafficDistribution="PreferSameNode",
    )
    server.put("services", document)
    server.put("endpointslices", endpoint_slice(endpoint("a", hints={"forNodes": [{"name": "n1"}]})))
    (target,) = (await catalog.targets()).targets
    assert target.notable == (
        "sessionAffinity: ClientIP",
        "internalTrafficPolicy: Local",
        "externalTrafficPolicy: Local",
        "trafficDistribution: PreferSameNode",
        "endpoint hints: forNodes",
    )


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"type": "ExternalName", "externalName": "x.example", "clusterIPs": None}, "another name for x.example"),
        ({"selector": None}, "has no selector"),
        ({"clusterIP": "None", "clusterIPs": ["None"]}, "is headless"),
        ({"ports": [{"port": 53, "protocol": "UDP"}]}, "has no TCP port"),
    ],
)
async def test_a_service_that_cannot_be_loaded_says_why(
    server: FakeApiServer, catalog: KubernetesCatalog, spec: Document, said: str
) -> None:
    server.put("services", service(**spec))
    (target,) = (await catalog.targets()).targets
    assert said in target.problem
    assert target.url == ""
    found = await catalog.find(CART)
    assert (found.problem, found.idle, found.headless) == (target.problem, False, "headless" in said)


@pytest.mark.parametrize(
    ("pods", "said"),
    [
        ((), "no pod matches"),
        ((endpoint("a", ready=False),), "its only pod is not ready"),
        ((endpoint("a", ready=False), endpoint("b", ready=False)), "none of its 2 pods is ready"),
    ],
)
async def test_a_service_without_a_ready_pod_is_idle(
    server: FakeApiServer, catalog: KubernetesCatalog, pods: tuple[Document, ...], said: str
) -> None:
    server.put("endpointslices", endpoint_slice(*pods))
    found = await catalog.find(CART)
    assert found.idle
    assert said in found.problem


async def test_each_tcp_port_is_a_target_and_tls_is_told_by_its_name(
    server: FakeApiServer, catalog: KubernetesCatalog
) -> None:
    ports = [{"port": 80}, {"port": 8443, "name": "https-web"}, {"port": 9, "protocol": "UDP"}]
    server.put("services", service(ports=ports))
    assert [target.url for target in (await catalog.targets()).targets] == [
        "http://127.0.0.9/",
        "https://127.0.0.9:8443/",
    ]


async def test_a_load_balancer_is_the_way_in_from_outside(server: FakeApiServer, catalog: KubernetesCatalog) -> None:
    document = service()
    document["status"] = {"loadBalancer": {"ingress": [{"ip": "127.0.0.50"}]}}
    server.put("services", document)
    assert (await catalog.targets()).targets[0].url == "http://127.0.0.50:8080/"


async def test_an_ingress_leads_to_its_service(server: FakeApiServer, catalog: KubernetesCatalog) -> None:
    server.put("ingresses", ingress())
    target = (await catalog.targets()).targets[-1]
    assert (target.kind, target.name, target.url) == ("Ingress", "front", "http://shop.example/cart")
    assert (str(target.service), target.ready) == ("shop/cart", 3)


async def test_an_ingress_without_a_host_is_reached_by_its_address_and_a_pattern_is_left_to_people(
    server: FakeApiServer, catalog: KubernetesCatalog
) -> None:
    server.put("ingresses", ingress(host="*.example"))
    assert (await catalog.targets()).targets[-1].url == "http://127.0.0.77/cart"
    document = ingress()
    document["spec"]["rules"][0]["http"]["paths"][0]["path"] = "/cart(/|$)(.*)"
    server.put("ingresses", document)
    assert "is a pattern" in (await catalog.targets()).targets[-1].problem


async def test_a_route_leads_to_its_services_by_its_gateways_listener(server: FakeApiServer, tmp_path: Path) -> None:
    server.served |= {"httproutes", "gateways"}
    server.put("gateways", gateway())
    server.put("services", service("canary"))
    server.put("endpointslices", endpoint_slice(endpoint("canary-1"), service="canary"))
    server.put("httproutes", route({"name": "cart", "port": 8080, "weight": 9}, {"name": "canary", "port": 8080}))
    clusters = Clusters(server.kubeconfig(tmp_path), namespaces=("*",))
    found = await KubernetesCatalog(clusters).targets()
    await clusters.close()
    canary, cart = sorted((each for each in found.targets if each.kind == "HTTPRoute"), key=lambda each: each.ready)
    assert {cart.url, canary.url} == {"https://r.example:8443/r"}
    assert cart.notable == ("backendRefs by weight: cart 9, canary 1",)
    assert found.namespaces == ("*",)


async def test_a_route_whose_gateway_cannot_be_read_has_no_url(
    server: FakeApiServer, catalog: KubernetesCatalog
) -> None:
    server.served |= {"httproutes", "gateways"}
    server.put("gateways", gateway())
    server.put("httproutes", route({"name": "cart", "port": 8080}))
    target = (await catalog.targets()).targets[-1]
    assert target.url == ""
    assert "Gateway infra/edge" in target.problem


async def test_one_namespace_several_or_all(server: FakeApiServer, tmp_path: Path) -> None:
    for namespace in ("a", "b", "c"):
        server.put("services", service("web", namespace))
    config = server.kubeconfig(tmp_path)
    seen = {}
    for namespaces in ((), ("a", "c"), ("*",)):
        clusters = Clusters(config, namespaces=namespaces)
        seen[namespaces] = [str(target.service) for target in (await KubernetesCatalog(clusters).targets()).targets]
        await clusters.close()
    assert seen == {
        (): ["shop/cart"],
        ("a", "c"): ["a/web", "c/web"],
        ("*",): ["a/web", "b/web", "c/web", "shop/cart"],
    }


async def test_two_contexts_are_told_apart_and_one_that_fails_hides_nothing(
    server: FakeApiServer, tmp_path: Path
) -> None:
    clusters = Clusters(server.kubeconfig(tmp_path), ("test", "gone"))
    found = await KubernetesCatalog(clusters).targets()
    await clusters.close()
    assert [str(target.service) for target in found.targets] == ["test/shop/cart"]
    assert found.contexts == ("test", "gone")
    assert "with the context 'gone'" in found.problem


async def test_what_may_not_be_listed_is_named_and_the_rest_is_there(
    server: FakeApiServer, catalog: KubernetesCatalog
) -> None:
    server.denied.add("list ingresses.networking.k8s.io")
    found = await catalog.targets()
    assert len(found.targets) == 1
    assert found.problem == "Not listed, because the account may not list ingresses.networking.k8s.io."


async def test_a_cluster_that_is_away_is_an_empty_list_and_a_sentence(
    server: FakeApiServer, catalog: KubernetesCatalog
) -> None:
    await server.stop()
    found = await catalog.targets()
    assert found.targets == ()
    assert found.problem.count("could not be asked") >= 1
    assert "could not be asked" in (await catalog.permissions()).problem


async def test_every_right_is_asked_and_works(server: FakeApiServer, catalog: KubernetesCatalog) -> None:
    found = await catalog.permissions()
    assert [row.source for row in found.rows] == [need.source for need in NEEDS]
    assert all(row.allowed and row.sentence.startswith("Works: ") for row in found.rows)
    assert (found.namespace, found.problem) == ("shop", "")


async def test_what_is_allowed_but_not_installed_is_told_apart(
    server: FakeApiServer, catalog: KubernetesCatalog
) -> None:
    server.groups.remove("metrics.k8s.io")
    rows = {row.source: row for row in (await catalog.permissions()).rows}
    assert rows["usage"].allowed
    assert "this cluster has no metrics.k8s.io" in rows["usage"].sentence
    assert rows["routes"].sentence.startswith("Works: ")


async def test_a_missing_right_is_in_its_rows_and_in_no_other(
    server: FakeApiServer, catalog: KubernetesCatalog
) -> None:
    for need in NEEDS:
        rule = need.rules[0]
        server.denied = {str(rule)}
        rows = (await catalog.permissions("shop/cart")).rows
        refused = [row for row in rows if not row.allowed]
        assert [row.source for row in refused] == [each.source for each in NEEDS if rule in each.rules]
        assert all(row.missing == (rule,) and str(rule) in row.sentence for row in refused)


async def test_the_self_check_reads_no_secret_and_changes_nothing(
    server: FakeApiServer, catalog: KubernetesCatalog
) -> None:
    await catalog.targets()
    await catalog.permissions()
    await catalog.find(CART)
    assert {verb for verb, _ in server.requests} == {"list", "review"}
    assert not [what for _, what in server.requests if "secret" in what]


async def test_a_service_is_found_with_what_the_gate_needs(catalog: KubernetesCatalog) -> None:
    found = await catalog.find(CART)
    assert (found.service, found.addresses, found.ports, found.problem) == (CART, ("127.0.0.9",), (8080,), "")


@pytest.mark.parametrize(("address", "port", "ready", "refused"), [
    ("10.9.9.9", 8000, True, True), ("10.9.9.9", 9000, True, False), ("10.1.1.1", 8000, True, False),
    ("10.9.9.9", 8000, False, False),
])  # fmt: skip
async def test_a_service_whose_pod_is_this_server_is_no_target(
    server: FakeApiServer, catalog: KubernetesCatalog, address: str, port: int, ready: bool, refused: bool
) -> None:
    pods = (endpoint("cart-1"), endpoint("cart-2", addresses=[address], ready=ready))
    server.put("endpointslices", endpoint_slice(*pods) | {"ports": [{"port": port, "protocol": "TCP"}]})
    gate = TargetGatekeeper(
        ["kubernetes:shop/*"], unused, is_own="10.9.9.9".__eq__, find_service=catalog.find, own_ports=lambda: (8000,)
    )
    plan = LoadPlan("http://127.0.0.9:8080/", service="shop/cart")
    with pytest.raises(TargetRefused, match="a pod behind it, 10") if refused else nullcontext():
        await gate.admit(plan)


@pytest.mark.parametrize(
    ("url", "address", "service"),
    [
        ("http://127.0.0.9:8080/", "127.0.0.9", "shop/cart"),
        ("http://198.18.0.11:30080/", "198.18.0.11", "shop/cart"),
        ("http://shop.example/cart", "127.0.0.77", "shop/cart"),
        ("http://r.example/r/1", "127.0.0.88", "shop/cart"),
        ("http://127.0.0.8:8080/", "127.0.0.8", None),
        ("http://127.0.0.4/", "127.0.0.4", None),
    ],
)
@pytest.mark.parametrize("namespaces", [("*",), ("shop", "infra")])
async def test_a_url_that_names_no_service_leads_to_one(
    server: FakeApiServer, tmp_path: Path, url: str, address: str, service: str | None, namespaces: tuple[str, ...]
) -> None:
    server.served |= {"httproutes", "gateways"}
    two_at_one = {"clusterIPs": ["127.0.0.4"], "ports": [{"port": 80}]}
    server.put("services", of_service(ports=[{"port": 8080, "nodePort": 30080}]))
    server.put("services", of_service("edge", "infra", clusterIPs=["127.0.0.77"], ports=[{"port": 80}]))
    for name in ("a", "b"):
        server.put("services", of_service(name, **two_at_one))
    server.put("nodes", {**node("n1"), "status": {"addresses": [{"type": "InternalIP", "address": "198.18.0.11"}]}})
    server.put("ingresses", ingress())
    server.put("gateways", gateway())
    server.put("httproutes", route({"name": "cart", "port": 8080}))
    clusters = Clusters(server.kubeconfig(tmp_path), namespaces=namespaces)
    found = await KubernetesCatalog(clusters).leads_to(url, [address], {})
    await clusters.close()
    assert (found and str(found)) == service


@pytest.mark.parametrize(("weights", "service"), [((90, 10), "shop/cart"), ((0, 10), "shop/canary")])
async def test_a_url_whose_requests_a_route_shares_leads_to_a_service_of_the_route(
    server: FakeApiServer, catalog: KubernetesCatalog, weights: tuple[int, int], service: str
) -> None:
    server.served |= {"httproutes", "gateways"}
    server.put("services", of_service("canary", ports=[{"port": 8080}]))
    server.put("gateways", gateway())
    refs = [{"name": name, "port": 8080, "weight": n} for name, n in zip(("cart", "canary"), weights, strict=True)]
    server.put("httproutes", route(*refs))
    found = await catalog.leads_to("http://r.example/r/1", ["127.0.0.88"], {})
    assert str(found) == service


async def test_of_two_hosts_at_one_gateway_the_one_that_requests_name_decides(
    server: FakeApiServer, catalog: KubernetesCatalog
) -> None:
    server.served |= {"httproutes", "gateways"}
    server.put("services", of_service("canary", ports=[{"port": 8080}]))
    server.put("gateways", gateway())
    server.put("httproutes", route(*({"name": name, "port": 8080} for name in ("cart", "canary"))))
    refs = [{"name": name, "port": 8080, "weight": weight} for name, weight in (("cart", 90), ("canary", 10))]
    others = route(*refs, hostnames=("other.example",))
    server.put("httproutes", {**others, "metadata": {"name": "other", "namespace": "shop"}})
    assert str(await catalog.leads_to("http://127.0.0.88/r/1", ["127.0.0.88"], {"Host": "r.example"})) == "shop/cart"


@pytest.mark.parametrize(("weight", "service"), [("0", "shop/cart"), ("10", "shop/cart"), ("100", "shop/canary")])
async def test_a_url_that_has_a_canary_leads_to_a_service_that_gets_requests(
    server: FakeApiServer, catalog: KubernetesCatalog, weight: str, service: str
) -> None:
    server.put("services", of_service("canary", ports=[{"port": 8080}]))
    server.put("ingresses", ingress())
    next_one = json.loads(json.dumps(ingress()).replace('"cart"', '"canary"'))
    annotations = {"nginx.ingress.kubernetes.io/canary": "true", "nginx.ingress.kubernetes.io/canary-weight": weight}
    server.put("ingresses", {**next_one, "metadata": {"name": "next", "namespace": "shop", "annotations": annotations}})
    assert str(await catalog.leads_to("http://shop.example/cart", ["127.0.0.77"], {})) == service


async def test_whoever_types_a_url_has_the_cluster_listed_once_in_a_while(
    server: FakeApiServer, clusters: Clusters
) -> None:
    at_s = 0.0
    catalog = KubernetesCatalog(clusters, now=lambda: at_s)
    gate = TargetGatekeeper(["127.0.0.9"], unused, find_service=catalog.find, leads_to=catalog.leads_to)

    async def asked(number: int, recent_s: float) -> int:
        """How often the cluster is listed while so many URLs are asked about."""
        before = server.requests.count(("list", "nodes"))
        for path in range(number):
            await gate.admit(LoadPlan(f"http://127.0.0.9:8080/{path}"), recent_s)
        return server.requests.count(("list", "nodes")) - before

    assert await asked(8, recent_s=0.0) == 8  # as at the start of a run
    assert await asked(8, recent_s=10.0) == 0
    at_s = 10.0
    assert await asked(8, recent_s=10.0) == 1
    server.remove("services", "shop", "cart")
    server.put("services", of_service("basket", clusterIPs=["127.0.0.9"], ports=[{"port": 8080}]))
    server.put("endpointslices", endpoint_slice(endpoint("basket-1"), service="basket"))
    assert str((await gate.admit(LoadPlan("http://127.0.0.9:8080/"))).service) == "shop/basket"


async def unused() -> str:
    raise AssertionError("nobody asks for the demo")


async def test_without_every_right_a_url_leads_as_far_as_the_rest_says(
    server: FakeApiServer, catalog: KubernetesCatalog
) -> None:
    server.denied |= {"list nodes", "list ingresses.networking.k8s.io"}
    assert await catalog.leads_to("http://127.0.0.9:8080/", ["127.0.0.9"], {}) == replace(CART, port=8080)
    await server.stop()
    assert await catalog.leads_to("http://127.0.0.9:8080/", ["127.0.0.9"], {}) is None


async def test_a_service_that_does_not_exist_or_may_not_be_looked_at(
    server: FakeApiServer, catalog: KubernetesCatalog
) -> None:
    with pytest.raises(TargetUnavailable, match=r"There is no Service shop/basket in the cluster\."):
        await catalog.find(replace(CART, name="basket"))
    with pytest.raises(TargetRefused, match="outside the namespaces that Scale reads: shop"):
        await catalog.find(replace(CART, namespace="kube-system"))
    with pytest.raises(ClusterUnavailable, match="The context 'prod'"):
        await catalog.find(replace(CART, context="prod"))
    server.denied.add("list services")
    with pytest.raises(ClusterForbidden):
        await catalog.find(CART)


async def test_a_wrong_service_in_the_self_check_is_a_sentence(catalog: KubernetesCatalog) -> None:
    assert "service = 'nonsense'" in (await catalog.permissions("nonsense")).problem


async def test_hostile_documents_hide_nothing_and_are_shown_plain(
    server: FakeApiServer, catalog: KubernetesCatalog
) -> None:
    strange = "\x1b[31m<script>\n" + "x" * 5_000
    server.put("services", service("odd", type=7, ports=["x", {"port": "y"}, None], selector=[1], clusterIPs={"a": 1}))
    server.put("services", service("long", type="ExternalName", externalName=strange))
    server.put("ingresses", {"metadata": {"name": "x", "namespace": "shop"}, "spec": {"rules": [7, {"http": []}]}})
    server.put("endpointslices", {"metadata": {"name": "s", "namespace": "shop"}, "endpoints": {"a": 1}})
    found = await catalog.targets()
    assert [target.name for target in found.targets] == ["cart", "long", "odd"]
    assert all(target.problem.isprintable() and len(target.problem) < 600 for target in found.targets)
    assert str(Rule("get", "pods/log")) == "get pods/log"


async def test_a_policy_that_drops_what_comes_from_here_is_found_with_the_service(
    server: FakeApiServer, clusters: Clusters
) -> None:
    server.put("services", service(internalTrafficPolicy="Local"))
    for here, expected in (("n1", 0), ("n9", 1), ("", 0)):
        found = await KubernetesCatalog(clusters, here).find(CART)
        assert len(found.dropped) == expected, here
    found = await KubernetesCatalog(clusters, "n9").find(CART)
    assert "Scale runs on node n9, and none of its 3 ready pods is there (3 on n1)" in found.dropped["127.0.0.9", 8080]


async def test_a_port_of_a_node_without_a_pod_is_found_with_the_service(
    server: FakeApiServer, clusters: Clusters
) -> None:
    ports = [{"port": 8080, "nodePort": 30080}]
    server.put("services", service(externalTrafficPolicy="Local", type="NodePort", ports=ports))
    document = node("n9")
    document["status"]["addresses"] = [{"type": "InternalIP", "address": "127.0.0.19"}]
    server.put("nodes", document)
    assert list((await KubernetesCatalog(clusters).find(CART)).dropped) == [("127.0.0.19", 30080)]
    server.denied.add("list nodes")
    assert (await KubernetesCatalog(clusters).find(CART)).dropped == {}
