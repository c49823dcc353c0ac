"""A discovered target as the form's list shows it."""

from __future__ import annotations

from scale_app.domain.cluster import ClusterTarget, ServiceRef
from scale_app.ui.live.target_picker import choice_of

URL = "http://cart.shop.svc:8080/"


def test_a_choice_holds_what_the_plan_needs_and_says_how_many_pods_are_ready() -> None:
    cart = ServiceRef("shop", "cart")
    choice = choice_of(
        ClusterTarget("Service", "cart", cart, url=URL, ready=2, pods=3, notable=("sessionAffinity: ClientIP",))
    )
    assert choice.key.split(" ") == [URL, str(cart)]
    assert choice.label == "shop/cart: 2 of 3 pods ready"
    assert choice.note == "sessionAffinity: ClientIP"


def test_what_leads_to_a_service_is_named_by_its_kind() -> None:
    choice = choice_of(ClusterTarget("Ingress", "front", ServiceRef("shop", "cart"), url=URL))
    assert choice.label == "Ingress shop/front: 0 of 0 pods ready"
