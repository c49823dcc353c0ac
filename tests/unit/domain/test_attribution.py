"""Which source is used, and what each has counted at the moment of a sample."""

import pytest

from scale_app.domain.attribution import Attribution, choose, lost_sentence
from scale_app.domain.counting import CountingWish, SourceStanding
from scale_app.domain.samples import ConnectionLoads, ConnectionsSample, CountsSample, PodCount, TrafficSample
from scale_app.domain.source import Source

AUTO = CountingWish()


def _standings(**coverage: float) -> dict[Source, SourceStanding]:
    return {Source(name): SourceStanding(Source(name), share) for name, share in coverage.items()}


def _traffic(at_s: float, unnamed: int = 0, **named: int) -> TrafficSample:
    pods = {name: PodCount(count) for name, count in named.items()}
    return TrafficSample(at_s, 1, unnamed + sum(named.values()), pods, PodCount(unnamed))


def _counts(at_s: float, source: Source = Source.PROMETHEUS, **requests: int) -> CountsSample:
    return CountsSample(at_s, source, requests)


@pytest.mark.parametrize(
    ("standings", "best"),
    [
        (_standings(header=1.0, prometheus=1.0), Source.HEADER),
        (_standings(header=0.2, prometheus=0.99, access_log=1.0), Source.PROMETHEUS),
        (_standings(header=0.0, prometheus=0.4, access_log=1.7, network=1.0), Source.ACCESS_LOG),
        (_standings(header=0.0, connection_map=1.0, proxy=1.0, network=1.0), Source.CONNECTION_MAP),
        (_standings(header=0.0, proxy=0.95, network=1.0), Source.PROXY),
        (_standings(header=0.0, network=1.0), Source.NETWORK),
        (_standings(header=0.0, prometheus=0.5, access_log=0.6), Source.ACCESS_LOG),
        (_standings(header=0.7, prometheus=0.8), Source.HEADER),
    ],
)
def test_the_best_source_is_chosen(standings: dict[Source, SourceStanding], best: Source) -> None:
    assert choose(AUTO, Source.HEADER, standings, answers=100) is best


def test_a_source_that_is_asked_for_is_used_whatever_it_is_worth() -> None:
    wish = CountingWish("access_log")
    assert choose(wish, Source.HEADER, _standings(header=1.0, access_log=0.1), 100) is Source.ACCESS_LOG


def test_nothing_is_chosen_before_there_are_answers_to_judge_by() -> None:
    assert choose(AUTO, Source.HEADER, _standings(prometheus=1.0), answers=5) is Source.HEADER


def test_the_source_is_switched_when_the_one_in_use_is_lost() -> None:
    attribution = Attribution(AUTO, Source.HEADER)
    for source in (Source.PROMETHEUS, Source.ACCESS_LOG):
        attribution.counts_seen(_counts(0, source, a=0, b=0))
    attribution.begin(0)
    for second in range(1, 40):
        for source in (Source.PROMETHEUS, Source.ACCESS_LOG):
            if source is Source.ACCESS_LOG or second < 20:
                attribution.counts_seen(_counts(second, source, a=second * 50, b=second * 50))
        if second == 20:
            attribution.counts_seen(CountsSample(20, Source.PROMETHEUS, problem="The right is gone."))
        attribution.traffic_seen(_traffic(second, unnamed=second * 100))
        if second == 19:
            assert attribution.source is Source.PROMETHEUS
    assert attribution.source is Source.ACCESS_LOG
    assert [standing.problem for standing in attribution.counting.considered if standing.problem] == [
        "The right is gone."
    ]


def test_a_reading_is_held_against_what_was_sent_at_its_moment() -> None:
    attribution = Attribution(AUTO, Source.HEADER)
    attribution.counts_seen(_counts(-1, a=1_000))
    attribution.begin(0)
    attribution.traffic_seen(_traffic(1, unnamed=100))
    attribution.counts_seen(_counts(1.5, a=1_150))
    assert Source.PROMETHEUS not in attribution.counted()
    attribution.traffic_seen(_traffic(2, unnamed=200))
    counted = attribution.counted()[Source.PROMETHEUS]
    assert (counted.requests, counted.ended) == ({"a": 150}, pytest.approx(150))
    assert attribution.counting.now.coverage == pytest.approx(1)


def test_a_lagging_source_is_held_against_what_was_sent_when_its_counts_were_made() -> None:
    attribution = Attribution(AUTO, Source.HEADER)
    attribution.counts_seen(_counts(-1, a=0))
    attribution.begin(0)
    for second in range(1, 11):
        attribution.traffic_seen(_traffic(second, unnamed=second * 100))
    attribution.counts_seen(CountsSample(10, Source.PROMETHEUS, {"a": 700}, lag_s=3.0))
    attribution.traffic_seen(_traffic(11, unnamed=1_100))
    assert attribution.counted()[Source.PROMETHEUS].ended == pytest.approx(700)


def test_what_was_counted_between_the_first_reading_and_the_load_is_left_out() -> None:
    attribution = Attribution(AUTO, Source.HEADER)
    attribution.counts_seen(_counts(-5, a=1_000))
    attribution.counts_seen(_counts(-1, a=1_500))
    attribution.begin(0)
    attribution.counts_seen(_counts(1, a=1_600))
    attribution.traffic_seen(_traffic(1, unnamed=100))
    assert attribution.counted()[Source.PROMETHEUS].requests == {"a": 100}


def test_the_last_reading_counts_to_the_last_request() -> None:
    attribution = Attribution(AUTO, Source.HEADER)
    attribution.counts_seen(_counts(-1, a=0))
    attribution.begin(0)
    attribution.traffic_seen(_traffic(1, unnamed=100))
    attribution.counts_seen(_counts(1.2, a=100))
    attribution.end()
    counted = attribution.counted()[Source.PROMETHEUS]
    assert (counted.requests, counted.ended) == ({"a": 100}, 100)


def test_requests_beyond_ours_are_told_and_ours_are_never_among_them() -> None:
    attribution = Attribution(AUTO, Source.HEADER)
    attribution.counts_seen(_counts(-1, a=0))
    attribution.begin(0)
    for second in range(1, 20):
        attribution.counts_seen(_counts(second - 0.5, a=second * 100 - 50))
        attribution.traffic_seen(_traffic(second, unnamed=second * 100))
        assert attribution.others == 0
    attribution.counts_seen(_counts(19.5, a=2_400))
    attribution.traffic_seen(_traffic(20, unnamed=2_000))
    assert attribution.others == 399


def test_a_counter_beside_answers_that_name_their_pod_tells_of_others_still() -> None:
    attribution = Attribution(AUTO, Source.HEADER)
    attribution.counts_seen(_counts(-1, a=0))
    attribution.begin(0)
    attribution.counts_seen(_counts(0.5, a=180))
    attribution.traffic_seen(_traffic(1, a=100))
    assert (attribution.source, attribution.others) == (Source.HEADER, 79)


def test_requests_that_a_log_tells_to_be_anothers_are_told_from_the_loads_begin_on() -> None:
    attribution = Attribution(CountingWish("access_log"), Source.HEADER)
    attribution.counts_seen(CountsSample(-1, Source.ACCESS_LOG, {"a": 0}, others=7))
    attribution.begin(0)
    attribution.counts_seen(CountsSample(0.5, Source.ACCESS_LOG, {"a": 50}, others=10))
    attribution.traffic_seen(_traffic(1, unnamed=100))
    assert attribution.others == 3


def test_the_connection_map_counts_without_anything_that_the_pods_said() -> None:
    attribution = Attribution(CountingWish(enter_pods="exec"), Source.HEADER)
    attribution.begin(0)
    attribution.connections_seen(ConnectionsSample(0.5, {"a": ("198.18.0.9:1",), "b": ("198.18.0.9:2",)}))
    loads = ConnectionLoads({}, {1: 60, 2: 40}, endpoints={1: "198.18.0.9:1", 2: "198.18.0.9:2"})
    attribution.traffic_seen(TrafficSample(1, 2, 100, unnamed=PodCount(100), loads=loads))
    assert attribution.source is Source.CONNECTION_MAP
    counted = attribution.counted()[Source.CONNECTION_MAP]
    assert (counted.requests, counted.connections) == ({"a": 60, "b": 40}, {"a": 1, "b": 1})


def test_estimates_are_preferred_to_nothing_and_say_that_they_are() -> None:
    attribution = Attribution(AUTO, Source.HEADER)
    attribution.counts_seen(CountsSample(-1, Source.NETWORK, {"a": 0, "b": 0}, approximate=True))
    attribution.begin(0)
    attribution.counts_seen(CountsSample(0.9, Source.NETWORK, {"a": 9_000, "b": 8_000}, approximate=True))
    attribution.traffic_seen(_traffic(1, unnamed=100))
    assert attribution.counting.now.approximate
    assert (attribution.source, attribution.others) == (Source.NETWORK, None)


def test_a_field_of_the_answers_takes_the_headers_place() -> None:
    assert Attribution(CountingWish(json_field="pod.name"), Source.HEADER).source is Source.JSON
    assert Attribution(CountingWish("header", json_field="pod.name"), Source.HEADER).source is Source.HEADER
    assert Attribution(AUTO, Source.DEMO).source is Source.DEMO


def test_a_connection_table_that_came_after_the_last_answer_still_counts() -> None:
    attribution = Attribution(CountingWish("connection_map", enter_pods="exec"), Source.HEADER)
    attribution.connections_seen(ConnectionsSample(0, {"a": ()}))
    attribution.begin(0)
    loads = ConnectionLoads({}, {1: 30}, endpoints={1: "198.18.0.9:4001"})
    attribution.traffic_seen(TrafficSample(1, 1, 30, unnamed=PodCount(30), connections=1, loads=loads))
    attribution.connections_seen(ConnectionsSample(0.5, {"a": ("198.18.0.9:4001",)}, took_s=4))
    attribution.end()
    assert attribution.counted()[Source.CONNECTION_MAP].requests == {"a": 30}


def test_what_went_with_a_counter_that_ended_is_told_and_nothing_while_all_is_counted() -> None:
    attribution = Attribution(CountingWish("prometheus"), Source.HEADER)
    attribution.counts_seen(_counts(0, a=0, b=0))
    attribution.begin(0)
    attribution.counts_seen(CountsSample(1, Source.PROMETHEUS, {"a": 50, "b": 50}, cut_off=("a",)))
    attribution.traffic_seen(_traffic(2, unnamed=200))
    assert attribution.counting.now.problem == ""
    attribution.counts_seen(CountsSample(2, Source.PROMETHEUS, {"a": 53, "b": 100}, cut_off=("a",)))
    attribution.end()
    now = attribution.counting.now
    assert now.lost == 47
    assert now.problem == (
        "At least 47 of this run's requests are missing from the counts: the counter of a ended with its container or "
        "pod, or cannot be read, and its counts since the last reading are lost. Counting by access log loses none."
    )


def test_a_pod_that_cannot_be_read_since_it_crashed_is_told_with_what_is_missing() -> None:
    attribution = Attribution(CountingWish("prometheus"), Source.HEADER)
    attribution.counts_seen(_counts(0, a=0, b=0))
    attribution.begin(0)
    attribution.traffic_seen(_traffic(2, unnamed=200))
    attribution.counts_seen(CountsSample(2, Source.PROMETHEUS, {"a": 53, "b": 100}, unread=("a",), problem="No a."))
    attribution.end()
    assert attribution.counting.now.lost == 47
    assert attribution.counting.now.problem.startswith("No a. At least 47 of this run's requests")


def test_what_is_missing_while_no_counter_ended_is_not_put_down_to_one() -> None:
    attribution = Attribution(CountingWish("prometheus"), Source.HEADER)
    attribution.counts_seen(_counts(0, a=0))
    attribution.begin(0)
    attribution.counts_seen(_counts(1, a=53))
    attribution.traffic_seen(_traffic(2, unnamed=200))
    assert attribution.counting.now.lost == 0


def test_of_many_pods_whose_counters_ended_a_few_are_named() -> None:
    sentence = lost_sentence(1_200, ["a", "b", "c", "d", "e"])
    assert sentence.startswith(
        "At least 1,200 of this run's requests are missing from the counts: the counter of a, b, c and 2 more ended"
    )
