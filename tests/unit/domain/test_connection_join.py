"""Requests per pod from the pods' connection tables and our own counts per connection."""

from scale_app.domain.connection_join import ConnectionJoin, Joined
from scale_app.domain.samples import ConnectionLoads, ConnectionsSample, PodCount, TrafficSample


def _traffic(answered: int, long: dict[int, int], ports: dict[int, int], opened: int = 0) -> TrafficSample:
    endpoints = {connection: f"198.18.0.9:{port}" for connection, port in ports.items()}
    loads = ConnectionLoads({}, long, endpoints=endpoints)
    return TrafficSample(0.0, 1, answered, unnamed=PodCount(answered), connections=opened, loads=loads)


def _table(opened: dict[str, int] | None = None, **ports: list[int]) -> ConnectionsSample:
    clients = {pod: tuple(f"198.18.0.9:{port}" for port in of_pod) for pod, of_pod in ports.items()}
    return ConnectionsSample(0.0, clients, opened or {})


def test_a_connection_counts_for_the_pod_in_whose_table_it_is_from_its_first_request_on() -> None:
    join = ConnectionJoin()
    join.connections_seen(_table(a=[], b=[], c=[]))
    join.traffic_seen(_traffic(30, {1: 10, 2: 20}, {1: 4001, 2: 4002}))
    join.connections_seen(_table(a=[4001], b=[4002, 9999], c=[]))
    joined = join.traffic_seen(_traffic(70, {1: 30, 2: 40}, {1: 4001, 2: 4002}))
    assert joined == Joined({"a": 30, "b": 40, "c": 0}, {"a": 1, "b": 1, "c": 0}, estimated=False)


def test_a_closed_connection_keeps_its_requests_though_its_port_is_used_again_for_another_pod() -> None:
    join = ConnectionJoin()
    join.connections_seen(_table(a=[4001], b=[]))
    join.traffic_seen(_traffic(10, {1: 10}, {1: 4001}))
    join.traffic_seen(_traffic(15, {1: 15}, {1: 4001}))
    join.connections_seen(_table(a=[], b=[4001]))
    joined = join.traffic_seen(_traffic(22, {2: 7}, {2: 4001}))
    assert joined is not None
    assert joined.requests == {"a": 15, "b": 7}


def test_a_connection_that_two_pods_claim_is_left_out() -> None:
    join = ConnectionJoin()
    join.connections_seen(_table(a=[4001], b=[4001]))
    joined = join.traffic_seen(_traffic(10, {1: 10}, {1: 4001}))
    assert joined is not None
    assert sum(joined.requests.values()) == 0


def test_connections_too_short_to_be_seen_are_dealt_by_what_each_pod_accepted() -> None:
    join = ConnectionJoin()
    join.connections_seen(_table({"a": 100, "b": 50}, a=[], b=[]))
    join.connections_seen(_table({"a": 130, "b": 60}, a=[], b=[]))
    joined = join.traffic_seen(_traffic(40, {}, {}, opened=36))
    assert joined == Joined({"a": 30, "b": 10}, {"a": 27, "b": 9}, estimated=True)


def test_every_request_is_dealt_once_however_the_shares_round() -> None:
    join = ConnectionJoin()
    join.connections_seen(_table({"a": 0, "b": 0, "c": 0}, a=[], b=[], c=[]))
    join.connections_seen(_table({"a": 1, "b": 1, "c": 1}, a=[], b=[], c=[]))
    joined = join.traffic_seen(_traffic(100, {}, {}))
    assert joined is not None
    assert sorted(joined.requests.values()) == [33, 33, 34]


def test_a_pod_that_came_later_counts_all_that_it_accepted() -> None:
    join = ConnectionJoin()
    join.connections_seen(_table({"a": 100}, a=[]))
    join.connections_seen(_table({"a": 110, "b": 10}, a=[], b=[]))
    joined = join.traffic_seen(_traffic(20, {}, {}))
    assert joined is not None
    assert joined.requests == {"a": 10, "b": 10}


def test_without_a_reading_nothing_is_said() -> None:
    assert ConnectionJoin().traffic_seen(_traffic(10, {1: 10}, {1: 4001})) is None
