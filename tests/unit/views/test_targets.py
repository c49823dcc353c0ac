"""A cluster's offer in rows."""

from scale_app.domain.cluster import (
    NO_CLUSTER,
    ClusterTarget,
    PermissionList,
    Place,
    Rule,
    ServiceRef,
    SourcePermission,
    TargetList,
)
from scale_app.views.targets import PlaceRow, narrowed, targets_view

CART = ClusterTarget(
    "Service",
    "cart",
    ServiceRef("shop", "cart", "prod"),
    "http://cart.shop.svc:8080/",
    ready=3,
    pods=4,
    places=(Place("n1", "z1", 2, 2), Place("", "", 1, 2)),
    notable=("sessionAffinity: ClientIP",),
)
BARE = ClusterTarget("Service", "bare", ServiceRef("shop", "bare"), problem="It has no selector.")
LOG = (Rule("get", "pods/log"),)


def test_a_service_is_told_with_its_pods_by_node_and_the_settings_that_matter():
    view = targets_view(TargetList((CART,), ("prod",), ("shop", "infra")), PermissionList())
    row = view.targets[0]
    assert (row.where, row.name, row.ready, row.short, row.usable) == ("prod/shop", "cart", "3 of 4", True, True)
    assert row.places == [PlaceRow("n1 (z1)", "2", True), PlaceRow("no node", "1 of 2", False)]
    assert (row.notable, row.service) == (["sessionAffinity: ClientIP"], "prod/shop/cart")
    assert view.looked_at == "context prod, namespaces shop, infra"


def test_what_cannot_be_loaded_says_why_and_cannot_be_used():
    row = targets_view(TargetList((BARE,), (), ("*",)), PermissionList()).targets[0]
    assert (row.usable, row.problem, row.ready, row.short) == (False, "It has no selector.", "0 of 0", True)
    assert targets_view(TargetList((BARE,), (), ("*",)), PermissionList()).looked_at == "all namespaces"


def test_without_a_cluster_nothing_is_said_twice():
    view = targets_view(TargetList(problem=NO_CLUSTER), PermissionList(problem=NO_CLUSTER))
    assert (view.configured, view.problem, view.rights_problem, view.looked_at) == (False, NO_CLUSTER, "", "")


def test_a_right_is_there_missing_or_not_known():
    rights = PermissionList(
        (
            SourcePermission("pods", "tells of pods", LOG, True, (), "Works."),
            SourcePermission("access_log", "counts by logs", LOG, False, LOG, "Not allowed."),
            SourcePermission("kubelet", "estimates", LOG, None, (), "Could not say."),
        ),
        "prod",
        "shop",
    )
    view = targets_view(TargetList(), rights)
    assert [(row.source, row.allowed, row.missing) for row in view.rights] == [
        ("pods", "yes", ""),
        ("access log", "no", "get pods/log"),
        ("kubelet", "unknown", ""),
    ]
    assert (view.rights[0].used_for, view.rights_of) == ("Tells of pods", "Namespace shop")


def test_a_long_list_is_narrowed_by_name_place_or_address():
    rows = targets_view(TargetList((CART, BARE)), PermissionList()).targets
    assert [row.name for row in narrowed(rows, "PROD")] == ["cart"]
    assert [row.name for row in narrowed(rows, ":8080")] == ["cart"]
    assert len(narrowed(rows, " ")) == 2
