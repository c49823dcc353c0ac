"""Counting source the pods' connection tables and our own counts per connection."""

from scale_app.domain.connection_join import ConnectionJoin, Joined
from scale_app.domain.samples import ConnectionLoads, ConnectionsSample, PodCount, TrafficSample


def _traffic(
    answered: int, long: dict[int, int], ports: dict[int, int], opened: int = 0, at_s: float = 0.0
) -> TrafficSample:
    endpoints = {connection: f"198.18.0.9:{port}" for connection, port in ports.items()}
    loads = ConnectionLoads({}, long, endpoints=endpoints)
    return TrafficSample(at_s, 1, answered, unnamed=PodCount(answered), connections=opened, loads=loads)


def _table(
    opened: dict[str, int] | None = None, at_s: float = 0.0, took_s: float = 0.0, **ports: list[int]
) -> ConnectionsSample:
    clients = {pod: tuple(f"198.18.0.9:{port}" for port in of_pod) for pod, of_pod in ports.items()}
    return ConnectionsSample(at_s, clients, opened or {}, took_s=took_s)


def test_a_connection_counts_for_the_pod_in_whose_table_it_is_from_its_first_request_on() -> None:
    join = ConnectionJoin()
    join.connections_seen(_table(a=[], b=[], c=[]))
    join.traffic_seen(_traffic(30, {1: 10, 2: 20}, {1: 4001, 2: 4002}))
    join.connections_seen(_table(a=[4001], b=[4002, 9999], c=[]))
    joined = join.traffic_seen(_traffic(70, {1: 30, 2: 40}, {1: 4001, 2: 4002}))
    assert joined == Joined({"a": 30, "b": 40, "c": 0}, {"a": 1, "b": 1, "c": 0}, estimated=False)


def test_a_closed_connection_keeps_its_requests_though_its_port_is_used_again_for_another_pod() -> None:
    join = ConnectionJoin()
    join.connections_seen(_table(a=[4001], b=[], at_s=0.5))
    join.traffic_seen(_traffic(10, {1: 10}, {1: 4001}, at_s=1))
    join.traffic_seen(_traffic(15, {1: 15}, {1: 4001}, at_s=2))
    join.traffic_seen(_traffic(15, {}, {}, at_s=3))
    join.connections_seen(_table(a=[], b=[4001], at_s=3.5))
    joined = join.traffic_seen(_traffic(22, {2: 7}, {2: 4001}, at_s=4))
    assert joined is not None
    assert joined.requests == {"a": 15, "b": 7}


def test_a_table_that_took_long_to_read_tells_also_of_connections_closed_meanwhile() -> None:
    join = ConnectionJoin()
    join.connections_seen(_table(a=[], b=[]))
    for at_s, answers in ((1, 10), (2, 20), (3, 25)):
        join.traffic_seen(_traffic(answers, {1: answers}, {1: 4001}, at_s=at_s))
    join.traffic_seen(_traffic(25, {}, {}, at_s=4))
    join.connections_seen(_table(a=[], b=[4001], at_s=1.5, took_s=3))
    joined = join.traffic_seen(_traffic(25, {}, {}, at_s=5))
    assert joined == Joined({"a": 0, "b": 25}, {"a": 0, "b": 1}, estimated=False)


def test_a_table_whose_reading_outlasted_the_load_is_joined_at_its_end() -> None:
    join = ConnectionJoin()
    join.connections_seen(_table(a=[], b=[]))
    for at_s, answers in ((1, 10), (2, 20)):
        join.traffic_seen(_traffic(answers, {1: answers}, {1: 4001}, at_s=at_s))
    end = _traffic(20, {}, {}, at_s=2.1)
    join.traffic_seen(end)
    join.connections_seen(_table(a=[], b=[4001], at_s=1.5, took_s=8))
    join.load_ended()
    assert join.traffic_seen(end) == Joined({"a": 0, "b": 20}, {"a": 0, "b": 1}, estimated=False)


def test_of_two_tables_that_come_together_neither_is_lost() -> None:
    join = ConnectionJoin()
    join.traffic_seen(_traffic(5, {1: 5}, {1: 4001}, at_s=1))
    join.connections_seen(_table(a=[4001], b=[], at_s=1.2))
    join.connections_seen(_table(a=[], b=[], at_s=1.8))
    joined = join.traffic_seen(_traffic(9, {1: 9}, {1: 4001}, at_s=2))
    assert joined is not None
    assert joined.requests == {"a": 9, "b": 0}


def test_a_table_waits_for_the_counts_of_its_time() -> None:
    join = ConnectionJoin()
    join.connections_seen(_table(a=[4001], b=[], at_s=1.2, took_s=0.3))
    join.traffic_seen(_traffic(0, {}, {}, at_s=1))  # was on its way when the connection was opened
    joined = join.traffic_seen(_traffic(9, {1: 9}, {1: 4001}, at_s=2))
    assert joined is not None
    assert joined.requests == {"a": 9, "b": 0}


def test_a_port_that_two_of_our_connections_had_while_a_table_was_read_is_left_out() -> None:
    join = ConnectionJoin()
    join.traffic_seen(_traffic(5, {1: 5}, {1: 4001}, at_s=1))
    join.traffic_seen(_traffic(9, {2: 4}, {2: 4001}, at_s=2))
    join.connections_seen(_table(a=[4001], at_s=0.5, took_s=2))
    joined = join.traffic_seen(_traffic(9, {2: 4}, {2: 4001}, at_s=3))
    assert joined is not None
    assert joined.requests == {"a": 0}


def test_one_kept_connection_that_no_table_shows_makes_the_counts_an_estimate() -> None:
    """It is a twentieth of all requests, but a quarter of what a pod should get."""
    join = ConnectionJoin()
    ports = {number: 4000 + number for number in range(20)}
    tables = {f"pod-{i}": [4000 + number for number in range(1, 20) if number % 5 == i] for i in range(5)}
    join.connections_seen(_table(dict.fromkeys(tables, 7), **{pod: [] for pod in tables}))
    join.connections_seen(_table(dict.fromkeys(tables, 12), at_s=0.5, **tables))
    joined = join.traffic_seen(_traffic(4_000, dict.fromkeys(ports, 200), ports, opened=20, at_s=1))
    assert joined is not None
    assert joined.estimated


def test_a_pod_that_cannot_be_read_for_once_keeps_what_it_accepted() -> None:
    join = ConnectionJoin()
    join.connections_seen(_table({"a": 100, "b": 50}, a=[], b=[]))
    join.connections_seen(_table({"a": 130, "b": 60}, a=[], b=[]))
    join.connections_seen(_table({"a": 130}, a=[]))
    joined = join.traffic_seen(_traffic(40, {}, {}, opened=40))
    assert joined is not None
    assert joined.requests == {"a": 30, "b": 10}


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
