"""Bytes per pod from a kubelet's summary."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from scale_app.readings.counters import PodBytes, received_bytes

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["podRef", "network", "rxBytes"]), inner)
    ),
    max_leaves=8,
)


def _pod(name: str, namespace: str = "shop", **network: Any) -> dict[str, Any]:
    return {"podRef": {"name": name, "namespace": namespace}, "network": {"time": "2026-11-24T10:00:00Z", **network}}


def test_the_bytes_of_the_namespaces_pods_are_read_with_their_time() -> None:
    summary = {"pods": [_pod("a", rxBytes=500), _pod("b", "other", rxBytes=9), _pod("c"), {"podRef": {}}, None]}
    assert received_bytes(summary, "shop") == {"a": PodBytes(500, 1795514400.0)}


@given(json_values)
def test_what_is_not_as_documented_is_left_out_and_costs_no_other_pod_its_bytes(value: Any) -> None:
    known = {"b": PodBytes(7, 1795514400.0)}
    counted = {"a": PodBytes(value, 1795514400.0)} if type(value) is int and value >= 0 else {}
    neighbour = _pod("b", rxBytes=7)
    assert received_bytes({"pods": [value, neighbour]}, "shop") == known
    assert received_bytes({"pods": [_pod("a", rxBytes=value), neighbour]}, "shop") == known | counted
    assert received_bytes({"pods": value}, "shop") == {}
