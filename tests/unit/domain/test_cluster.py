import pytest

from scale_app.domain.cluster import (
    Rule,
    ServiceRef,
    check_admitted_entry,
    service_admitted,
    service_of_url,
    service_ref,
)
from scale_app.domain.errors import PlanError
from scale_app.domain.plan import LoadPlan


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("shop/cart", ServiceRef("shop", "cart")),
        ("prod/shop/cart", ServiceRef("shop", "cart", "prod")),
        ("arn:aws:eks:eu-1:123:cluster/x/shop/cart", ServiceRef("shop", "cart", "arn:aws:eks:eu-1:123:cluster/x")),
    ],
)
def test_a_service_is_named_with_its_namespace_and_perhaps_its_context(text: str, ref: ServiceRef) -> None:
    assert service_ref(text) == ref
    assert str(ref) == text


@pytest.mark.parametrize(
    "text", ["cart", "/cart", "shop/", "Shop/cart", "a/b/c d", "shop/../x", "/shop/cart", "x\ny/shop/cart", "a" * 600]
)
def test_what_names_no_service_is_refused(text: str) -> None:
    with pytest.raises(PlanError, match="namespace/name of a Kubernetes Service"):
        service_ref(text)


def test_a_plan_checks_its_service_and_the_built_in_targets_have_none() -> None:
    assert LoadPlan("http://x/", service="shop/cart").service == "shop/cart"
    with pytest.raises(PlanError, match=r"^service = 'cart'"):
        LoadPlan("http://x/", service="cart")
    with pytest.raises(PlanError, match="leave it empty"):
        LoadPlan("demo", service="shop/cart")


@pytest.mark.parametrize(
    ("url", "ref"),
    [
        ("http://cart.shop.svc:8080/x", ServiceRef("shop", "cart", port=8080)),
        ("https://cart.shop.svc.cluster.local/", ServiceRef("shop", "cart", port=443)),
        ("http://CART.shop.svc./", ServiceRef("shop", "cart", port=80)),
        ("http://cart.shop/", None),
        ("http://shop.example/", None),
        ("http://pod.cart.shop.svc/", None),
        ("http://127.0.0.1/", None),
        ("demo", None),
    ],
)
def test_a_urls_host_names_a_service_only_in_the_clusters_own_form(url: str, ref: ServiceRef | None) -> None:
    assert service_of_url(url) == ref


@pytest.mark.parametrize(
    ("entry", "admitted"),
    [
        ("kubernetes:shop/cart", True),
        ("kubernetes:shop/*", True),
        ("kubernetes:*/*", True),
        ("kubernetes:prod/shop/cart", False),
        ("kubernetes:shop/basket", False),
        ("kubernetes:shop2/*", False),
        ("*", False),
        ("shop/cart", False),
    ],
)
def test_an_entry_admits_the_services_that_it_names(entry: str, admitted: bool) -> None:
    assert service_admitted(ServiceRef("shop", "cart"), [entry]) is admitted


def test_an_entry_with_a_context_is_for_that_context_alone() -> None:
    assert service_admitted(ServiceRef("shop", "cart", "prod"), ["kubernetes:prod/shop/cart"])
    assert service_admitted(ServiceRef("shop", "cart", "prod"), ["kubernetes:shop/cart"])
    assert not service_admitted(ServiceRef("shop", "cart", "staging"), ["kubernetes:prod/shop/cart"])


@pytest.mark.parametrize(
    "entry", ["kubernetes:", "kubernetes:*", "kubernetes:cart", "kubernetes:shop/c*", "kubernetes:/shop/x"]
)
def test_an_entry_that_names_nothing_whole_is_no_entry(entry: str) -> None:
    with pytest.raises(ValueError, match="kubernetes:"):
        check_admitted_entry(entry)


def test_a_rule_is_written_as_people_look_it_up() -> None:
    assert str(Rule("list", "pods")) == "list pods"
    assert str(Rule("watch", "endpointslices", "discovery.k8s.io")) == "watch endpointslices.discovery.k8s.io"
