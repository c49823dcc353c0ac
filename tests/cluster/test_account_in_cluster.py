"""The product with its pod's own account: only the rights chosen, and what it says of the rest."""

from __future__ import annotations

from scale_app.domain.source import NEEDS
from tests.cluster.handle import Cluster
from tests.cluster.installation import GRANTED, NODE, SHOP
from tests.cluster.product import Product


def test_the_account_sees_what_it_was_granted_and_names_the_rest(installed: Product) -> None:
    status, targets = installed.ask("/api/v1/targets")
    assert status == 200
    urls = {target["service"]["name"]: target["url"] for target in targets["targets"]}
    assert urls == {"echo": f"http://echo.{SHOP}.svc/", "closed": ""}
    status, rights = installed.ask("/api/v1/sources")
    assert status == 200
    rules = {rule for need in NEEDS if need.source in GRANTED for rule in need.rules}
    covered = [need.source for need in NEEDS if rules.issuperset(need.rules)]  # some rows share their rules
    assert [row["source"] for row in rights["rows"] if row["allowed"]] == covered


def test_a_run_of_a_service_admitted_by_its_name_knows_its_pods_and_its_own_node(
    cluster: Cluster, installed: Product
) -> None:
    ran = installed.run(f"http://echo.{SHOP}.svc/", users=5, requests_per_connection=1, duration=8)
    assert {pod["name"]: pod["node"] for pod in ran.last["pods"]} == {
        pod.name: pod.node for pod in cluster.pods(SHOP, "app=echo")
    }
    assert ran.last["service"]["client_node"] == NODE
    assert "list nodes" in ran.last["pods_problem"]


def test_a_service_of_another_namespace_stays_closed(installed: Product) -> None:
    plan = {"target_url": "https://kubernetes.default.svc/", "users": 1, "spawn_rate": 1, "duration": 1}
    status, answer = installed.ask("/api/load-test/start", plan)
    assert status == 403
    assert "kubernetes.default.svc" in answer["error"]
