"""Counters on Prometheus pages, hostile ones included."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scale_app.readings.counters import NotAPage, counter_of_requests, counters_of, series_of_path

PAGE = b"""# HELP http_requests_total Requests.
# TYPE http_requests_total counter
http_requests_total{code="200",path="/"} 120
http_requests_total{code="500",path="/"} 3
http_requests_total{code="200",path="/metrics"} 7
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{le="0.1"} 100
http_request_duration_seconds_sum 1.5
http_request_duration_seconds_count 123
# TYPE temperature gauge
temperature 21
# TYPE process_start_time_seconds gauge
process_start_time_seconds 1.7e9
"""


def test_counters_and_counts_of_histograms_are_read_and_nothing_else() -> None:
    page = counters_of(PAGE)
    assert {name for name, _ in page.counters} == {"http_requests_total", "http_request_duration_seconds_count"}
    assert page.counters["http_requests_total", (("code", "500"), ("path", "/"))] == 3
    assert page.started == "1700000000.0"


def test_a_counter_is_read_by_its_name_with_or_without_its_ending() -> None:
    for name in ("http_requests_total", "http_requests"):
        assert {found for found, _ in counters_of(PAGE, name).counters} == {"http_requests_total"}
    assert {found for found, _ in counters_of(b"mine 5\n", "mine").counters} == {"mine"}


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf", "-4", "1e400"])
def test_a_value_that_is_no_count_is_left_out(value: str) -> None:
    assert not counters_of(f"# TYPE a_total counter\na_total {value}\n".encode()).counters


@pytest.mark.parametrize(
    "page", [b'# TYPE a_total counter\na_total{x="y} 1\n', b"# TYPE a_total counter\na_total one\n"]
)
def test_what_is_no_page_is_refused(page: bytes) -> None:
    with pytest.raises(NotAPage):
        counters_of(page)


def test_counters_of_requests_come_first_where_there_are_too_many() -> None:
    lines = "".join(f"# TYPE c{i}_total counter\nc{i}_total {i}\n" for i in range(5_000))
    page = counters_of(lines.encode() + b"# TYPE my_requests_total counter\nmy_requests_total 9\n", most=100)
    assert len(page.counters) == 100
    assert page.counters["my_requests_total", ()] == 9


def test_a_page_of_50_megabytes_is_read_in_seconds() -> None:
    line = b'other_bucket{le="0.1",path="/a/long/path/that/goes/on",method="GET"} 100\n'
    began_s = time.perf_counter()
    page = counters_of(PAGE + line * (50_000_000 // len(line)))
    assert time.perf_counter() - began_s < 10
    assert len(page.counters) == 4


@given(st.binary(max_size=500))
def test_any_bytes_are_a_page_or_are_refused(noise: bytes) -> None:
    try:
        page = counters_of(b"# TYPE a_total counter\n" + noise)
    except NotAPage:
        return
    assert all(value >= 0 for value in page.counters.values())


@given(st.from_regex(r"[a-zA-Z][a-zA-Z0-9_]{0,20}", fullmatch=True), st.text(max_size=60), st.integers(0, 2**53))
def test_any_labels_are_read_as_they_were_written(label: str, value: str, count: int) -> None:
    escaped = value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
    page = counters_of(f'# TYPE a_total counter\na_total{{{label}="{escaped}"}} {count}\n'.encode())
    assert page.counters == {("a_total", ((label, value),)): count}


@pytest.mark.parametrize(
    ("gained", "chosen"),
    [
        ({"http_requests_total": 1_000, "go_gc_total": 3, "sent_bytes_total": 1_000}, "http_requests_total"),
        ({"http_requests_total": 1_500, "mallocs_total": 1_990}, "http_requests_total"),
        ({"handled_total": 1_000, "http_requests_total": 1_000}, "http_requests_total"),
        ({"queries_total": 1_020}, "queries_total"),
        ({"http_requests_total": 500}, ""),
        ({"mallocs_total": 900_000}, ""),
        ({}, ""),
    ],
)
def test_the_counter_that_moves_as_the_load_does_is_recognised(gained: dict[str, float], chosen: str) -> None:
    assert counter_of_requests(gained, sent=1_000) == chosen


def test_nothing_is_recognised_before_there_is_load() -> None:
    assert counter_of_requests({"http_requests_total": 5}, sent=5) == ""


def test_series_about_our_path_are_told_from_others() -> None:
    ours = series_of_path(counters_of(PAGE).counters, "/")
    assert len(ours) == 2
    assert series_of_path(counters_of(PAGE).counters, "/elsewhere") == frozenset()
