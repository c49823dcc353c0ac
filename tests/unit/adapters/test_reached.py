"""To which Services a URL leads, by addresses, node ports and what Ingresses and HTTPRoutes say."""

from __future__ import annotations

from typing import Any

import pytest

from scale_app.adapters.kubernetes import objects
from scale_app.adapters.kubernetes.offers import ClusterObjects
from scale_app.adapters.kubernetes.reached import services_at
from tests.fake_api_server import Document
from tests.kubernetes_objects import service

NODES = ("198.18.0.11", "fd00::11", "n1")


def balanced(name: str, *given: Document, **spec: Any) -> Document:
    document = service(name, type="LoadBalancer", **spec)
    return {**document, "status": {"loadBalancer": {"ingress": list(given)}}}


def ingress(*paths: tuple[str, str], host: str = "shop.example", kind: str = "Prefix", **spec: Any) -> Document:
    """paths: with the Service that each leads to."""
    rules = [
        {"path": path, "pathType": kind, "backend": {"service": {"name": name, "port": {"number": 80}}}}
        for path, name in paths
    ]
    return {
        "metadata": {"name": "front", "namespace": "shop"},
        "spec": {"rules": [{"host": host, "http": {"paths": rules}}], **spec},
        "status": {"loadBalancer": {"ingress": [{"ip": "10.0.0.50"}]}},
    }


def route(
    *backends: tuple[str, int], host: str = "r.example", path: str = "/", namespace: str = "shop", **match: Any
) -> Document:
    """backends: Services with their weights."""
    refs = [{"name": name, "port": 80, "weight": weight} for name, weight in backends]
    rules = [{"matches": [{"path": {"value": path}, **match}], "backendRefs": refs}]
    hosts = [host] if host else []
    spec = {"parentRefs": [{"name": "edge", "namespace": "infra"}], "hostnames": hosts, "rules": rules}
    return {"metadata": {"name": "way", "namespace": namespace}, "spec": spec}


GATEWAY = {
    "metadata": {"name": "edge", "namespace": "infra"},
    "status": {"addresses": [{"value": "10.0.0.60"}]},
}


def found(services: list[Document] | None = None, **more: Any) -> ClusterObjects:
    plain = [
        service("cart", clusterIPs=["10.96.0.7", "fd00:96::7"], ports=[{"port": 80, "nodePort": 30080}, {"port": 81}]),
        service("other", clusterIPs=["10.96.0.8"]),
        balanced(
            "edge", {"ip": "10.0.0.50"}, {"hostname": "lb.example"}, clusterIPs=["10.96.0.9"], ports=[{"port": 80}]
        ),
    ]
    return ClusterObjects([objects.service(each) for each in services or plain], nodes=NODES, **more)


def leads(given: ClusterObjects, url: str, *addresses: str, host: str = "", **headers: str) -> list[str]:
    return [str(each) for each in services_at(given, url, addresses, {"Host": host, **headers} if host else headers)]


@pytest.mark.parametrize(
    ("url", "addresses", "services"),
    [
        ("http://10.96.0.7/", ("10.96.0.7",), ["shop/cart"]),
        ("http://10.96.0.7:81/x", ("10.96.0.7",), ["shop/cart"]),
        ("http://[fd00:96:0::7]/", ("fd00:96::7",), ["shop/cart"]),
        ("http://10.96.0.7:82/", ("10.96.0.7",), []),
        ("https://10.96.0.7/", ("10.96.0.7",), []),
        ("http://10.96.0.77/", ("10.96.0.77",), []),
        ("http://outside.example/", ("10.96.0.7",), ["shop/cart"]),
        ("http://198.18.0.11:30080/", ("198.18.0.11",), ["shop/cart"]),
        ("http://n1:30080/", ("10.1.1.1",), ["shop/cart"]),
        ("http://[fd00:0::11]:30080/", ("fd00::11",), ["shop/cart"]),
        ("http://198.18.0.11/", ("198.18.0.11",), []),
        ("http://198.18.0.99:30080/", ("198.18.0.99",), []),
        ("http://10.0.0.50/", ("10.0.0.50",), ["shop/edge"]),
        ("http://LB.example./", ("203.0.113.1",), ["shop/edge"]),
    ],
)
def test_an_address_or_host_of_a_service_is_that_service(
    url: str, addresses: tuple[str, ...], services: list[str]
) -> None:
    assert leads(found(), url, *addresses) == services


@pytest.mark.parametrize(
    ("path", "services"),
    [("/cart", ["shop/cart"]), ("/cart/1", ["shop/cart"]), ("/carts", ["shop/other"]), ("/", ["shop/other"])],
)
def test_an_ingress_leads_by_host_and_longest_path_before_the_address(path: str, services: list[str]) -> None:
    given = found(ingresses=[ingress(("/", "other"), ("/cart", "cart"))])
    assert leads(given, f"http://shop.example{path}", "10.0.0.50") == services
    assert leads(given, f"http://10.0.0.50{path}", "10.0.0.50", host="Shop.example") == services
    assert leads(given, f"http://10.0.0.50{path}", "10.0.0.50") == ["shop/edge"]
    assert leads(given, f"http://198.18.0.11:30080{path}", "198.18.0.11", host="shop.example") == services


def test_a_path_that_no_rule_of_the_host_has_leads_to_whom_the_address_belongs() -> None:
    given = found(ingresses=[ingress(("/cart", "cart"), kind="Exact")])
    assert leads(given, "http://shop.example/cart", "10.0.0.50") == ["shop/cart"]
    assert leads(given, "http://shop.example/cart/1", "10.0.0.50") == ["shop/edge"]
    assert leads(given, "http://shop.example/cart/1", "203.0.113.9") == []


def test_an_ingress_for_any_host_is_reached_by_its_address_only() -> None:
    default = {"defaultBackend": {"service": {"name": "other", "port": {"number": 80}}}}
    given = found(ingresses=[ingress(("/cart", "cart"), host="", **default)])
    assert leads(given, "http://10.0.0.50/cart", "10.0.0.50") == ["shop/cart"]
    assert leads(given, "http://any.example/", "10.0.0.50") == ["shop/other"]
    assert leads(given, "http://any.example/cart", "203.0.113.9") == []


def test_a_host_of_its_own_goes_before_a_wildcard_and_a_pattern_counts_as_far_as_it_is_plain() -> None:
    wide = ingress(("/", "other"), host="*.example")
    given = found(ingresses=[wide, ingress(("/cart(/|$)(.*)", "cart"), kind="ImplementationSpecific")])
    assert leads(given, "http://shop.example/cart/2", "10.0.0.50") == ["shop/cart"]
    assert leads(given, "http://blog.example/cart/2", "10.0.0.50") == ["shop/other"]


def test_a_route_leads_to_its_services_and_to_all_that_share_by_weight() -> None:
    given = found(routes=[route(("cart", 1), ("idle", 0)), route(("cart", 9), ("other", 1), path="/both")])
    assert leads(given, "http://r.example/", "203.0.113.1") == ["shop/cart"]
    assert leads(given, "http://r.example/both/1", "203.0.113.1") == ["shop/cart", "shop/other"]
    assert leads(given, "http://other.example/", "203.0.113.1") == []


def test_a_rule_of_a_route_with_conditions_on_headers_is_only_for_requests_that_meet_them() -> None:
    beta = route(("other", 1), headers=[{"name": "X-Beta", "value": "yes"}])
    given = found(routes=[route(("cart", 9), ("other", 1)), beta])
    assert leads(given, "http://r.example/", **{"x-beta": "yes"}) == ["shop/other"]
    assert leads(given, "http://r.example/", **{"x-beta": "no"}) == ["shop/cart", "shop/other"]
    assert leads(found(routes=[beta]), "http://r.example/") == []


def test_a_route_for_any_host_is_reached_by_its_gateways_address() -> None:
    given = found(routes=[route(("cart", 1), host="")], gateways=[GATEWAY])
    assert leads(given, "http://any.example/", "10.0.0.60") == ["shop/cart"]
    assert leads(given, "http://any.example/", "10.0.0.61") == []


def test_strange_documents_lead_nowhere_and_break_nothing() -> None:
    strange: list[Any] = [{}, {"spec": {"rules": [7, {"http": []}], "parentRefs": [3], "hostnames": [None, {}]}}]
    given = found(ingresses=strange, routes=strange, gateways=strange)
    assert leads(given, "http://10.96.0.7/", "10.96.0.7") == ["shop/cart"]
