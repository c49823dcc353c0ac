"""Which route shares a URL's requests among several Services, and by which weights."""

from __future__ import annotations

from typing import Any

import pytest

from scale_app.adapters.kubernetes.route_splits import split_of
from scale_app.domain.cluster import ServiceRef, Split

CART, CANARY, OTHER = (ServiceRef("shop", name) for name in ("cart", "canary", "other"))
URL = "http://shop.example/cart/1"
NGINX = "nginx.ingress.kubernetes.io/"
Document = dict[str, Any]


def route(*weights: int, path: str = "/", hosts: tuple[str, ...] = ("shop.example",), name: str = "way") -> Document:
    refs = [{"name": each, "weight": weight} for each, weight in zip(("cart", "canary"), weights, strict=False)]
    rules = [{"matches": [{"path": {"value": path}}], "backendRefs": refs}]
    return {"metadata": {"name": name, "namespace": "shop"}, "spec": {"hostnames": list(hosts), "rules": rules}}


def ingress(service: str, name: str, **annotations: str) -> Document:
    backend = {"service": {"name": service, "port": {"number": 80}}}
    rules = [{"host": "shop.example", "http": {"paths": [{"path": "/", "backend": backend}]}}]
    given = {NGINX + key.replace("_", "-"): value for key, value in annotations.items()}
    return {"metadata": {"name": name, "namespace": "shop", "annotations": given}, "spec": {"rules": rules}}


BY_ROUTE = Split("HTTPRoute way", {CART: 90.0, CANARY: 10.0})


@pytest.mark.parametrize("of", [CART, CANARY, ServiceRef("shop", "cart", port=80)])
def test_the_weights_of_a_route_are_found_from_each_of_its_services(of: ServiceRef) -> None:
    assert split_of(of, URL, [], [route(90, 10)]) == BY_ROUTE


@pytest.mark.parametrize(
    "routes",
    [
        [],
        [route(1)],  # all to one
        [route(90, 0)],  # nothing to the other
        [route(90, 10, hosts=("else.example",))],
        [route(90, 10, path="/card")],  # a path is a prefix by its parts
        [route(90, 10), route(1, path="/cart", name="own")],  # a longer path leads to one alone
        [route(90, 10), route(50, 50, name="second")],  # nobody knows which
    ],
)
def test_where_nothing_is_split_or_nobody_knows_how_there_is_none(routes: list[Document]) -> None:
    assert split_of(CART, URL, [], routes) is None


@pytest.mark.parametrize("hosts", [(), ("*.example",), ("a.example", "shop.example")])
def test_hosts_of_a_route_may_be_none_or_a_pattern(hosts: tuple[str, ...]) -> None:
    assert split_of(CART, URL, [], [route(90, 10, path="/cart/", hosts=hosts)]) == BY_ROUTE


def test_a_service_that_has_no_part_in_it_is_not_split() -> None:
    assert split_of(OTHER, URL, [], [route(90, 10)]) is None


def test_behind_an_address_may_be_any_host() -> None:
    assert split_of(CART, "http://10.0.0.1/", [], [route(90, 10)]) == BY_ROUTE


@pytest.mark.parametrize(("host", "weights"), [("shop.example", (90, 10)), ("else.example:8080", (50, 50))])
def test_behind_an_address_is_the_host_that_each_request_names(host: str, weights: tuple[int, int]) -> None:
    routes = [route(90, 10), route(50, 50, hosts=("else.example",)), route(1, hosts=("third.example",))]
    expected = Split("HTTPRoute way", dict(zip((CART, CANARY), map(float, weights), strict=True)))
    assert split_of(CART, "http://10.0.0.1/", [], routes, {"host": host}) == expected
    assert split_of(CART, "http://10.0.0.1/", [], routes) is None  # nobody knows which


@pytest.mark.parametrize(
    ("condition", "met"),
    [
        ({"name": "X-Beta", "value": "yes"}, True),
        ({"name": "X-Beta", "value": "y"}, False),
        ({"name": "X-Other", "value": "yes"}, False),
        ({"name": "X-Beta", "value": "y.s", "type": "RegularExpression"}, True),
        ({"name": "X-Beta", "value": "y", "type": "RegularExpression"}, False),
        ({"name": "X-Beta", "value": "(", "type": "RegularExpression"}, False),
    ],
)
def test_a_rule_with_conditions_goes_before_others_where_they_are_met_and_counts_not_where_not(
    condition: Document, met: bool
) -> None:
    beta = route(50, 50, name="beta")
    beta["spec"]["rules"][0]["matches"][0]["headers"] = [condition]
    by_beta = Split("HTTPRoute beta", {CART: 50.0, CANARY: 50.0})
    assert split_of(CART, URL, [], [route(90, 10), beta], {"x-beta": "yes"}) == (by_beta if met else BY_ROUTE)
    assert split_of(CART, URL, [], [route(90, 10), beta]) == BY_ROUTE


def test_a_canary_of_ingress_nginx_takes_its_weight_from_the_other() -> None:
    main, canary = ingress("cart", "main"), ingress("canary", "next", canary="true", canary_weight="10")
    found = Split("Ingress next (canary-weight)", {CART: 90.0, CANARY: 10.0})
    assert split_of(CART, URL, [main, canary], []) == split_of(CANARY, URL, [canary, main], []) == found
    of_200 = ingress("canary", "next", canary="true", canary_weight="10", canary_weight_total="200")
    split = split_of(CART, URL, [main, of_200], [])
    assert split is not None
    assert split.weights == {CART: 190.0, CANARY: 10.0}


@pytest.mark.parametrize(
    "annotations",
    [
        {"canary": "false", "canary_weight": "10"},
        {"canary": "true"},
        {"canary": "true", "canary_by_header": "X-Next"},
        {"canary": "true", "canary_weight": "0"},
        {"canary": "true", "canary_weight": "101"},
        {"canary": "true", "canary_weight": "some"},
    ],
)
def test_a_canary_without_a_weight_splits_nothing(annotations: dict[str, str]) -> None:
    assert split_of(CART, URL, [ingress("cart", "main"), ingress("canary", "next", **annotations)], []) is None


@pytest.mark.parametrize(
    ("annotations", "header", "canary"),
    [
        ({}, {"x-next": "always"}, True),
        ({}, {"X-Next": "never"}, False),
        ({}, {"X-Next": "maybe"}, None),
        ({}, {"X-Other": "always"}, None),
        ({}, {}, None),
        ({"canary_by_header_value": "beta"}, {"X-Next": "beta"}, True),
        ({"canary_by_header_value": "beta"}, {"X-Next": "always"}, None),
        ({"canary_by_header_pattern": "^b.ta"}, {"X-Next": "beta-2"}, True),
        ({"canary_by_header_pattern": "^b.ta"}, {"X-Next": "alpha"}, None),
        ({"canary_by_header_pattern": "("}, {"X-Next": "("}, None),
    ],
)
def test_a_header_that_each_request_has_leads_to_the_canary_or_keeps_it_from_there(
    annotations: dict[str, str], header: dict[str, str], canary: bool | None
) -> None:
    main = ingress("cart", "main")
    by_weight = Split("Ingress next (canary-weight)", {CART: 90.0, CANARY: 10.0})
    of = ingress("canary", "next", canary="true", canary_weight="10", canary_by_header="X-Next", **annotations)
    to_canary = Split("Ingress next (canary-by-header)", {CANARY: 100.0})
    expected = {True: to_canary, False: None, None: by_weight}[canary]
    assert split_of(CART, URL, [main, of], [], header) == expected


def test_where_nothing_is_left_for_the_service_the_others_have_all() -> None:
    main, canary = ingress("cart", "main"), ingress("canary", "next", canary="true", canary_weight="100")
    assert split_of(CART, URL, [main, canary], []) == Split("Ingress next (canary-weight)", {CANARY: 100.0})
    assert split_of(CANARY, URL, [main, canary], []) is None
    assert split_of(CART, URL, [], [route(0, 1)]) == Split("HTTPRoute way", {CANARY: 1.0})
    assert split_of(OTHER, URL, [], [route(0, 1)]) is None


def test_objects_of_a_wrong_form_are_no_routes() -> None:
    wrong: list[Document] = [{}, {"spec": {"rules": "x"}}, {"spec": {"rules": [None, {"backendRefs": [1]}]}}]
    assert split_of(CART, URL, wrong, wrong) is None
