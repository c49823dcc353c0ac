"""What Ingresses and HTTPRoutes say that chooses among a Service's pods is kept, in Kubernetes' words."""

from __future__ import annotations

from typing import Any

from scale_app.adapters.kubernetes.leading import leading_to


def ingress(service: str, **annotations: str) -> dict[str, Any]:
    path = {"path": "/", "backend": {"service": {"name": service, "port": {"number": 80}}}}
    return {
        "metadata": {
            "name": "front",
            "annotations": {f"nginx.ingress.kubernetes.io/{k.replace('_', '-')}": v for k, v in annotations.items()},
        },
        "spec": {"rules": [{"http": {"paths": [path]}}]},
    }


def route(*backends: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": "way"}, "spec": {"rules": [{"backendRefs": list(backends)}]}}


def test_annotations_that_choose_are_kept_and_others_are_not() -> None:
    chosen = ingress("cart", load_balance="ewma", upstream_hash_by="$http_x_user", proxy_read_timeout="60")
    assert leading_to("cart", [chosen], []) == (
        "Ingress front: load-balance: ewma",
        "Ingress front: upstream-hash-by: $http_x_user",
    )


def test_weights_of_a_route_are_kept_where_the_service_has_others_beside_it() -> None:
    both = route({"name": "cart", "weight": 9}, {"name": "canary"})
    assert leading_to("cart", [], [both]) == ("HTTPRoute way: backendRefs by weight: cart 9, canary 1",)
    assert leading_to("cart", [], [route({"name": "cart"})]) == ()


def test_what_leads_elsewhere_or_is_odd_says_nothing() -> None:
    elsewhere = [ingress("other", affinity="cookie")]
    odd: list[dict[str, Any]] = [{}, {"metadata": None, "spec": {"rules": [None, {"http": 3}]}}]
    routes = [route({"name": "a"}, {"name": "b"}), *odd]
    assert leading_to("cart", [*elsewhere, *odd], routes) == ()


def test_an_ingress_whose_default_leads_to_the_service_counts() -> None:
    default = ingress("other", affinity="cookie")
    default["spec"]["defaultBackend"] = {"service": {"name": "cart"}}
    assert leading_to("cart", [default], []) == ("Ingress front: affinity: cookie",)
