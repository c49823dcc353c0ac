"""Counters of several processes as one: exact, whoever reports when, and whoever dies."""

from __future__ import annotations

from scale_app.domain.picks import ConnectionCounters, carried_between
from scale_app.domain.samples import ConnectionLoads, GeneratorHealth, PodCount, TrafficSample
from scale_app.worker.counters import Counters
from scale_app.worker.worker_roster import MergedCounters


def report(requests: int, long: dict[int, int] | None = None, short: dict[int, int] | None = None) -> TrafficSample:
    pods = {"a": PodCount(requests, 1, 2)}
    return TrafficSample(
        1.0, 3, requests, pods, redirects=1, connections=2, loads=ConnectionLoads(short or {}, long or {}, 1)
    )


class Worker:
    """One kept connection, and a brief one for each answer on it."""

    def __init__(self) -> None:
        self.counters = Counters()
        self.kept = self.counters.opened()

    def work(self, times: int) -> None:
        for _ in range(times):
            brief = self.counters.opened()
            for connection in (self.kept, brief):
                self.counters.answered(connection, self.counters.cell(b"a", 200), 0.01)
            self.counters.closed(brief)

    def report(self) -> TrafficSample:
        return self.counters.sample(0.0, 1, GeneratorHealth())


def loads_of(merged: MergedCounters) -> ConnectionLoads:
    loads = merged.total(1.0).loads
    assert loads is not None
    return loads


def test_counts_of_all_are_added_up_once_however_often_they_are_reported() -> None:
    merged = MergedCounters()
    for _ in range(3):
        merged.take(0, report(10))
        merged.take(1, report(5))
    total = merged.total(9.0, processes=2)
    assert (total.requests, total.connections, total.users, total.at_s) == (15, 4, 6, 9.0)
    assert total.redirects == 2
    assert total.pods["a"] == PodCount(15, 2, 4)
    assert total.loads is not None
    assert total.loads.switched == 2


def test_what_a_dead_process_had_reported_stays() -> None:
    merged = MergedCounters()
    merged.take(0, report(10))
    merged.take(1, report(5, long={1: 5}))
    merged.gone(1)
    for _ in range(2):
        total = merged.total(9.0, processes=1, lost=1)
        assert (total.requests, total.users) == (15, 3)
    assert total.loads is not None
    assert total.loads.long == {}


def test_switches_of_all_processes_are_added_up_connection_by_connection() -> None:
    merged = MergedCounters()
    loads = ConnectionLoads({5: 3}, {1: 9, 2: 4}, 2, switches={1: 6}, short_switches={5: {2: 1}})
    for process in (0, 1):
        merged.take(process, TrafficSample(1.0, 1, 28, loads=loads))
    total = loads_of(merged)
    assert total.switches is not None
    assert sorted(total.switches.values()) == [6, 6]
    assert {connection: total.long[connection] for connection in total.switches} == dict.fromkeys(total.switches, 9)
    assert (total.short, total.short_switches, total.switched) == ({5: 6}, {5: {2: 2}}, 4)


def test_connections_of_different_processes_are_different_connections() -> None:
    merged = MergedCounters()
    merged.take(0, report(3, long={1: 3}))
    merged.take(1, report(4, long={1: 4}))
    loads = merged.total(1.0).loads
    assert loads is not None
    assert sorted(loads.long.values()) == [3, 4]


def test_a_connection_is_named_in_every_total_until_it_has_closed() -> None:
    merged = MergedCounters()
    merged.take(0, report(3, long={1: 3, 2: 7}))
    merged.take(0, report(5, long={1: 5}))  # 2 was closed meanwhile: the report before the last one said so
    first, second = merged.total(1.0).loads, merged.total(2.0).loads
    assert first is not None
    assert second is not None
    assert sorted(first.long.values()) == [5, 7]
    assert sorted(second.long.values()) == [5]  # no report came in between


def test_every_answer_is_in_exactly_one_connection_when_reports_come_at_other_times_than_totals() -> None:
    merged, workers = MergedCounters(), [Worker(), Worker()]
    seen: list[ConnectionLoads] = []
    for step in range(1, 8):
        for number, worker in enumerate(workers):
            worker.work(step)
            if (step + number) % 3:
                merged.take(number, worker.report())
        if step % 2:
            seen.append(loads_of(merged))
    for number, worker in enumerate(workers):
        worker.counters.closed(worker.kept)
        merged.take(number, worker.report())
    seen.append(loads_of(merged))
    end = merged.total(9.0)
    counted = ConnectionCounters(ConnectionLoads())
    for loads in seen:
        counted.observe(loads)
    for carried in (counted.whole(), carried_between(ConnectionLoads(), seen)):
        assert sum(each.requests * connections for each, connections in carried.items()) == end.requests
        assert sum(carried.values()) == end.connections


def test_the_generator_is_as_good_as_its_worst_process() -> None:
    merged = MergedCounters()
    good = GeneratorHealth(0.2, 3.0, 900, arrivals=10, late_arrivals=1, schedule_lag_max_ms=1.0)
    bad = GeneratorHealth(0.9, 80.0, 500, arrivals=20, dropped_arrivals=4, schedule_lag_max_ms=90.0)
    for number, health in enumerate((good, bad)):
        merged.take(number, TrafficSample(0.0, 1, 0, generator=health))
    health = merged.total(1.0, processes=2).generator
    assert (health.cpu_share, health.loop_lag_ms, health.ports_left, health.schedule_lag_max_ms) == (0.9, 80, 500, 90)
    assert (health.arrivals, health.late_arrivals, health.dropped_arrivals) == (30, 1, 4)
    assert (health.processes, health.lost_processes) == (2, 0)


def test_a_bad_moment_is_told_even_when_a_good_report_follows_before_the_next_total() -> None:
    merged = MergedCounters()
    for lag_ms in (90.0, 1.0):
        merged.take(0, TrafficSample(0.0, 1, 0, generator=GeneratorHealth(0.2, lag_ms)))
    assert [merged.total(float(n)).generator.loop_lag_ms for n in range(2)] == [90.0, 1.0]
