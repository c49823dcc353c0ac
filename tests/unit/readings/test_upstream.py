"""To which pod a proxy sent a request."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scale_app.readings.access_log import LogFormat, envoy_requests, envoy_weights, upstream_ip

IPS = {"10.1.0.1", "10.1.0.2", "fd00::5"}


@pytest.mark.parametrize(
    ("upstream", "ip"),
    [
        ('"10.1.0.2:8080" 0.001', "10.1.0.2"),
        ('"10.1.0.1:8080, 10.1.0.2:8080" 0.001', "10.1.0.2"),
        ('"10.1.0.2:8080 : 10.9.9.9:80" 0.1', "10.1.0.2"),
        ('"[fd00::5]:8080"', "fd00::5"),
        ('"-"', ""),
        ('"110.1.0.1:80"', ""),
        ('"10.1.0.12:80"', ""),
    ],
)
def test_the_pod_that_answered_last_is_found_in_the_line(upstream: str, ip: str) -> None:
    entry = LogFormat().entry(f'10.5.5.5 - - [t] "GET / HTTP/1.1" 200 5 {upstream}'.encode())
    assert entry is not None
    assert upstream_ip(entry, IPS) == ip


def test_envoys_counters_are_summed_over_its_clusters() -> None:
    page = """shop::10.1.0.1:8080::cx_active::4
shop::10.1.0.1:8080::rq_total::70
shop::10.1.0.2:8080::rq_total::30
outbound|80||shop::10.1.0.1:8080::rq_total::5
other::10.9.9.9:80::rq_total::99
shop::[fd00::5]:8080::rq_total::1
"""
    assert envoy_requests(page, IPS) == {"10.1.0.1": 75, "10.1.0.2": 30, "fd00::5": 1}


def test_envoys_weights_are_read_from_the_same_page() -> None:
    page = "shop::10.1.0.1:8080::weight::4\nshop::10.1.0.2:8080::weight::3\nb::10.1.0.2:8080::weight::1\n"
    assert envoy_weights(page + "shop::10.1.0.1:8080::rq_total::70\n", IPS) == {"10.1.0.1": 4, "10.1.0.2": 3}


@given(st.text(max_size=200))
def test_any_text_is_read_without_an_error(text: str) -> None:
    counts = envoy_requests(f"a::10.1.0.1:8080::rq_total::{text}\n{text}::rq_total::5", IPS)
    assert all(count >= 0 for count in counts.values())
