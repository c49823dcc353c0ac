"""What is sent, and to which addresses it may be sent."""

from __future__ import annotations

import pytest

from scale_app.worker.destination import RequestSpec, destination


def test_a_request_asks_for_path_and_query_of_the_host() -> None:
    where = destination("http://api.shop.svc:8080/a/b?c=d#part", [])
    assert where.request.startswith(b"GET /a/b?c=d HTTP/1.1\r\nHost: api.shop.svc:8080\r\n")
    assert where.request.endswith(b"\r\n\r\n")
    assert (where.host, where.port, where.tls) == ("api.shop.svc", 8080, False)


def test_the_last_request_of_a_connection_says_so() -> None:
    where = destination("http://api/", [])
    assert b"\r\nConnection: close\r\n" in where.last_request
    assert b"Connection:" not in where.request


@pytest.mark.parametrize(
    ("url", "host", "port", "authority"),
    [
        ("http://api", "api", 80, b"api"),
        ("https://api", "api", 443, b"api"),
        ("http://[::1]:81/", "::1", 81, b"[::1]:81"),
        ("http://b\u00fccher.example/", "xn--bcher-kva.example", 80, b"xn--bcher-kva.example"),
    ],
)
def test_host_and_port_follow_the_url(url: str, host: str, port: int, authority: bytes) -> None:
    where = destination(url, [])
    assert (where.host, where.port) == (host, port)
    assert b"\r\nHost: " + authority + b"\r\n" in where.request


def test_what_is_not_ascii_in_a_path_is_encoded_and_what_is_encoded_stays() -> None:
    request = destination("http://api/\u00e4%20?q=\u00fc", []).request
    assert request.startswith(b"GET /%C3%A4%20?q=%C3%BC HTTP/1.1\r\n")


@pytest.mark.parametrize("url", ["ftp://api/", "demo", "http:///x"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="no http or https URL"):
        destination(url, [])


@pytest.mark.parametrize(
    ("address", "permitted"),
    [
        ("10.1.2.3", True),
        ("10.2.0.0", False),
        ("::ffff:10.1.2.3", True),
        ("::ffff:169.254.169.254", False),
        ("fd00::1", True),
        ("fe80::1%eth0", False),
        ("127.0.0.1", False),
    ],
)
def test_only_addresses_inside_the_networks_are_permitted(address: str, permitted: bool) -> None:
    where = destination("http://api/", ["10.1.0.0/16", "fd00::/8"])
    assert where.permits(address, 1234) is permitted


def test_without_networks_nothing_is_permitted() -> None:
    assert not destination("http://api/", []).permits("127.0.0.1", 80)


def test_method_headers_and_body_are_sent_as_asked() -> None:
    asked = RequestSpec("POST", {"host": "shop.example", "Content-Type": "text/plain"}, "h\u00e4")
    request = destination("http://api/", [], asked).request
    head, _, body = request.partition(b"\r\n\r\n")
    assert head.startswith(b"POST / HTTP/1.1\r\n")
    assert b"\r\nContent-Length: 3\r\n" in head
    assert head.lower().count(b"\r\nhost: ") == 1
    assert body == "h\u00e4".encode()


def test_a_method_with_a_body_says_so_even_when_it_is_empty() -> None:
    assert b"\r\nContent-Length: 0\r\n" in destination("http://api/", [], RequestSpec("PUT")).request
    assert b"Content-Length" not in destination("http://api/", [], RequestSpec("DELETE")).request


@pytest.mark.parametrize(("port", "one_port", "permitted"), [(8080, True, True), (22, True, False), (22, False, True)])
def test_a_load_of_this_machine_reaches_no_other_port(port: int, one_port: bool, permitted: bool) -> None:
    where = destination("http://127.0.0.1:8080/", ["127.0.0.1/32"], one_port=one_port)
    assert where.permits("127.0.0.1", port) is permitted
    assert where.permits("::ffff:127.0.0.1", port) is permitted


def test_each_request_says_that_it_is_scales() -> None:
    assert destination("http://api/", []).request.count(b"\r\nX-Scale-Load: 1\r\n") == 1
