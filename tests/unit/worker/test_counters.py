"""The worker's counts: per pod, per cause, per connection."""

from __future__ import annotations

from scale_app.domain.histogram import bucket_of
from scale_app.domain.samples import GeneratorHealth, TrafficSample
from scale_app.worker.counters import MAX_CAUSES, MAX_PODS, OTHER_CAUSE, CountedConnection, Counters


def sample(counters: Counters) -> TrafficSample:
    return counters.sample(1.0, 3, GeneratorHealth(0.5, 2.0))


def answer(
    counters: Counters, connection: CountedConnection, pod: bytes = b"a", status: int = 200, latency_s: float = 0.01
) -> None:
    counters.answered(connection, counters.cell(pod, status), latency_s)


def test_an_answer_is_counted_for_the_pod_that_gave_it() -> None:
    counters = Counters()
    answer(counters, counters.opened(), b"a", latency_s=0.25)
    answer(counters, counters.opened(), b"b")
    seen = sample(counters)
    assert {name: pod.requests for name, pod in seen.pods.items()} == {"a": 1, "b": 1}
    assert seen.pods["a"].latency.counts == {bucket_of(0.25): 1}
    assert (seen.requests, seen.connections, seen.users, seen.at_s) == (2, 2, 3, 1.0)
    assert seen.generator == GeneratorHealth(0.5, 2.0)


def test_an_error_status_is_a_failure_of_its_pod_and_a_cause() -> None:
    counters = Counters()
    connection = counters.opened()
    for status in (200, 302, 399, 400, 503, 503):
        answer(counters, connection, b"a", status)
    seen = sample(counters)
    assert (seen.pods["a"].requests, seen.pods["a"].failures) == (6, 3)
    assert seen.errors == {"HTTP 400": 1, "HTTP 503": 2}


def test_redirects_that_name_no_pod_are_counted_as_such() -> None:
    counters = Counters()
    connection = counters.opened()
    for pod, status in ((b"", 302), (b"", 307), (b"", 200), (b"a", 302), (b"", 304)):
        answer(counters, connection, pod, status)
    seen = sample(counters)
    assert (seen.redirects, seen.unnamed.requests, seen.pods["a"].requests, seen.requests) == (2, 4, 1, 5)


def test_an_answer_may_count_as_failed_whatever_its_status() -> None:
    counters = Counters()
    counters.reported(b"a", 200, "", 0.01)
    counters.reported(b"a", 200, "the basket is empty", 0.01)
    counters.reported(b"a", 503, "", 0.01)
    seen = sample(counters)
    assert (seen.pods["a"].requests, seen.pods["a"].failures, seen.connections) == (3, 2, 0)
    assert seen.errors == {"the basket is empty": 1, "HTTP 503": 1}


def test_a_request_without_an_answer_is_counted_for_no_pod() -> None:
    counters = Counters()
    counters.unanswered("timeout", 10.0)
    seen = sample(counters)
    assert (seen.requests, seen.pods, seen.unnamed.requests, seen.errors) == (1, {}, 0, {"timeout": 1})


def test_answers_without_a_usable_name_are_unnamed() -> None:
    counters = Counters()
    connection = counters.opened()
    for name in (b"", b"  ", b"\x00", b"x" * 300):
        answer(counters, connection, name)
    seen = sample(counters)
    assert seen.unnamed.requests == 4
    assert seen.unnamed.connections == 1
    assert seen.pods == {}


def test_a_connection_belongs_to_the_pod_of_its_first_answer() -> None:
    counters = Counters()
    connection = counters.opened()
    answer(counters, connection, b"a")
    answer(counters, connection, b"b")
    seen = sample(counters)
    assert [seen.pods[name].connections for name in ("a", "b")] == [1, 0]


def test_each_answer_from_another_pod_than_the_one_before_is_a_switch_of_its_connection() -> None:
    counters = Counters()
    connection, faithful = counters.opened(), counters.opened()
    for name in (b"a", b"", b"b", b"b", b"a", b"c"):
        answer(counters, connection, name)
        answer(counters, faithful, b"a")
    loads = sample(counters).loads
    assert loads is not None
    assert (loads.switched, loads.switches) == (1, {connection.connection_id: 3})


def test_switches_of_closed_connections_are_kept_with_what_they_carried() -> None:
    counters = Counters()
    old = counters.opened()
    for name in (b"a", b"b"):
        answer(counters, old, name)
    sample(counters)
    answer(counters, old, b"a")
    counters.closed(old)
    for names in ((b"a", b"b", b"a"), (b"a", b"a", b"b"), (b"a", b"b", b"c"), (b"a", b"a", b"a")):
        brief = counters.opened()
        for name in names:
            answer(counters, brief, name)
        counters.closed(brief)
    loads, later = sample(counters).loads, sample(counters).loads
    assert loads is not None
    assert later is not None
    assert (loads.long, loads.switches) == ({old.connection_id: 3}, {old.connection_id: 2})
    assert (loads.short, loads.short_switches) == ({3: 4}, {3: {2: 2, 1: 1}})
    assert (later.switches, later.short_switches) == ({}, {3: {2: 2, 1: 1}})


def test_an_answer_without_a_name_is_no_evidence_of_another_pod() -> None:
    counters = Counters()
    named_first, unnamed_first = counters.opened(), counters.opened()
    for first, second in ((b"a", b""), (b"", b"a"), (b"a", b"")):
        answer(counters, named_first, first)
        answer(counters, unnamed_first, second)
    loads = sample(counters).loads
    assert loads is not None
    assert (loads.switched, loads.switches) == (0, {})


def test_connections_opened_and_closed_between_two_samples_are_short_and_cumulative() -> None:
    counters = Counters()
    for answers in (2, 2, 5):
        connection = counters.opened()
        for _ in range(answers):
            answer(counters, connection)
        counters.closed(connection)
    for _ in range(2):
        loads = sample(counters).loads
        assert loads is not None
        assert (loads.short, loads.long) == ({2: 2, 5: 1}, {})


def test_a_connection_that_lives_over_a_sample_is_long_until_the_sample_after_its_end() -> None:
    counters = Counters()
    connection = counters.opened()
    seen = []
    for _ in range(2):
        answer(counters, connection)
        seen.append(sample(counters).loads)
    answer(counters, connection)
    counters.closed(connection)
    seen += [sample(counters).loads, sample(counters).loads]
    assert [loads.long for loads in seen if loads] == [{1: 1}, {1: 2}, {1: 3}, {}]
    assert [loads.short for loads in seen if loads] == [{}, {}, {}, {}]


def test_every_answer_is_in_exactly_one_connection_of_a_window() -> None:
    counters = Counters()
    kept = counters.opened()
    carried, before_long, before_short = 0, {}, {}
    for step in range(1, 6):
        for _ in range(step):
            brief = counters.opened()
            answer(counters, brief)
            answer(counters, kept)
            counters.closed(brief)
        loads = sample(counters).loads
        assert loads is not None
        carried += sum(n * (times - before_short.get(n, 0)) for n, times in loads.short.items())
        carried += sum(n - before_long.get(i, 0) for i, n in loads.long.items())
        before_long, before_short = dict(loads.long), dict(loads.short)
    assert carried == sample(counters).requests == 30


def test_causes_are_bounded_and_the_rest_is_other() -> None:
    counters = Counters()
    for number in range(MAX_CAUSES + 20):
        counters.unanswered(f"cause {number}", 0.1)
    errors = sample(counters).errors
    assert len(errors) == MAX_CAUSES + 1
    assert errors[OTHER_CAUSE] == 20


def test_pod_names_are_bounded_and_the_rest_is_unnamed() -> None:
    counters = Counters()
    connection = counters.opened()
    for number in range(MAX_PODS + 7):
        answer(counters, connection, b"pod-%d" % number)
    seen = sample(counters)
    assert (len(seen.pods), seen.unnamed.requests) == (MAX_PODS, 7)


def test_a_sample_does_not_change_when_counting_goes_on() -> None:
    counters = Counters()
    connection = counters.opened()
    answer(counters, connection)
    seen = sample(counters)
    answer(counters, connection, status=500)
    assert seen.pods["a"].latency.total == 1
    assert seen.errors == {}
