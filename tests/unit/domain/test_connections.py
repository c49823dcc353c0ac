"""The requests that each connection carried are exact over any window between two samples."""

import random

from scale_app.domain.picks import ConnectionCounters, ConnectionLoad, Loads, carried_between, kept
from scale_app.domain.samples import ConnectionLoads


def test_short_connections_are_a_difference_of_counters() -> None:
    later = ConnectionLoads({5: 12, 1: 1})
    assert carried_between(ConnectionLoads({5: 10}), [later]) == {kept(5): 2, kept(1): 1}


def test_a_long_connection_counts_what_it_carried_inside_the_window() -> None:
    first = ConnectionLoads(long={1: 100, 2: 7})
    assert carried_between(first, [ConnectionLoads(long={1: 130, 2: 7}), ConnectionLoads(long={1: 140})]) == {
        kept(40, before=True): 1
    }


def test_an_empty_window_carried_nothing() -> None:
    assert carried_between(ConnectionLoads({5: 1}), []) == {}


def test_switches_are_those_inside_the_window() -> None:
    first = ConnectionLoads({5: 10}, {1: 100, 2: 9}, switches={1: 40}, short_switches={5: {3: 2}})
    last = ConnectionLoads({5: 13}, {1: 130, 3: 4}, switches={1: 43, 3: 1}, short_switches={5: {3: 3, 1: 1}})
    assert carried_between(first, [last]) == {
        ConnectionLoad(5, 3, 4): 1,
        ConnectionLoad(5, 1, 4): 1,
        ConnectionLoad(5, 0, 4): 1,
        ConnectionLoad(30, 3, 30): 1,  # each of its answers had one before it
        ConnectionLoad(4, 1, 3): 1,
    }


def test_a_ledger_keeps_the_switches_of_connections_that_are_gone() -> None:
    counters = ConnectionCounters(ConnectionLoads(long={1: 100}, switches={1: 40}))
    counters.observe(ConnectionLoads(long={1: 130, 2: 8}, switches={1: 50, 2: 7}))
    counters.observe(ConnectionLoads(long={2: 9}, switches={2: 8}))
    assert counters.whole() == {ConnectionLoad(30, 10, 30): 1, ConnectionLoad(9, 8, 8): 1}


def test_counters_that_go_backwards_or_switch_too_often_are_brought_within_what_can_be() -> None:
    assert carried_between(ConnectionLoads(long={1: 100}), [ConnectionLoads(long={1: 90})]) == {}
    assert kept(5, 10**6) == ConnectionLoad(5, 4, 4)
    assert kept(5, -3, before=True) == ConnectionLoad(5, 0, 5)
    assert kept(0) == ConnectionLoad(0, 0, 0)


def test_any_history_adds_up_to_the_requests_that_were_sent() -> None:
    """Random connections, sampled at random moments: whole run and window both add up."""
    for seed in range(20):
        _play_and_compare(random.Random(seed))


def _play_and_compare(chance: random.Random) -> None:
    counters, samples, sent = ConnectionCounters(ConnectionLoads()), [ConnectionLoads()], [0]
    fresh: dict[int, int] = {}
    old: dict[int, int] = {}
    short: dict[int, int] = {}
    ended: dict[int, int] = {}
    for step in range(400):
        if chance.random() < 0.4:
            fresh[step] = 0
        for carried in (fresh, old):
            for connection in carried:
                carried[connection] += (more := chance.randrange(3))
                sent[-1] += more
        _close_some(chance, fresh, old, short, ended)
        if chance.random() < 0.1:
            old.update(fresh)
            samples.append(ConnectionLoads(dict(short), {**old, **ended}))
            counters.observe(samples[-1])
            sent.append(sent[-1])
            fresh, ended = {}, {}
    first = len(samples) // 2
    window = carried_between(samples[first], samples[first + 1 :])
    assert _requests(window) == sent[len(samples) - 2] - sent[first - 1]
    assert _requests(counters.whole()) == sent[len(samples) - 2]


def _close_some(
    chance: random.Random, fresh: dict[int, int], old: dict[int, int], short: dict[int, int], ended: dict[int, int]
) -> None:
    for connection in [c for c in fresh if chance.random() < 0.2]:
        carried = fresh.pop(connection)
        short[carried] = short.get(carried, 0) + 1
    for connection in [c for c in old if chance.random() < 0.1]:
        ended[connection] = old.pop(connection)


def _requests(loads: Loads) -> int:
    return sum(carried.requests * connections for carried, connections in loads.items())
