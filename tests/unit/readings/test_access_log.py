"""Lines of access logs: whose request each is, whatever was logged."""

import json
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scale_app.readings.access_log import METHODS, Entry, LogFormat, Ours, Whose

OURS = Ours("GET", "/cart?x=1", "scale-load-test")


def _whose(line: str, pattern: str = "") -> Whose:
    return OURS.whose(LogFormat(pattern).entry(line.encode()))


@pytest.mark.parametrize(
    "line",
    [
        '10.0.0.1 - - [24/Nov/2026:10:00:00 +0000] "GET /cart?x=1 HTTP/1.1" 200 5',
        '10.0.0.1 - bob [24/Nov/2026:10:00:00 +0000] "GET /cart HTTP/1.1" 503 5 "-" "scale-load-test"',
        '10.0.0.1 - - [t] "GET /cart?x=1 HTTP/1.1" 200 5 "http://a/" "scale-load-test" "10.1.2.3:80" 0.001',
        'INFO:     10.0.0.1:5000 - "GET /cart?x=1 HTTP/1.1" 200 OK',
        '[2026-11-24T10:00:00Z] "GET /cart?x=1 HTTP/1.1" 200 - 0 5',
        '10.0.0.1 - - [t] "GET http://shop/cart?x=1 HTTP/1.1" 200 5',
        '{"method":"GET","path":"/cart?x=1","status":200}',
        '{"http":{"method":"get","target":"/cart"},"status_code":"404","user_agent":"scale-load-test"}',
        '{"request":"GET /cart?x=1 HTTP/1.1","status":200,"time":1.5}',
        '{"httpRequest":{"requestMethod":"GET","requestUrl":"http://shop/cart?x=1","status":200}}',
    ],
)
def test_a_request_of_ours_is_known_in_every_usual_format(line: str) -> None:
    assert _whose(line) is Whose.OURS


@pytest.mark.parametrize(
    "line",
    [
        '10.0.0.1 - - [t] "POST /cart?x=1 HTTP/1.1" 200 5',
        '10.0.0.1 - - [t] "GET /healthz HTTP/1.1" 200 5 "-" "kube-probe/1.35"',
        '10.0.0.1 - - [t] "GET /cart?x=1 HTTP/1.1" 200 5 "-" "curl/8"',
        '{"method":"GET","path":"/metrics","status":200}',
        '{"method":"GET","path":"/cart?x=1","status":200,"user_agent":"Mozilla"}',
    ],
)
def test_another_clients_request_is_told_apart(line: str) -> None:
    assert _whose(line) is Whose.OTHERS


@pytest.mark.parametrize(
    "line",
    [
        "",
        "listening on :8080",
        '{"msg":"ready","path":"/cart?x=1"}',
        '{"status":200}',
        "[1, 2]",
        "{" * 5_000,
        'said "GET /cart?x=1 HTTP/1.1" to somebody',
        '"GET /cart?x=1 HTTP/1.1" 2000',
    ],
)
def test_a_line_that_is_no_request_counts_for_nobody(line: str) -> None:
    assert _whose(line) is Whose.NOBODYS


PATTERN = '$remote_addr|$request_method $request_uri|$status|"$http_user_agent"|$upstream_addr'


def test_a_pattern_of_the_users_is_read() -> None:
    line = '10.0.0.1|GET /cart?x=1|200|"scale-load-test"|10.1.2.3:8080'
    entry = LogFormat(PATTERN).entry(line.encode())
    assert entry == Entry("GET", "/cart?x=1", "scale-load-test", "10.1.2.3:8080")
    assert _whose(line, PATTERN) is Whose.OURS
    assert _whose(line.replace("scale-load-test", "curl"), PATTERN) is Whose.OTHERS


@pytest.mark.parametrize("line", ["nothing of the kind", '10.0.0.1|GET /cart?x=1|yes|"a"|b', "10.0.0.1|GET /c"])
def test_a_line_that_does_not_fit_the_pattern_counts_for_nobody(line: str) -> None:
    assert _whose(line, PATTERN) is Whose.NOBODYS


def test_a_pattern_with_the_whole_request_in_it_is_read() -> None:
    assert _whose('1.2.3.4 "GET /cart?x=1 HTTP/1.1" 200', '${remote_addr} "$request" $status') is Whose.OURS


@given(st.binary(max_size=400))
def test_bytes_that_are_no_request_count_for_nobody(noise: bytes) -> None:
    bare = noise.replace(b'"', b"")
    for pattern in ("", PATTERN, "$request $status"):
        for line in (bare, b'{"a":' + noise + b"}", b'x "GET ' + bare + b'"', b'x "GET ' + bare):
            assert OURS.whose(LogFormat(pattern).entry(line)) is Whose.NOBODYS


PRINTED = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters='"|'), min_size=1, max_size=60)
METHOD = st.sampled_from(sorted(METHODS))
ADDRESS = PRINTED.filter(lambda text: not text.startswith("{"))  # a line that begins so is JSON


@example("GET", "go?to=http://b/", "a", "b")
@given(METHOD, PRINTED, PRINTED, ADDRESS)
def test_whatever_a_request_asks_for_is_read_as_it_was_logged(method: str, path: str, agent: str, seen: str) -> None:
    target = f"/{path}"
    combined = f'{seen} [t] "{method} {target} HTTP/1.1" 200 5 "-" "{agent}"'
    as_json = json.dumps({"seen": seen, "method": method, "path": target, "status": 200, "user_agent": agent})
    own = f'{seen}|{method} {target}|200|"{agent}"|{seen}'
    for pattern, line in (("", combined), ("", as_json), (PATTERN, own)):
        entry = LogFormat(pattern).entry(line.encode())
        assert entry is not None
        assert (entry.method, entry.target, entry.agent) == (method, target, agent)


@pytest.mark.parametrize("line", ['" ' * 500_000, '"GET ' * 200_000, "| |" * 300_000, "{" + '"a":{' * 150_000])
def test_a_hostile_line_takes_no_time(line: str) -> None:
    began_s = time.perf_counter()
    for pattern in ("", PATTERN, "$a$b$c$d $e|$f|$g|$h"):
        LogFormat(pattern).entry(line.encode())
    assert time.perf_counter() - began_s < 1
