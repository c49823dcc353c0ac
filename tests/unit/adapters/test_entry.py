"""By which address a run reaches a Service, and where a traffic policy lets nothing through."""

from __future__ import annotations

from typing import Any

import pytest

from scale_app.adapters.kubernetes import objects
from scale_app.adapters.kubernetes.entry import dropped, entry_of
from scale_app.adapters.kubernetes.objects import Endpoint, Node, Service
from tests.kubernetes_objects import endpoint, endpoint_slice, service

NODES = [Node("n1", "", True, ("10.0.0.1", "n1.example")), Node("n2", "", True, ("10.0.0.2",))]
PORTS = [{"port": 80, "nodePort": 30080}]


def made(**spec: Any) -> Service:
    document = service(clusterIP="10.96.0.7", clusterIPs=["10.96.0.7"], ports=PORTS, **spec)
    document["status"] = {"loadBalancer": {"ingress": [{"ip": "10.9.9.9"}, {"hostname": "lb.example"}]}}
    return objects.service(document)


def ready(*nodes: str) -> list[Endpoint]:
    slices = endpoint_slice(*(endpoint(f"pod-{i}", node=node) for i, node in enumerate(nodes)))
    return list(objects.endpoint_slice(slices).endpoints)


@pytest.mark.parametrize(
    ("url", "address", "entry"),
    [
        ("http://cart.shop.svc/", "10.96.0.7", ("cluster address", "")),
        ("http://10.0.0.2:30080/", "10.0.0.2", ("node port", "n2")),
        ("http://n1.example:30080/", "10.0.0.1", ("node port", "n1")),
        ("http://10.0.0.99:30080/", "10.0.0.99", ("node port", "")),
        ("http://10.9.9.9/", "10.9.9.9", ("load balancer", "")),
        ("http://lb.example/", "10.9.9.10", ("load balancer", "")),
        ("http://shop.example/", "10.0.0.2", ("", "")),
    ],
)
def test_the_way_into_a_service_is_told_by_address_and_port(url: str, address: str, entry: tuple[str, str]) -> None:
    assert entry_of(made(), NODES, url, (f"{address}/32",)) == entry


def test_an_internal_policy_of_local_without_a_pod_on_the_own_node_drops_at_the_clusters_address_alone() -> None:
    found = dropped(made(internalTrafficPolicy="Local"), ready("n2", "n2", "n3"), NODES, "n1")
    assert list(found) == [("10.96.0.7", 80)]
    assert found["10.96.0.7", 80] == (
        "Service shop/cart would not answer: its internalTrafficPolicy is Local, Scale runs on node n1, and none of "
        "its 3 ready pods is there (2 on n2, 1 on n3), so packets are dropped. Send from or to a node that has a pod, "
        "run a pod on n1, or set internalTrafficPolicy to Cluster."
    )


def test_an_external_policy_of_local_drops_at_the_ports_of_nodes_without_a_pod() -> None:
    found = dropped(made(externalTrafficPolicy="Local"), ready("n2"), NODES, "")
    assert set(found) == {("10.0.0.1", 30080), ("n1.example", 30080)}
    assert (
        "its externalTrafficPolicy is Local, the target is node n1, and its only ready pod is not there"
        in found["10.0.0.1", 30080]
    )


@pytest.mark.parametrize(
    ("spec", "at", "client_node"),
    [
        ({"internalTrafficPolicy": "Local"}, ("n1", "n2"), "n1"),
        ({"internalTrafficPolicy": "Local"}, ("n2", "n2"), ""),  # nobody knows where Scale runs
        ({"internalTrafficPolicy": "Local"}, ("n2", ""), "n1"),
        ({"internalTrafficPolicy": "Local"}, (), "n1"),
        ({}, ("n2", "n2"), "n1"),
        ({"externalTrafficPolicy": "Local"}, ("n1", "n2"), ""),
        ({"externalTrafficPolicy": "Local"}, ("n2",), "n1"),  # from a pod, node ports lead to every pod
        ({}, ("n2",), ""),
    ],
)
def test_nothing_else_is_said_to_be_dropped(spec: dict[str, str], at: tuple[str, ...], client_node: str) -> None:
    assert dropped(made(**spec), ready(*at), NODES, client_node) == {}
